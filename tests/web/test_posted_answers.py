"""Answers that wait for the end of a turn, and what may come between."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.core.errors import CallRefusedError
from gateway.web.answer import Answer
from gateway.web.meters import Meters
from gateway.web.request import Request
from gateway.web.server import HttpServer
from tests.support.raw_http import Caller, request

Then = Callable[[Any], None]


class Hasty:
    """Implements `CallHandler`: answers, and does something else in the same turn."""

    def __init__(self, then: Then) -> None:
        self._then = then

    async def handle(self, request: Request) -> Answer:
        answer = Answer(request.wire, is_head=False, http11=True, keep_alive=True)
        answer.whole(200, b"OK", [(b"Content-Length", b"2")], 2, b"{}")
        self._then(request.wire)
        return answer

    async def refuse(self, request: Request, error: CallRefusedError) -> Answer:
        raise NotImplementedError

    def unhandled(self, error: BaseException) -> None:
        raise error


@pytest.mark.parametrize(
    "then",
    [
        lambda wire: wire.cut(reset=False),
        lambda wire: wire.force_close(),
        lambda wire: wire.close(),
        lambda wire: wire.last_call(),
    ],
    ids=["cut", "force_close", "close", "last_call"],
)
async def test_an_answer_leaves_before_its_connection_ends(then: Then) -> None:
    meters = Meters()
    meters.calls = 2  # a call that is alone is answered at once
    http = HttpServer(Hasty(then), meters=meters)
    server = await asyncio.get_running_loop().create_server(http, "127.0.0.1", 0)
    try:
        async with await Caller.connect(server.sockets[0].getsockname()[:2]) as caller:
            await caller.send(request())
            assert (await caller.ended()).endswith(b"\r\n\r\n{}")
    finally:
        server.close()
        await server.wait_closed()
