"""Wire-compatible messages of TensorFlow Serving, without TensorFlow.

Field numbers and types equal those of ``tensorflow_serving.apis`` (a conformance test compares
every field); the proto package differs, so that both can be loaded in one process. ``make protos``
regenerates the Python files.
"""
