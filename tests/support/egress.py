"""What stands on the way to Zoom: proxies that take CONNECT, and TLS before a plain server."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class ConnectProxy:
    """A forward proxy. All names lead to this machine; it keeps what it was sent in clear."""

    login: str | None = None
    """The `user:password` that it asks for."""
    said: bytes | None = None
    """An answer instead of a tunnel; empty: none, and it hangs up."""
    silent: bool = False
    """It takes the request and never answers."""
    opening: bytes = OPEN
    chunked: bool = False
    """Its answer comes a byte at a time."""
    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    tunnels: list[str] = field(default_factory=list)
    """The authorities to which it opened one."""
    up: bytearray = field(default_factory=bytearray)
    """What went through to the other side, as it could be seen here."""
    _cut: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """End all tunnels."""
        self._cut.set()
        self._cut = asyncio.Event()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if self.silent:
            await reader.read()
            return
        if self.said is not None:
            writer.write(self.said)
            await writer.drain()
            return
        if self.login is not None:
            basic = base64.b64encode(self.login.encode())
            if b"\r\nProxy-Authorization: Basic " + basic + b"\r\n" not in head:
                writer.write(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                    b'Proxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
                )
                return
        await self._tunnel(head.split()[1].decode(), reader, writer)

    async def _tunnel(
        self, authority: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        port = int(authority.rpartition(":")[2])
        there, to = await asyncio.open_connection("127.0.0.1", port)
        self.tunnels.append(authority)
        try:
            for part in [bytes([one]) for one in self.opening] if self.chunked else [self.opening]:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            await first_of(pipe(reader, to, self.up), pipe(there, writer), self._cut.wait())
        finally:
            to.transport.abort()


async def first_of(*waiting: Coroutine[Any, Any, object]) -> None:
    """Until one is done; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def pipe(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: bytearray | None = None
) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65_536):
            if seen is not None:
                seen += data
            writer.write(data)
            await writer.drain()


@contextlib.asynccontextmanager
async def serving(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a free port of loopback; gives the port. Talks are ended at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side has gone, or the test has
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@contextlib.asynccontextmanager
async def proxying(
    proxy: ConnectProxy, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ConnectProxy]:
    async with serving(proxy.talk, tls) as port:
        proxy.port = port
        yield proxy


@contextlib.asynccontextmanager
async def tls_front(plain_port: int, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """TLS before a plain server; gives the port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection("127.0.0.1", plain_port)
        try:
            await first_of(pipe(reader, to), pipe(there, writer))
        finally:
            to.transport.abort()

    async with serving(talk, tls) as port:
        yield port
