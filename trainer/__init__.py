"""Builds, trains, evaluates and publishes the CNNs."""

import os

# Set before TensorFlow is first imported: its startup banners would bury our own log lines.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
