"""The gateway: decode, resize, normalise, ask every model at once, aggregate. No TensorFlow."""
