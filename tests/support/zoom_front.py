"""Zoom's hosts under their own names: TLS before a simulator, on a port of loopback."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.egress import first_of, pipe, serving


@dataclass
class Front:
    """What came to it: the heads of the first calls of its connections."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def zoom_front(sim: str, tls: ssl.SSLContext) -> AsyncIterator[Front]:
    """Serve until the end of the block; the simulator behind it is at `sim`."""
    front = Front()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        front.heads.append(head)
        there, to = await asyncio.open_connection("127.0.0.1", urlsplit(sim).port)
        try:
            to.write(head)
            await first_of(pipe(reader, to), pipe(there, writer))
        finally:
            to.transport.abort()

    async with serving(talk, tls) as front.port:
        yield front
