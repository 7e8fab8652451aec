"""A TCP proxy of the test's own: it delays, holds, swallows and cuts what goes through it."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Way = Literal["up", "down"]
"""`up` is towards the server."""

CHUNK = 65536

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset at once."""


class Hold:
    """Stalls the first connection through which `pattern` goes, before the bytes that end it."""

    def __init__(self, pattern: bytes, way: Way) -> None:
        self.pattern = pattern
        self.way = way
        self.reached = asyncio.Event()
        self.dropped = False
        self._over = asyncio.Event()

    def release(self) -> None:
        """Let what was held go on; let go what comes."""
        self._over.set()

    def drop(self) -> None:
        """Reset the connection that is held: what was held never arrives."""
        self.dropped = True
        self._over.set()

    async def meet(self, way: Way, seen: bytes) -> None:
        if way != self.way or self.pattern not in seen or self.reached.is_set():
            return
        self.reached.set()
        await self._over.wait()
        if self.dropped:
            raise ConnectionResetError


class TcpProxy:
    """In front of one server. All may change while it runs; delays are seconds per direction."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self.port = 0
        self.delay: dict[Way, float] = {"up": 0.0, "down": 0.0}
        self._holds: list[Hold] = []
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def hold(self, pattern: bytes, way: Way = "up") -> Hold:
        """A new hold, in force until it is released or dropped."""
        self._holds.append(Hold(pattern, way))
        return self._holds[-1]

    def cut(self) -> None:
        """Reset every connection, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            _reset(writer)

    def blackhole(self) -> None:
        """Accept connections and bytes, and pass on nothing."""
        self._open.clear()

    async def heal(self) -> None:
        """End what `cut` or `blackhole` began; what was swallowed goes on its way."""
        self._open.set()
        if self._server is None:
            await self.listen()

    async def close(self) -> None:
        self.cut()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._join(reader, writer)
            writer.close()
        except OSError:  # either side has gone, so the other is to know
            _reset(writer)
        finally:
            self._writers.discard(writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        self._writers.add(back)
        pumps = [
            asyncio.create_task(self._pump("up", reader, back)),
            asyncio.create_task(self._pump("down", there, writer)),
        ]
        try:
            # Neither protocol spoken here goes on when one side has ended.
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for one in pumps:
                one.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._writers.discard(back)
            back.close()

    async def _pump(
        self, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        tail = b""
        while chunk := await source.read(CHUNK):
            seen = tail + chunk
            for hold in tuple(self._holds):
                await hold.meet(way, seen)
            longest = max((len(hold.pattern) for hold in self._holds), default=1)
            tail = seen[-longest:]
            if self.delay[way]:
                await asyncio.sleep(self.delay[way])
            await self._open.wait()
            sink.write(chunk)
            await sink.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    wire = writer.get_extra_info("socket")
    if wire is not None and wire.fileno() >= 0:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


@asynccontextmanager
async def tcp_proxy(host: str, port: int) -> AsyncIterator[TcpProxy]:
    proxy = TcpProxy(host, port)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
