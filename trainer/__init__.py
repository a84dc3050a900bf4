"""Builds, trains, evaluates and publishes the CNNs."""

import os

# Read by TensorFlow when it is first imported; its start-up banners would bury our own lines.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
