"""Sets logging up: one line an event, JSON for machines or text for people.

structlog writes ours; what libraries send to `logging` comes out in the same form, without the
texts they filled in, which may quote a header.
"""

import atexit
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from json import JSONEncoder
from typing import IO, Any, Final, Literal

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from gateway.observe.call_line import KEY, expand, json_line
from gateway.observe.fields import Shape
from gateway.observe.sink import Sink
from gateway.observe.uncaught import words
from gateway.ports import CallReport

LogFormat = Literal["json", "console"]
Level = Literal["debug", "info", "warning", "error"]

_KNOWN: Final = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)


_sink: Sink | None = None
"""Of the log that was set up last."""


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
    global _sink  # noqa: PLW0603  a process has one log, as it has one standard error
    stream = sys.stderr if stream is None else stream
    flush()
    _sink = sink = Sink(stream)
    shape = Shape(Stamp(wall), lambda: sink.lost)
    structlog.configure(
        processors=[Json(shape)]
        if log_format == "json"
        else [expand, shape, _console(colors=_is_terminal(stream))],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=True,
    )
    # Bound once: the lazy proxy would look itself up for each line.
    log: FilteringBoundLogger = structlog.get_logger().bind()
    _route_libraries(log, max(logging.getLevelNamesMapping()[level.upper()], logging.WARNING))
    return log


def flush() -> None:
    """Write what waits for more lines: the process may end."""
    if _sink is not None:
        _sink.flush()


atexit.register(flush)


class Stamp:
    """The time as lines have it. `wall` gives seconds since the epoch."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._second = 0
        self._text = _seconds(0)

    def __call__(self) -> str:
        second, millisecond = divmod(round(self._wall() * 1e6) // 1000, 1000)
        if second != self._second:
            self._text, self._second = _seconds(second), second
        return f"{self._text}.{millisecond:03d}Z"


def _seconds(wall: int) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S")


_encode: Final = JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Json:
    """The only processor where lines are JSON: it must cost little."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def __call__(self, logger: WrappedLogger, method: str, fields: EventDict) -> bytes:
        report = fields.get(KEY)
        shape = self._shape
        if type(report) is CallReport and not shape.has_news:
            return json_line(shape.stamp(), method, report, fields.get("sample_rate"))
        return _encode(shape(logger, method, expand(logger, method, fields))).encode("ascii")


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
