"""Sets logging up: one line an event, JSON for machines or text for people.

structlog writes ours; what libraries send to `logging` comes out in the same form, without the
texts they filled in, which may quote a header.
"""

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from json import JSONEncoder
from typing import IO, Any, Final, Literal

from gateway.observe.fields import Shape
from gateway.observe.plain_structlog import (
    EventDict,
    FilteringBoundLogger,
    WrappedLogger,
    structlog,
)
from gateway.observe.sink import Sink
from gateway.observe.uncaught import words

LogFormat = Literal["json", "console"]
Level = Literal["debug", "info", "warning", "error"]

_KNOWN: Final = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)


def configure(
    log_format: LogFormat,
    level: Level,
    stream: IO[Any] | None = None,
    wall: Callable[[], float] = time.time,
) -> FilteringBoundLogger:
    """Send all logs of the process to `stream`, from `level` up; give the logger.

    Without a `stream`, to standard error. `wall` gives seconds since the epoch. Libraries are
    heard from warning up at the earliest.
    """
    stream = sys.stderr if stream is None else stream
    sink = Sink(stream)
    render = _render_json if log_format == "json" else _console(colors=_is_terminal(stream))
    structlog.configure(
        processors=[Shape(lambda: _stamp(wall()), lambda: sink.lost), render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=True,
    )
    # Bound once: the lazy proxy would look itself up for each line.
    log: FilteringBoundLogger = structlog.get_logger().bind()
    _route_libraries(log, max(logging.getLevelNamesMapping()[level.upper()], logging.WARNING))
    return log


def _stamp(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


_encode: Final = JSONEncoder(separators=(",", ":"), check_circular=False).encode


def _render_json(logger: WrappedLogger, method: str, fields: EventDict) -> bytes:
    del logger, method
    return _encode(fields).encode("ascii")


def _console(*, colors: bool) -> Callable[[WrappedLogger, str, EventDict], bytes]:
    renderer = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False, pad_event_to=0)

    def render(logger: WrappedLogger, method: str, fields: EventDict) -> bytes:
        # People read the sentence; the event's name is for machines.
        fields["event"] = fields.pop("message", fields["event"])
        shown = {name: _printable(value) for name, value in fields.items()}
        return renderer(logger, method, shown).encode("utf-8", "backslashreplace")

    return render


def _printable(value: object) -> object:
    """No text of a server or caller steers the terminal."""
    if isinstance(value, str) and not value.isprintable():
        return "".join(one if one.isprintable() else "\N{MIDDLE DOT}" for one in value)
    return value


def _is_terminal(stream: IO[Any]) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


class _Router(logging.Handler):
    """From `logging` to the same lines."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        level = next((known for known in _KNOWN if record.levelno >= known), logging.DEBUG)
        fields: dict[str, Any] = {"logger": record.name, "message": words(record)}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        self._log.log(level, "library", **fields)


def _route_libraries(log: FilteringBoundLogger, level: int) -> None:
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Router)]:
        root.removeHandler(handler)
    root.addHandler(_Router(log))
    root.setLevel(level)
