"""An upstream that keeps every byte it is sent, and answers what its own strict reading finds."""

import asyncio
import contextlib
from typing import Final, Self

from tests.support.strict_http import MalformedError, Message, read_requests

_FORBIDDEN: Final = (
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"upgrade",
    b"expect",
    b"cookie",
    b"x-zoom-account",
    b"http2-settings",
    b"x-forwarded-for",
)


def echo(method: bytes, target: bytes, body: bytes) -> bytes:
    """The body of the answer to such a request: it says whose answer it is."""
    return method + b" " + target + b"\n" + body


class Recorder:
    """Listens on loopback. `faults` says what no careful proxy would have written.

    With `early`, a request is answered 413 as soon as its head is there.
    """

    def __init__(self, *, host: bytes, token: bytes, early: bool = False) -> None:
        self._host = host
        self._token = token
        self._early = early
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections: list[bytearray] = []
        """The bytes of each connection, as they came."""
        self.requests: list[Message] = []
        """Complete ones, in the order in which they ended."""
        self.partial = 0
        """Connections that ended in the middle of a request."""
        self.faults: list[str] = []
        self.url = ""

    @property
    def open(self) -> int:
        """Connections whose end was not seen yet."""
        return len(self._writers)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()
        while self._writers:
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        record = bytearray()
        self.connections.append(record)
        answered = 0
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(65_536):
                    record += data
                    answered = self._answer(record, answered, writer)
            self.partial += bool(read_requests(bytes(record))[1])
        except MalformedError as error:
            self.faults.append(f"{error} in {bytes(record)!r}")
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    def _answer(self, record: bytearray, answered: int, writer: asyncio.StreamWriter) -> int:
        found, rest = read_requests(bytes(record))
        for request in found[answered:]:
            self._check(request)
            self.requests.append(request)
            if not self._early:
                body = echo(request.start[0], request.start[1], request.body)
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                writer.write(head if request.start[0] == b"HEAD" else head + body)
        heads = len(found) + (b"\r\n\r\n" in rest)
        if self._early:
            writer.write(
                b"HTTP/1.1 413 Early\r\nContent-Length: 5\r\n\r\nearly" * (heads - answered)
            )
        return heads if self._early else len(found)

    def _check(self, request: Message) -> None:
        if request.values(b"host") != [self._host]:
            raise MalformedError(f"Host {request.values(b'host')}")
        if request.values(b"authorization") != [self._token]:
            raise MalformedError(f"Authorization {request.values(b'authorization')}")
        found = [name for name in _FORBIDDEN if request.values(name)]
        if found:
            raise MalformedError(f"fields of the hop, or of the house: {found}")
