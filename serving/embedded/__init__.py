"""The embedded model server: TensorFlow Serving's protocol and volume, without TensorFlow."""
