"""The gateway: preprocesses images, calls all models, aggregates their results. No TensorFlow."""
