"""What nobody can read is answered without its text."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.web import sockets
from gateway.web.admin import HEADERS
from gateway.web.admin_server import AdminServer
from tests.observe.charts import healthy
from tests.support.raw_http import Caller
from tests.web.test_admin import sources

CANARY = "canary-93c2-unreadable"


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    listening = sockets.listen("127.0.0.1", 0)
    server = AdminServer(sources({"default": healthy()}))
    await server.serve(listening)
    yield sockets.bound(listening)
    await server.close()


REQUESTS = {
    "no field": f"GET /livez HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {CANARY}\r\n\r\n",
    "no method": f"{CANARY}= /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": f"GET /livez?{CANARY} HTTP/9.9\r\nHost: x\r\n\r\n",
    "no length": f"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: {CANARY}\r\n\r\n",
    "too long": f"GET /livez HTTP/1.1\r\nHost: x\r\nX: {CANARY * 1000}\r\n\r\n",
}


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("what", REQUESTS)
async def test_what_cannot_be_read_is_not_quoted(
    address: tuple[str, int], what: str, *, debug: bool
) -> None:
    # In debug mode the library would answer with a traceback.
    asyncio.get_running_loop().set_debug(debug)
    async with await Caller.connect(address) as caller:
        caller.writer.write(REQUESTS[what].encode())
        async with asyncio.timeout(20):
            text = (await caller.reader.read()).decode("latin-1")
    head, _, body = text.partition("\r\n\r\n")
    assert body == "400 Bad Request\n"
    assert f"Server: {HEADERS['Server']}\r\n" in head
    assert "Content-Security-Policy" in head
    assert CANARY not in text
    assert "aiohttp" not in text
    assert "Traceback" not in text
