"""An API that answers at once and costs little, so that a test sees the gateway's own limits.

A process of its own: `python -m tests.support.plain_api` prints its URL. A path that ends in
`/large` gets 16 MB, every other a short answer once the body is there; tokens are not checked.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, cast

import uvloop

from tests.support.processes import Process, environment

PIECE: Final = bytes(65_536)
PIECES: Final = 256
SHORT: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
LARGE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (PIECES * len(PIECE))
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Answering(asyncio.Protocol):
    def __init__(self) -> None:
        self._got = b""
        self._due = 0
        """Bytes of a body that are still to come."""
        self._pieces = 0
        self._paused = False
        self._transport = cast(asyncio.Transport, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._due:
            self._due -= len(data)
            if self._due == 0:
                self._transport.write(SHORT)
            return
        head, end, body = (self._got + data).partition(b"\r\n\r\n")
        if not end:
            self._got = head
            return
        self._got = b""
        length = _LENGTH.search(head)
        self._due = int(length[1]) - len(body) if length else 0
        if head.split(b" ", 2)[1].endswith(b"/large"):
            self._pieces = PIECES
            self._transport.write(LARGE)
            self._go_on()
        elif not self._due:
            self._transport.write(SHORT)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._go_on()

    def _go_on(self) -> None:
        while self._pieces and not self._paused:
            self._pieces -= 1
            self._transport.write(PIECE)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answering, "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201
    await server.serve_forever()


@asynccontextmanager
async def plain_api() -> AsyncIterator[str]:
    """Start it; give its URL."""
    program = (sys.executable, "-m", "tests.support.plain_api")
    child = await Process.start(env=environment(), program=program)
    try:
        yield (await child.wait_for_line("http://")).strip()
    finally:
        await child.kill()


if __name__ == "__main__":
    uvloop.run(_serve())
