"""A server that says and hears raw bytes, and a runner that finds what a test leaves behind."""

import asyncio
import contextlib
import functools
import gc
import inspect
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Self

import pytest
import uvloop

from gateway.ports import UpstreamAnswer, UpstreamRequest
from gateway.zoom.tls import Trust

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def on_every_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on each loop; fail on tasks, sockets and exceptions left behind."""

    @functools.wraps(test)
    def run(*, loop_name: str, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop_name]) as runner:
            runner.run(_watched(test(**kwargs)))

    signature = inspect.signature(test)
    loop_name = inspect.Parameter("loop_name", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by pytest
        parameters=[*signature.parameters.values(), loop_name], return_annotation=None
    )
    decorated: Callable[..., None] = pytest.mark.parametrize("loop_name", LOOPS)(run)
    return decorated


async def _watched(test: Coroutine[Any, Any, None]) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
    async with asyncio.timeout(10):
        await test
    await eventually(lambda: asyncio.all_tasks() == {asyncio.current_task()})
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def eventually(condition: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 5
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.001)


class Talk:
    """One connection, from the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def head(self) -> bytes:
        return await self._reader.readuntil(b"\r\n\r\n")

    async def read(self, size: int) -> bytes:
        return await self._reader.readexactly(size)

    async def some(self, size: int) -> bytes:
        return await self._reader.read(size)

    async def until(self, end: bytes) -> bytes:
        return await self._reader.readuntil(end)

    async def closed(self) -> None:
        """Return when the other side has closed."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(65_536):
                pass

    async def say(self, *parts: bytes) -> None:
        for part in parts:
            self._writer.write(part)
            await self._writer.drain()

    async def hang_up(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()

    async def reset(self) -> None:
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def shrink(self) -> None:
        """Read no further ahead than a few KiB."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


Script = Callable[[Talk, int], Awaitable[None]]
"""What to do with a connection; they are numbered from 1. It is closed at the end."""


class Peer:
    """Listens on loopback and plays a script; what goes wrong in it fails the test."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._errors: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self._tls, limit=1 << 20
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: object, *_rest: object) -> None:
        for _ in range(5):  # asyncio forgets a connection that it accepts while it closes
            await asyncio.sleep(0)
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if kind is None:
            assert self._errors == []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._script(Talk(reader, writer), self.connections)
        except asyncio.CancelledError:
            pass
        except asyncio.IncompleteReadError as error:
            if error.partial:  # otherwise the other side hung up between two calls
                self._errors.append(error)
        except Exception as error:  # noqa: BLE001  # shown by __aexit__
            self._errors.append(error)
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if writer.transport.is_closing() else writer.close()


def trusting(context: ssl.SSLContext | None) -> Trust | None:
    return None if context is None else lambda: context


def answering(*answers: bytes) -> Script:
    """On every connection: for each answer, hear a head without a body, then say it."""

    async def script(talk: Talk, _: int) -> None:
        for answer in answers:
            await talk.head()
            await talk.say(answer)
        await talk.closed()

    return script


def get(target: bytes = b"/v2/users/me", method: str = "GET") -> UpstreamRequest:
    return UpstreamRequest(method, target, ((b"Host", b"api.zoom.us"),))


def post(
    body: AsyncIterator[bytes], length: int | None = None, method: str = "POST"
) -> UpstreamRequest:
    """With `Content-Length`, or chunked if there is no length."""
    framing = (b"Transfer-Encoding", b"chunked")
    if length is not None:
        framing = (b"Content-Length", b"%d" % length)
    return UpstreamRequest(method, b"/v2/x", ((b"Host", b"api.zoom.us"), framing), body)


async def chunks_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read_all(answer: UpstreamAnswer) -> bytes:
    return b"".join([chunk async for chunk in answer.chunks()])


async def read_and_close(answer: UpstreamAnswer) -> bytes:
    try:
        return await read_all(answer)
    finally:
        await answer.close()
