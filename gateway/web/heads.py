"""How much of a header has come that is not complete.

Also while the call before it is in hand: a header that a caller sends ahead is kept by the parser,
and would be kept for as long as the connection is.
"""

from collections.abc import Iterable
from typing import Any, Final

from aiohttp.streams import StreamReader

_END: Final = b"\r\n\r\n"
"""Of a header, and of a chunked body. None is in a header that is not complete."""

_LINE_ENDS: Final = b"\r\n"
"""Before a call they are nothing of it."""


class HeadMeter:
    """Sees the bytes of one connection before and after the parser does.

    `size` is in bytes, never more than have come; `begun` says that they are more than line ends.
    """

    __slots__ = ("_body", "_calls", "_fed", "begun", "size")

    def __init__(self) -> None:
        self.size = 0
        self.begun = False
        self._calls = 0
        self._body: StreamReader | None = None
        """Of the call that came last, while it is being received."""
        self._fed = 0

    def none(self) -> None:
        """The bytes that came last ended with the end of a header."""
        self.size, self.begun = 0, False

    def before(self, calls: int, body: StreamReader | None) -> None:
        """So many `calls` came, the last of them with this `body`."""
        self._calls = calls
        self._body = None if body is None or body.is_eof() else body
        self._fed = 0 if self._body is None else self._body.total_bytes

    def after(self, calls: int, body: StreamReader | None, data: bytes) -> None:
        """The same, when the parser has taken `data`."""
        if calls == self._calls and self._body is None:
            self._count(data)
            return
        self.none()
        if body is None or body.is_eof():
            self._count(data[self._behind(calls, body, data) :])

    def _behind(self, calls: int, body: StreamReader | None, data: bytes) -> int:
        """Where in `data` the last call has ended, or further on."""
        end = data.rfind(_END) + 1
        end += len(_END) - 1 if end else 0
        fed = 0 if body is None else body.total_bytes
        return end + fed if calls != self._calls else max(end, fed - self._fed)

    def _count(self, data: bytes) -> None:
        self.size += len(data)
        self.begun = self.begun or bool(data.strip(_LINE_ENDS))


def size_of(calls: Iterable[tuple[Any, StreamReader]]) -> int:
    """The bytes of the header fields of calls that wait."""
    return sum(
        len(name) + len(value)
        for message, _ in calls
        for name, value in getattr(message, "raw_headers", ())
    )
