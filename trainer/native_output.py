"""Suppresses what TensorFlow's native code writes to standard error if it is only noise.

On a machine without a GPU, TensorFlow starts with some 16 lines, including harmless error messages.
Its log level does not control all of them.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_native_output() -> Iterator[None]:
    """Suppress the output of native code. All of it is shown if the body raises.

    Output that Python writes to ``sys.stderr`` meanwhile is suppressed as well.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            kept.seek(0)
            with os.fdopen(os.dup(stderr), "wb") as shown:
                shutil.copyfileobj(kept, shown)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


def start_tensorflow() -> None:
    """Import TensorFlow and let it detect devices, without its startup messages."""
    with quiet_native_output():
        import tensorflow as tf  # noqa: PLC0415 - importing it writes the messages

        tf.config.list_logical_devices()
