"""The answer on its way to the caller: raw, unbuffered, with backpressure."""

import asyncio
from collections.abc import Sequence
from typing import Final

from gateway.core.errors import UpstreamBrokenError
from gateway.core.headers import CHUNKED, Field
from gateway.web.wire import CallerGoneError, Wire

_CLOSE: Final = b"Connection: close"
_KEEP: Final = b"Connection: keep-alive"
_CHUNKED: Final = b": ".join(CHUNKED)

_EMPTY: Final = frozenset({204, 304})
"""Statuses whose answers have no body (RFC 9112 section 6.3)."""

_NO_CONTENT: Final = 204

_CORKED_LIMIT: Final = 64 * 1024


class Answer:
    """Writes one answer: `begin`, `write` as often as there is something, `end`.

    What is written in one turn of the loop leaves together, and never later: a short answer
    is one packet, a slow one is not held up.
    """

    __slots__ = (
        "_chunked",
        "_connection",
        "_flushed",
        "_flushing",
        "_http11",
        "_is_head",
        "_left",
        "_pending",
        "_pending_size",
        "ended",
        "keep_alive",
        "sent",
        "status",
    )

    def __init__(self, connection: Wire, *, is_head: bool, http11: bool, keep_alive: bool) -> None:
        """`keep_alive`: whether the connection may carry another call."""
        self._connection = connection
        self._is_head = is_head
        self._http11 = http11
        self._chunked = False
        self._left: int | None = None
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._flushing: asyncio.Handle | None = None
        self._flushed = False
        self.keep_alive = keep_alive
        self.status = 0
        """0 until the answer began."""
        self.sent = 0
        """Bytes of the body."""
        self.ended = False

    def begin(
        self,
        status: int,
        reason: bytes,
        fields: Sequence[Field],
        length: int | None,
        lines: Sequence[bytes] = (),
    ) -> bool:
        """Write the head; tell whether a body must follow.

        `lines` are fields, too, `name: value` each; they come first. Among all is a
        `Content-Length` if `length` is not None, and no other framing.
        """
        self._queue(self._head(status, reason, fields, length, lines))
        return not self._is_head and status not in _EMPTY

    def whole(
        self,
        status: int,
        reason: bytes,
        fields: Sequence[Field],
        length: int | None,
        body: bytes,
        lines: Sequence[bytes] = (),
    ) -> None:
        """`begin`, `push` and `end` at once, for an answer that is at hand as a whole.

        Nothing is scheduled for it alone: it leaves before this returns, or, if the connection
        stays, with what others have to say in this turn of the loop. Raises as they do.
        """
        head = self._head(status, reason, fields, length, lines)
        if self._is_head or status in _EMPTY:
            body = b""
        size = len(body)
        if self._left is not None and self._left != size:
            fault = "shorter" if size < self._left else "longer"
            raise UpstreamBrokenError(f"the answer is {fault} than it said")
        self._left = 0
        self.sent = size
        if self._chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, body) if body else b"0\r\n\r\n"
        self._flushed = True
        (self._connection.post if self.keep_alive else self._connection.send)(head + body)
        self.ended = True

    def _head(
        self,
        status: int,
        reason: bytes,
        fields: Sequence[Field],
        length: int | None,
        lines: Sequence[bytes],
    ) -> bytes:
        """Settle how the body is framed; give the head."""
        lines = [*lines]
        for name, value in fields:
            lines.append(name + b": " + value)
        if status == _NO_CONTENT and length is not None:
            lines = [line for line in lines if not line.lower().startswith(b"content-length:")]
        if self._is_head or status in _EMPTY:
            self._left = 0
        elif length is not None:
            self._left = length
        elif self._http11:
            self._chunked = True
            lines.append(_CHUNKED)
        else:
            self.keep_alive = False
        if not self.keep_alive:
            lines.append(_CLOSE)
        elif not self._http11:
            lines.append(_KEEP)
        self.status = status
        return b"HTTP/1.1 %d %b\r\n%b\r\n\r\n" % (status, reason, b"\r\n".join(lines))

    async def write(self, chunk: bytes) -> None:
        """Write a piece of the body, waiting while the caller is slow.

        Raises CallerGoneError, and UpstreamBrokenError if it exceeds the length.
        """
        if self.push(chunk):
            await self.drained()

    async def drained(self) -> None:
        """Wait while the caller is slow. Raises CallerGoneError."""
        await self._connection.drained()

    def push(self, chunk: bytes) -> bool:
        """Write a piece of the body; tell whether the caller is slow. Raises as `write` does."""
        size = len(chunk)
        if not size:
            return False
        if self._left is not None:
            if size > self._left:
                raise UpstreamBrokenError("the answer is longer than it said")
            self._left -= size
        self.sent += size
        self._queue(b"%x\r\n%b\r\n" % (size, chunk) if self._chunked else chunk)
        return self._connection.writing_paused

    def end(self) -> None:
        """Write the proper end. Raises UpstreamBrokenError if the body is too short."""
        if self._left:
            raise UpstreamBrokenError("the answer is shorter than it said")
        if self._chunked:
            self._queue(b"0\r\n\r\n")
        self._flush()
        self.ended = True

    def retract(self) -> bool:
        """Take back an answer of which no byte has left; tell whether that is so."""
        if self._flushed:
            return False
        self._drop()
        self._chunked, self._left = False, None
        self.status = self.sent = 0
        return True

    def abort(self) -> None:
        """Cut the connection so that no caller takes the answer for complete."""
        self._drop()
        self.keep_alive = False
        # Without a length only a reset tells a cut body from a complete one.
        self._connection.cut(reset=self._left is None and not self._chunked)

    def _queue(self, data: bytes) -> None:
        self._pending.append(data)
        self._pending_size += len(data)
        if self._pending_size > _CORKED_LIMIT:
            self._flush()
        elif self._flushing is None:
            self._flushing = self._connection.loop.call_soon(self._flush_quietly)

    def _flush(self) -> None:
        pending = self._pending
        if pending:
            data = pending[0] if len(pending) == 1 else b"".join(pending)
            self._drop()
            self._flushed = True
            self._connection.send(data)

    def _flush_quietly(self) -> None:
        try:
            self._flush()
        except CallerGoneError:
            self._connection.cut(reset=False)

    def _drop(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._pending = []
        self._pending_size = 0
