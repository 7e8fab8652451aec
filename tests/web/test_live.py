"""The stream of the status page, over real sockets."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from gateway.core.diagnosis import Chart
from gateway.web import live as module
from gateway.web import sockets
from gateway.web.admin_server import AdminServer
from gateway.web.live import MOST
from tests.observe.charts import CANARY, healthy, held_off
from tests.support.processes import eventually
from tests.web.test_admin import sources


class Server:
    """An admin listener whose account can be changed."""

    def __init__(self) -> None:
        self.charts: dict[str, Chart] = {"default": healthy()}
        self.looks = 0
        parts = sources(self.charts)

        def status() -> dict[str, Any]:
            self.looks += 1
            return parts.status()

        self.admin = AdminServer(replace(parts, status=status))
        self.sockets = sockets.listen("127.0.0.1", 0)
        self.url = f"http://{sockets.written(sockets.bound(self.sockets))}"

    @property
    def readers(self) -> int:
        return self.admin._live.readers

    def become(self, chart: Chart) -> None:
        self.charts["default"] = chart


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    await made.admin.serve(made.sockets)
    yield made
    await made.admin.close()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


class Reader:
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self) -> tuple[str, str]:
        """The next event's name and data."""
        async with asyncio.timeout(20):
            name = (await self.answer.content.readline()).decode()
            data = (await self.answer.content.readline()).decode()
            await self.answer.content.readline()
        return name.removeprefix("event: ").strip(), data.removeprefix("data: ").strip()

    async def state(self) -> dict[str, Any]:
        while True:
            name, data = await self.next()
            if name == "state":
                found = json.loads(data)
                assert isinstance(found, dict)
                return found


@asynccontextmanager
async def reading(client: aiohttp.ClientSession, server: Server) -> AsyncIterator[Reader]:
    async with client.get(f"{server.url}/events") as answer:
        assert answer.status == 200
        yield Reader(answer)


async def test_a_reader_gets_the_state_at_once(
    server: Server, client: aiohttp.ClientSession
) -> None:
    async with reading(client, server) as reader:
        headers = reader.answer.headers
        assert headers["Content-Type"] == "text/event-stream"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        state = await reader.state()
    assert state["sentence"] == "All is well: calls get a token."
    assert state["at"] == "2027-01-15T08:00:00Z"
    assert CANARY not in json.dumps(state)


async def test_news_come_soon_after_a_token_event(
    server: Server, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PERIOD", 3600.0)  # only a poke is heard
    async with reading(client, server) as reader:
        await reader.state()
        await eventually(lambda: server.looks >= 2, "the first look of the stream's own")
        server.become(held_off())
        server.admin.poke()
        state = await reader.state()
    assert state["sentence"].startswith("Zoom refuses a token it issued 2 s ago")
    assert state["key"] == "degraded fresh_refused"


async def test_news_without_an_event_come_with_the_next_look(
    server: Server, client: aiohttp.ClientSession
) -> None:
    async with reading(client, server) as reader:
        await reader.state()
        server.become(held_off())
        assert (await reader.state())["title"].startswith("failing")


async def test_without_news_there_is_a_heartbeat(
    server: Server, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT", 0.05)
    async with reading(client, server) as reader:
        await reader.state()
        for _ in range(3):
            assert await reader.next() == ("beat", "2027-01-15T08:00:00Z")


async def test_many_readers_cost_one_look(
    server: Server, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PERIOD", 3600.0)  # only a poke is heard
    answers = [await client.get(f"{server.url}/events") for _ in range(20)]
    for answer in answers:
        await Reader(answer).state()
    await eventually(lambda: server.looks == 2, "that of the first reader, and the stream's own")
    server.become(held_off())
    server.admin.poke()
    for answer in answers:
        await Reader(answer).state()
        answer.close()
    assert server.looks == 3
    await eventually(lambda: server.readers == 0, "all readers are gone")


async def test_nobody_reads_and_nobody_looks(server: Server, client: aiohttp.ClientSession) -> None:
    async with reading(client, server) as reader:
        await reader.state()
    await eventually(lambda: server.readers == 0, "the reader is gone")
    looks = server.looks
    server.admin.poke()
    await asyncio.sleep(2 * module.SOON)  # longer than a poke takes; a busy machine makes it longer
    assert server.looks == looks
    assert server.admin._live._looking is None


async def test_their_number_is_bounded_and_a_place_is_free_again(
    server: Server, client: aiohttp.ClientSession
) -> None:
    answers = [await client.get(f"{server.url}/events") for _ in range(MOST)]
    async with client.get(f"{server.url}/events") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "30"
        assert "open pages" in (await answer.json())["message"]
    answers.pop().close()
    await eventually(lambda: server.readers == MOST - 1, "a place is free")
    async with reading(client, server) as reader:
        await reader.state()
    for one in answers:
        one.close()


async def test_a_reader_that_takes_nothing_is_let_go_and_piles_up_nothing(
    server: Server, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STUCK", 0.3)
    monkeypatch.setattr(module, "SOON", 0.001)
    host, port = sockets.bound(server.sockets)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, (host, port))
        await loop.sock_sendall(slow, b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        await eventually(lambda: server.readers == 1, "it reads")
        flips = 0
        while server.readers:
            server.become(held_off() if flips % 2 else healthy())
            server.admin.poke()
            flips += 1
            assert flips < 20_000
            await asyncio.sleep(0.002)
        # Others are served all the while.
        async with reading(client, server) as reader:
            await reader.state()


async def test_open_streams_do_not_hold_up_the_end(client: aiohttp.ClientSession) -> None:
    server = Server()
    await server.admin.serve(server.sockets)
    answers = [await client.get(f"{server.url}/events") for _ in range(5)]
    async with asyncio.timeout(20):
        await server.admin.close()
    for answer in answers:
        async with asyncio.timeout(20):
            await answer.content.read()
    assert server.readers == 0


async def test_it_takes_nobody_once_it_is_closed(
    server: Server, client: aiohttp.ClientSession
) -> None:
    await server.admin._live.close()
    async with client.get(f"{server.url}/events") as answer:
        assert answer.status == 503


async def test_head_opens_no_stream(server: Server, client: aiohttp.ClientSession) -> None:
    async with client.head(f"{server.url}/events") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
    assert server.readers == 0


async def test_a_look_that_fails_is_logged_and_the_next_may_work(
    server: Server, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async with reading(client, server) as reader:
        await reader.state()
        good = dict(server.charts)
        server.charts["default"] = None  # type: ignore[assignment]  # a defect
        with caplog.at_level(logging.ERROR):
            await eventually(lambda: caplog.records, "the defect is logged")
        server.charts.update(good)
        server.become(held_off())
        assert (await reader.state())["key"] == "degraded fresh_refused"
