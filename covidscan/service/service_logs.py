"""Logging for the service: structured lines, never images, names, keys or answers.

Exceptions are logged with their type and where in our code they were raised, but without their
message, which may hold what a client sent. Lines of other libraries are logged without their
arguments.
"""

import asyncio
import faulthandler
import logging
import os
import sys
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from api.observability.log_format import LOGGED_FIELDS, LogFormat
from covidscan.service.repeated_lines import RepeatedLinesFilter
from system.own_code import OWN_PACKAGES, places_in_own_code

_FULLY_LOGGED: Final = (*OWN_PACKAGES, "uvicorn")
"""Loggers whose lines are logged from INFO on, and with their arguments."""


def configure_service_logging(log_format: LogFormat) -> None:
    """Log to stderr: our own events, uvicorn's, and warnings of other libraries."""
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(allow=LOGGED_FIELDS),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _log_exceptions_by_location,
    ]
    handler = logging.StreamHandler()
    handler.addFilter(RepeatedLinesFilter())
    handler.addFilter(_without_arguments)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(log_format),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _FULLY_LOGGED:
        logging.getLogger(name).setLevel(logging.INFO)


def silence_native_libraries() -> None:
    """Keep what C libraries write to stderr out of the log: libpng quotes its input.

    Python's own stderr and crash reports still get there.
    """
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    faulthandler.enable(sys.stderr)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def log_unhandled(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log errors that the event loop reports, without its text: that would quote exceptions."""
    logging.getLogger(__name__).error("error in the event loop", exc_info=context.get("exception"))


def _renderer(log_format: LogFormat) -> Processor:
    if log_format is LogFormat.AUTO:
        log_format = LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON
    if log_format is LogFormat.JSON:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _without_arguments(record: logging.LogRecord) -> bool:
    """Strip arguments from other libraries' warnings: they may quote what a client sent."""
    if record.name.partition(".")[0] not in _FULLY_LOGGED:
        record.args = ()
    return True


def _log_exceptions_by_location(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    exception = event.pop("exc_info", None)
    if exception is True:
        exception = sys.exc_info()
    if isinstance(exception, tuple):
        exception = exception[1]
    if isinstance(exception, BaseException):
        event["exception"] = type(exception).__name__
        event["raised_at"] = places_in_own_code(exception)
    event.pop("stack_info", None)
    return event
