"""What must not happen, and does not matter if it does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.web_protocol import RequestHandler

from gateway.core.errors import CallRefusedError, GatewayError, StoreUnavailableError
from gateway.web.answer import Answer
from gateway.web.errors import problem_of
from gateway.web.request import Request, parse_refusal
from gateway.web.server import HttpServer
from gateway.web.wire import CallerGoneError
from tests.support.listening import listening, until
from tests.support.raw_http import Caller, request


class Faulty:
    """Implements `CallHandler`, against its contract."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.heard: list[BaseException] = []

    async def handle(self, request: Request) -> Answer:  # noqa: ARG002  the contract's
        raise self.error

    async def refuse(self, request: Request, error: CallRefusedError) -> Answer:
        del request, error
        raise self.error

    def unhandled(self, error: BaseException) -> None:
        self.heard.append(error)


@asynccontextmanager
async def serving(handler: Faulty) -> AsyncIterator[Caller]:
    server = await asyncio.get_running_loop().create_server(HttpServer(handler), "127.0.0.1", 0)
    try:
        async with await Caller.connect(server.sockets[0].getsockname()[:2]) as caller:
            yield caller
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("data", [request(), b"\0\r\n\r\n"])
async def test_a_handler_that_raises_ends_the_connection_without_a_word(data: bytes) -> None:
    handler = Faulty(LookupError("bug"))
    async with serving(handler) as caller:
        await caller.send(data)
        assert await caller.ended() == b""
        assert handler.heard == [handler.error]


@pytest.mark.parametrize("error", [CallerGoneError("gone"), GatewayError("spoiled")])
async def test_callers_that_are_gone_are_no_news(error: Exception) -> None:
    handler = Faulty(error)
    async with serving(handler) as caller:
        await caller.send(request())
        assert await caller.ended() == b""
        assert handler.heard == []


async def test_what_the_parser_lets_through_is_a_bad_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a URL class dislikes the target")

    async with listening() as running, await running.caller() as caller:
        monkeypatch.setattr(RequestHandler, "data_received", broken)
        heard = await caller.call(request())
        assert (heard.status, heard.slug) == (400, "bad_request")
        assert await caller.ended() == b""


async def test_connections_that_are_gone_are_forgotten() -> None:
    async with listening() as running:
        async with await running.caller() as first, await running.caller() as second:
            await first.call(request())
            await second.call(request())
            assert len(running.connections) == 2
        await until(lambda: not running.connections)


async def test_cutting_a_connection_that_is_gone() -> None:
    async with listening() as running:
        async with await running.caller() as caller:
            await caller.call(request())
            (connection,) = running.connections
        await until(lambda: not running.connections)
        connection.cut(reset=True)
        with pytest.raises(CallerGoneError):
            connection.send(b"x")
        with pytest.raises(CallerGoneError):
            await connection.drained()


def test_errors_that_are_not_the_proxys_have_an_answer_too() -> None:
    assert problem_of(StoreUnavailableError("redis"))[:2] == (503, "store_unavailable")
    assert problem_of(GatewayError("x"))[:2] == (500, "internal")


def test_the_parsers_words_are_not_shown() -> None:
    refusal = parse_refusal(BadHttpMessage("Authorization: Bearer canary"))
    assert "canary" not in refusal.message
