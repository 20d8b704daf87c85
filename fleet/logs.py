"""Log lines for machines (json) or people (console), on standard error: ours, and what libraries have to say.

Every line goes through the same steps, the last of which takes secrets out. A line is written in one go, because
several processes write to the same place.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, Literal, TextIO

import redis.exceptions
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from fleet.errors import FleetError
from fleet.redaction import redact, redact_text

# What happens when a part is away: the line says it, and where in a library it was noticed helps nobody.
_EXPECTED = (FleetError, ConnectionError, redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)
# The loggers of libraries that say at INFO what our own lines say better.
_TOO_CHATTY = ("celery.app.trace", "celery.worker.strategy", "kombu", "httpx", "asyncio", "urllib3", "multiprocessing")
# A longer one is told in parts.
_FOREIGN_LINE_MAX = 4_096

_log = structlog.get_logger(__name__)


def configure_logs(
    level: str, form: Literal["json", "console"], *, expected: tuple[type[BaseException], ...] = (), **always: Any
) -> None:
    """`expected`: what may be raised although nothing is wrong with the program: its lines have a cause, and no
    traceback. `always`: key-values that every line of this process carries.
    """
    number = logging.getLevelNamesMapping()[level]
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _adding(always),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    after: list[Processor] = [
        _naming((*_EXPECTED, *expected)),
        structlog.processors.format_exc_info,
        _redact_line,
        _renderer(form),
    ]
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_lines,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*before, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
    )
    _take_over_libraries(number, formatter)
    sys.excepthook = _on_uncaught
    threading.excepthook = _on_uncaught_in_thread
    sys.unraisablehook = _on_unraisable


class _Lines:
    """Standard error, a whole line at once. Without a lock, so that handlers of signals may log."""

    def msg(self, line: str) -> None:
        self.write(f"{line}\n")

    debug = info = warning = error = critical = exception = log = msg

    # As a file for the handler of the standard library.
    def write(self, text: str) -> int:
        os.write(2, text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        pass


_LINES = _Lines()


def _lines(*_: Any) -> _Lines:
    return _LINES


def _renderer(form: Literal["json", "console"]) -> Any:
    if form == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=os.isatty(2))


def _adding(always: MutableMapping[str, Any]) -> Callable[[WrappedLogger, str, EventDict], EventDict]:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**always, **event}

    return add


def _naming(expected: tuple[type[BaseException], ...]) -> Processor:
    def name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        given = event.get("exc_info")
        error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
        # Celery hands over its own wrapping of an error, with the type of what is in it.
        kind = given[0] if isinstance(given, tuple) else type(error)
        if kind is not None and issubclass(kind, expected):
            del event["exc_info"]
            event.setdefault("cause", f"{kind.__name__}: {error}")
        return event

    return name


def _redact_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    redacted: EventDict = redact(event)
    return redacted


def _take_over_libraries(level: int, formatter: logging.Formatter) -> None:
    handler = logging.StreamHandler(_LINES)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _TOO_CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)


def log_lines_of(source: TextIO, *, program: str) -> None:
    """What another program writes, as lines of this log, until it ends."""
    while line := source.readline(_FOREIGN_LINE_MAX):
        if text := line.rstrip():
            _log.warning(text, logger=program)


def _on_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _log.warning("interrupted")
        return
    _log.critical("ended by a defect", exc_info=(kind, error, trace))


def _on_uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is None:
        return
    name = given.thread.name if given.thread else None
    _log.critical(
        "thread ended by a defect", thread=name, exc_info=(given.exc_type, given.exc_value, given.exc_traceback)
    )


def _on_unraisable(given: "sys.UnraisableHookArgs") -> None:
    message = redact_text(given.err_msg or "exception ignored")
    _log.error(message, of=repr(given.object), exc_info=given.exc_value)
