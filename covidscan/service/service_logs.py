"""What the service logs and how: structured lines, never images, names, keys or answers.

Of an exception its type and where in the code it was raised are told, but not its message, which
may hold what a client sent; of other libraries' lines the text without what was put into it.
"""

import asyncio
import faulthandler
import logging
import os
import sys
import traceback
from types import TracebackType
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from api.observability.log_format import LOGGED_FIELDS, LogFormat
from covidscan.service.repeated_lines import RepeatedLinesFilter

_OWN: Final = ("api", "covidscan", "imaging", "serving", "trainer")
_TOLD: Final = (*_OWN, "uvicorn")
"""Whose lines are logged from INFO on, and with what was put into them."""


def configure_service_logging(log_format: LogFormat) -> None:
    """Log to stderr: our own events and uvicorn's, and other libraries' warnings."""
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(allow=LOGGED_FIELDS),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_exceptions_by_place,
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
    for name in _TOLD:
        logging.getLogger(name).setLevel(logging.INFO)


def silence_native_libraries() -> None:
    """Keep what libraries in C write to stderr out of the log: libpng quotes what it reads.

    Python's own stderr, and what is told of a crash, still get there.
    """
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    faulthandler.enable(sys.stderr)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def log_unhandled(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what an event loop reports, whose own text would hold exceptions' messages."""
    logging.getLogger(__name__).error(
        "an error in the event loop", exc_info=context.get("exception")
    )


def _renderer(log_format: LogFormat) -> Processor:
    if log_format is LogFormat.AUTO:
        log_format = LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON
    if log_format is LogFormat.JSON:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _without_arguments(record: logging.LogRecord) -> bool:
    """Other libraries' warnings may quote what a client sent."""
    if record.name.partition(".")[0] not in _TOLD:
        record.args = ()
    return True


def _tell_exceptions_by_place(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    exception = event.pop("exc_info", None)
    if exception is True:
        exception = sys.exc_info()
    if isinstance(exception, tuple):
        exception = exception[1]
    if isinstance(exception, BaseException):
        event["exception"] = type(exception).__name__
        event["raised_at"] = _places(exception.__traceback__)
    event.pop("stack_info", None)
    return event


def _places(trace: TracebackType | None) -> list[str]:
    """``module:line`` of our own code, the innermost last."""
    return [
        f"{frame.f_globals['__name__']}:{line}"
        for frame, line in traceback.walk_tb(trace)
        if frame.f_globals.get("__name__", "").partition(".")[0] in _OWN
    ]
