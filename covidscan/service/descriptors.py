"""File descriptors: as many connections as there are descriptors for, and no more."""

import logging
import resource
from typing import Final

from covidscan.service.connection_room import RESERVED

logger = logging.getLogger(__name__)

_OTHERS: Final = 256
"""Descriptors of anything but connections: channels to the model server, files, connections that
are closing."""


def fit_connections(max_connections: int) -> int:
    """Raise the limit of descriptors if need be; gives the number of connections that fit.

    That is ``max_connections``, or less where even the hard limit is too low, which is logged.
    """
    needed = max_connections + RESERVED + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return max_connections
    reachable = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    logger.info("this process may open %d files instead of %d", reachable, soft)
    fitting = max(1, max_connections - (needed - reachable))
    if fitting < max_connections:
        logger.warning(
            "of COVIDSCAN_MAX_CONNECTIONS=%d connections %d fit: this process may open %d files;"
            " raise that limit (ulimit -n)",
            max_connections,
            fitting,
            reachable,
        )
    return fitting
