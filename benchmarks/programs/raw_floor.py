"""The least that a proxy in Python can do: httptools on uvloop, and no semantics at all.

Bytes go through as they come, with an Authorization put into each head; a caller's connection has
one of its own to the upstream. It checks nothing. Arguments: port, upstream.
"""

import asyncio
import sys
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import uvloop

PORT, UPSTREAM = int(sys.argv[1]), urlsplit(sys.argv[2])
HOST, _, AT = UPSTREAM.netloc.rpartition(":")
FIELD = b"\r\nAuthorization: Bearer a-fixed-token\r\n\r\n"


class Upward(asyncio.Protocol):
    def __init__(self, caller: asyncio.Transport) -> None:
        self._caller = caller
        self._parser: Any = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        self._caller.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._caller.close()


class Downward(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._caller = cast(asyncio.Transport, transport)
        self._upstream: asyncio.Transport | None = None
        self._early = b""
        self._parser: Any = httptools.HttpRequestParser(self)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        made, _ = await asyncio.get_running_loop().create_connection(
            lambda: Upward(self._caller), HOST, int(AT)
        )
        self._upstream = made
        if self._early:
            self._upstream.write(self._early)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        head, _, body = data.partition(b"\r\n\r\n")
        if self._upstream is None:
            self._early += head + FIELD + body
        else:
            self._upstream.write(head + FIELD + body)

    def connection_lost(self, _: Exception | None) -> None:
        self._connecting.cancel()
        if self._upstream is not None:
            self._upstream.close()


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Downward, "127.0.0.1", PORT)
    await server.serve_forever()


uvloop.run(serve())
