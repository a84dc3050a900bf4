"""What TensorFlow's native code writes to standard error, kept back where it is only noise.

On a machine without a GPU it greets with some 16 lines, among them errors that are none. Its log
level does not reach them all.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_native_output() -> Iterator[None]:
    """Keep back what native code writes; all of it is shown if the body raises.

    What Python itself writes to ``sys.stderr`` meanwhile is kept back, too.
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
    """Import TensorFlow and let it look for devices, without its greetings."""
    with quiet_native_output():
        import tensorflow as tf  # noqa: PLC0415 - this is what writes

        tf.config.list_logical_devices()
