"""A caller that writes and reads bytes: nothing is tidied up on the way."""

import asyncio
import contextlib
import json
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

TIMEOUT = 10.0


@dataclass
class Heard:
    """An answer as it came. `complete` tells a proper end from a cut one."""

    status_line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    complete: bool = True

    @property
    def status(self) -> int:
        return int(self.status_line.split(b" ")[1])

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: bytes) -> bytes:
        (value,) = self.values(name)
        return value

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def slug(self) -> str:
        document = self.json()
        assert document["code"] == self.status
        assert document["message"]
        assert self.one(b"content-type") == b"application/json"
        return self.one(b"x-zoom-gateway-error").decode()


class Caller:
    """One connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(
        cls, address: tuple[str, int], *, limit: int = 65536, tls: ssl.SSLContext | None = None
    ) -> "Caller":
        return cls(*await asyncio.open_connection(*address, limit=limit, ssl=tls))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def call(self, data: bytes, *, head: bool = False) -> Heard:
        await self.send(data)
        return await self.hear(head=head)

    async def hear_head(self, patience: float = TIMEOUT) -> Heard:
        async with asyncio.timeout(patience):
            head = await self.reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head[:-4].split(b"\r\n")
        fields = [line.split(b": ", 1) for line in lines]
        return Heard(status_line, [(name, value) for name, value in fields], b"")

    async def hear(self, *, head: bool = False) -> Heard:
        """Read one final answer; `head`: it answers HEAD."""
        heard = await self.hear_head()
        async with asyncio.timeout(TIMEOUT):
            if not head and heard.status not in (204, 304):
                await self._body(heard)
        return heard

    async def _body(self, heard: Heard) -> None:
        try:
            if heard.values(b"transfer-encoding"):
                await self._chunked(heard)
            elif lengths := heard.values(b"content-length"):
                heard.body = await self.reader.readexactly(int(lengths[0]))
            else:
                heard.body = await self.reader.read(-1)
        except asyncio.IncompleteReadError as error:
            heard.body += error.partial
            heard.complete = False
        except ConnectionResetError:
            heard.complete = False

    async def _chunked(self, heard: Heard) -> None:
        while True:
            line = await self.reader.readuntil(b"\r\n")
            if size := int(line, 16):
                heard.body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
            if not size:
                return

    async def ended(self) -> bytes:
        """Read to the connection's end; give what still came."""
        async with asyncio.timeout(TIMEOUT):
            try:
                return await self.reader.read(-1)
            except ConnectionResetError:
                return b""


def request(
    target: bytes = b"/v2/users/me",
    *fields: bytes,
    method: bytes = b"GET",
    body: bytes | None = None,
    version: bytes = b"1.1",
) -> bytes:
    """A call; with a `body` its Content-Length is added."""
    lines = [b"%b %b HTTP/%b" % (method, target, version), b"Host: gateway.test:8080", *fields]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")
