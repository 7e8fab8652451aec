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

from gateway.observe.call_line import KEY, expand, json_line
from gateway.observe.fields import Shape
from gateway.observe.plain_structlog import (
    EventDict,
    FilteringBoundLogger,
    WrappedLogger,
    structlog,
)
from gateway.observe.sink import Sink
from gateway.observe.uncaught import words
from gateway.reports import CallReport

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
    json = Json(shape)
    structlog.configure(
        processors=[json]
        if log_format == "json"
        else [expand, shape, _console(colors=_is_terminal(stream))],
        wrapper_class=_bound_logger(level, json, sink)
        if log_format == "json"
        else structlog.make_filtering_bound_logger(level),
        context_class=dict,
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=True,
    )
    # Bound once: the lazy proxy would look itself up for each line.
    log: FilteringBoundLogger = structlog.get_logger().bind()
    _route_libraries(log, max(logging.getLevelNamesMapping()[level.upper()], logging.WARNING))
    return log


CallWriter = Callable[[str, CallReport, float | None], None]
"""Writes a call's line: its level, the report, and the share of calls it stands for, if any."""


def call_writer(log: FilteringBoundLogger) -> CallWriter:
    """Give what writes the lines of calls to `log`, which takes them."""
    quick: CallWriter | None = getattr(log, "write_call", None)
    if quick is not None:
        return quick

    def write(level: str, report: CallReport, sample_rate: float | None) -> None:
        told: dict[str, Any] = {KEY: report}
        if sample_rate is not None:
            told["sample_rate"] = sample_rate
        getattr(log, level)("call", **told)

    return write


def _bound_logger(level: Level, json: "Json", sink: Sink) -> type[FilteringBoundLogger]:
    base = structlog.make_filtering_bound_logger(level)
    shape, stamp = json.shape, json.shape.stamp

    class BoundLogger(base):  # type: ignore[misc, valid-type]  # a class that is made at run time
        @staticmethod
        def write_call(level: str, report: CallReport, sample_rate: float | None) -> None:
            """The line of a call without the machinery for all others, which costs four times
            as much. Whether it is written is for who asks to say.
            """
            if sink.lost == shape.lost_told:
                line = json_line(stamp(), level, report, sample_rate)
            else:
                line = json.of_call(level, report, sample_rate)
            if level == "info":
                sink.gather(line)
            else:
                sink.msg(line)

    return BoundLogger


def flush() -> None:
    """Write what waits for more lines: the process may end."""
    if _sink is not None:
        _sink.flush()


atexit.register(flush)


class Stamp:
    """The time as lines have it. `wall` gives seconds since the epoch."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._begin = 0
        """Of the second that `_text` names, in milliseconds."""
        self._text = _seconds(0)
        self._moment = 0
        self._last = f"{self._text}.000Z"
        """What was given last, for `_moment`."""

    def __call__(self) -> str:
        moment = round(self._wall() * 1e6) // 1000
        if moment == self._moment:
            return self._last
        since = moment - self._begin
        if not 0 <= since < 1000:  # noqa: PLR2004  milliseconds of a second
            since = moment % 1000
            self._begin = moment - since
            self._text = _seconds(self._begin // 1000)
        self._moment = moment
        self._last = stamp = f"{self._text}.{since:03d}Z"
        return stamp


def _seconds(wall: int) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S")


_encode: Final = JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Json:
    """The only processor where lines are JSON: it must cost little."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def __call__(self, logger: WrappedLogger, method: str, fields: EventDict) -> bytes:
        return _encode(self.shape(logger, method, fields)).encode("ascii")

    def of_call(self, level: str, report: CallReport, sample_rate: float | None) -> bytes:
        """The line of a call, at the least cost."""
        shape = self.shape
        if not shape.has_news:
            return json_line(shape.stamp(), level, report, sample_rate)
        fields: EventDict = {"event": "call", KEY: report}
        if sample_rate is not None:
            fields["sample_rate"] = sample_rate
        return self(None, level, expand(None, level, fields))


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
