"""Who holds connections to the admin port keeps nobody out, and takes no more than a few."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from gateway.web import sockets
from gateway.web.admin_server import MOST, AdminServer
from tests.observe.charts import healthy
from tests.support.raw_http import Caller, request
from tests.web.test_admin import sources

BEGUN = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "
STREAM = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    listening = sockets.listen("127.0.0.1", 0)
    server = AdminServer(sources({"default": healthy()}))
    await server.serve(listening)
    yield sockets.bound(listening)
    await server.close()


async def still_open(callers: list[Caller]) -> int:
    """How many of them are, a moment later; a stream's bytes are read and dropped."""

    async def ends(caller: Caller) -> bool:
        try:
            async with asyncio.timeout(0.5):
                while await caller.reader.read(1 << 16):
                    pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    return sum(not ended for ended in await asyncio.gather(*map(ends, callers)))


@pytest.mark.parametrize("said", [b"", BEGUN, STREAM], ids=["nothing", "half a header", "pages"])
async def test_probes_get_in_whatever_others_hold(address: tuple[str, int], said: bytes) -> None:
    async with AsyncExitStack() as stack:
        held = []
        for _ in range(3 * MOST):
            held.append(await stack.enter_async_context(await Caller.connect(address)))
            await held[-1].send(said)
            async with await Caller.connect(address) as probe:
                assert (await probe.call(request(b"/livez"))).status == 200
        assert 0 < await still_open(held) <= MOST


async def test_who_does_nothing_goes_before_who_reads(address: tuple[str, int]) -> None:
    async with AsyncExitStack() as stack:
        page = await stack.enter_async_context(await Caller.connect(address))
        await page.send(STREAM)
        assert (await page.hear_head()).status == 200
        for _ in range(2 * MOST):
            held = await stack.enter_async_context(await Caller.connect(address))
            await held.send(BEGUN)
        async with await Caller.connect(address) as probe:
            assert (await probe.call(request(b"/livez"))).status == 200
        assert await still_open([page]) == 1
