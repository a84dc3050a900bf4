"""Logging for one-off commands; ``service_logs`` is for long-running processes."""

import logging

from system.own_code import OWN_PACKAGES


def configure_logging() -> None:
    """Log our own events, and warnings of other libraries, to stderr."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in OWN_PACKAGES:
        logging.getLogger(name).setLevel(logging.INFO)
