"""What commands log and how; ``service_logs`` is for what keeps running."""

import logging


def configure_logging() -> None:
    """Log our own events, and other libraries' warnings, to stderr."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in ("api", "covidscan", "imaging", "serving", "trainer"):
        logging.getLogger(name).setLevel(logging.INFO)
