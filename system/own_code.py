"""Where in our own code an exception was raised.

Messages of exceptions may quote what a client sent, so logs have the place instead.
"""

import traceback
from typing import Final

OWN_PACKAGES: Final = ("api", "covidscan", "imaging", "serving", "system", "trainer")


def places_in_own_code(error: BaseException) -> list[str]:
    """Return ``module:line`` for each frame of our own code, the innermost last."""
    return [
        f"{frame.f_globals['__name__']}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").partition(".")[0] in OWN_PACKAGES
    ]
