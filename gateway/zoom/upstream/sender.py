"""The body of a request, sent while its answer may already come in."""

import asyncio
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Final, TypeVar

from gateway.core.errors import UpstreamBrokenError
from gateway.zoom.upstream.connection import TURNS_TO_READ, Connection
from gateway.zoom.upstream.head import CHUNKED

GATHER: Final = 65_536
"""Bytes from which a write goes out even though the next chunk is at hand."""

SMALL: Final = 4096
"""Bytes that may wait for the end of a turn of the loop, to leave with those of other calls."""

T = TypeVar("T")


class BodySender:
    """Writes a head and its body. Whatever is at hand at once goes out in one write.

    The body's iterator stays the caller's: it is asked for chunks, never closed.
    """

    __slots__ = (
        "_body",
        "_connection",
        "_left",
        "_pending",
        "_size",
        "_stopped",
        "_task",
        "asked",
    )

    def __init__(
        self, connection: Connection, head: bytes, body: AsyncIterator[bytes], length: int
    ) -> None:
        self._connection = connection
        self._body = body
        self._left = length
        self._pending = [head]
        self._size = len(head)
        self._stopped = False
        self.asked = False
        """Whether the body was asked for a chunk; nothing is written before that."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def done(self) -> bool:
        """Whether nobody uses the body's iterator any more."""
        return self._task.done()

    async def stop(self) -> None:
        """Stop, and return when nobody uses the body's iterator any more."""
        self._stopped = True
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        try:
            await self._send()
        except BaseException as error:
            # After stop() the connection may be another call's.
            if not self._stopped:
                self._connection.fail(error)
            if not isinstance(error, Exception):
                raise

    async def _send(self) -> None:
        connection = self._connection
        if not await connection.writable():
            return
        self.asked = True
        while True:
            try:
                chunk = await eagerly(anext(self._body), self._hold)
            except StopAsyncIteration:
                break
            connection.starved = False
            if not chunk:
                continue
            self._add(chunk)
            if self._size >= GATHER or connection.full:
                if not await connection.writable():
                    return
                self._flush()
                await asyncio.sleep(0)  # a body that is all at hand must not stop the loop
        self._add_end()
        if await connection.writable():
            self._flush()
            connection.touch()

    def _add(self, chunk: bytes) -> None:
        size = len(chunk)
        if self._left == CHUNKED:
            self._pending += (b"%x\r\n" % size, chunk, b"\r\n")
        elif size > self._left:
            raise UpstreamBrokenError("The caller's body is longer than its Content-Length")
        else:
            self._left -= size
            self._pending.append(chunk)
        self._size += size

    def _hold(self) -> None:
        """The caller has no chunk at hand: send what there is."""
        self._flush_when_heard(TURNS_TO_READ)
        self._connection.starved = self._left != 0

    def _flush_when_heard(self, turns: int) -> None:
        if turns and self._connection.unheard:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._flush_when_heard, turns - 1)
        elif not self._stopped:
            self._flush()

    def _add_end(self) -> None:
        if self._left > 0:
            raise UpstreamBrokenError("The caller's body is shorter than its Content-Length")
        if self._left == CHUNKED:
            self._pending.append(b"0\r\n\r\n")
            self._left = 0

    def _flush(self) -> None:
        connection = self._connection
        if self._pending and connection.alive:
            data = b"".join(self._pending)
            # Many slow bodies would wake the other end once for each piece.
            (connection.post if self._size <= SMALL else connection.write)(data)
            connection.touch()
        self._pending.clear()
        self._size = 0
        connection.sent = self._left == 0


@types.coroutine
def eagerly(awaitable: Awaitable[T], on_wait: Callable[[], None]) -> Generator[Any, Any, T]:
    """Await, and call `on_wait` if, and as soon as, that takes a turn of the event loop."""
    steps = awaitable.__await__()
    try:
        waiting = next(steps)
        on_wait()
        while True:
            try:
                yield waiting
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # noqa: BLE001  # all are the awaitable's to handle
                waiting = steps.throw(error)
            else:
                waiting = next(steps)
    except StopIteration as done:
        value: T = done.value
        return value
