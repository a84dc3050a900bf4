"""Fits the number of connections to the limit on file descriptors."""

import logging
import resource
from typing import Final

from covidscan.service.http.connection_slots import RESERVED

logger = logging.getLogger(__name__)

_OTHERS: Final = 256
"""Descriptors for everything but connections: channels to the model server, files, and connections
that are being closed."""


def fit_connections(max_connections: int) -> int:
    """Raise the limit on descriptors if necessary; return the number of connections that fit.

    That is ``max_connections``, or fewer if even the hard limit is too low. This is logged.
    """
    needed = max_connections + RESERVED + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return max_connections
    reachable = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    logger.info("raised the limit on open files from %d to %d", soft, reachable)
    fitting = max(1, max_connections - (needed - reachable))
    if fitting < max_connections:
        logger.warning(
            "only %d of COVIDSCAN_MAX_CONNECTIONS=%d connections fit: this process may open"
            " %d files; raise that limit (ulimit -n)",
            fitting,
            max_connections,
            reachable,
        )
    return fitting
