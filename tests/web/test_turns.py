import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest

from gateway.core.limits import Limits
from gateway.web.limits import ACCEPTED, ACCEPTED_ANYWAY, ACCEPTED_RATE
from gateway.web.turns import AT_ONCE, Arrivals, Turns
from tests.support.listening import listening, until
from tests.support.raw_http import request
from tests.support.scripted_tokens import ScriptedTokens


async def test_so_many_are_taken_up_in_a_turn_and_the_others_in_their_order() -> None:
    turns, taken = Turns(), list[int]()
    loop = asyncio.get_running_loop()
    for number in range(3 * AT_ONCE):
        if turns.take(loop):
            taken.append(number)
        else:
            turns.wait(lambda number=number: taken.append(number))  # type: ignore[misc]
    assert taken == [*range(AT_ONCE)]
    await asyncio.sleep(0)
    assert taken == [*range(2 * AT_ONCE)]
    assert not turns.take(loop)
    await asyncio.sleep(0)
    assert taken == [*range(3 * AT_ONCE)]
    await asyncio.sleep(0)
    assert turns.take(loop)


async def test_bodies_in_many_small_pieces_arrive_whole_and_in_order() -> None:
    body = bytes(range(256)) * 2
    many = 3 * AT_ONCE
    async with listening() as running, contextlib.AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(await running.caller()) for _ in range(many)]
        for caller in callers:
            await caller.send(request(method=b"POST", body=body)[: -len(body)])
        for at in range(0, len(body), 16):
            for caller in callers:
                await caller.send(body[at : at + 16])
            if at % 64 == 0:
                await asyncio.sleep(0)
        for caller in callers:
            assert (await caller.hear()).status == 200
        assert [bytes(one.body) for one in running.upstream.sent] == [body] * many


async def test_what_the_parser_holds_of_a_body_waits_for_no_turn() -> None:
    """The caller has sent all of it: nothing else would bring it forth."""
    tokens = ScriptedTokens()
    tokens.first_gate = gate = asyncio.Event()
    piece = b"x" * 40_000
    chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
    limits = Limits(body_timeout=5.0)
    async with listening(tokens=tokens, limits=limits) as running, await running.caller() as caller:
        await caller.send(request(b"/v2/x", b"Transfer-Encoding: chunked", method=b"POST"))
        await until(lambda: running.connections and running.connections[0].receiving)
        (connection,) = running.connections
        assert connection.receiving is not None
        body = connection.receiving
        await caller.send(chunk * 3)
        await until(lambda: body.total_bytes == 3 * len(piece))
        await caller.send(chunk + b"1\r\nx\r\n0\r\n\r\n")
        await until(lambda: connection._reading_paused)
        with taken_by_others(connection._crowd.turns):
            gate.set()
            assert (await caller.hear()).status == 200
        assert len(running.upstream.sent[0].body) == 4 * len(piece) + 1


@contextlib.contextmanager
def taken_by_others(turns: Turns) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handles: list[asyncio.Handle] = []

    def take() -> None:
        while turns.take(loop):
            pass
        handles[:] = [loop.call_soon(take)]

    take()
    try:
        yield
    finally:
        handles[0].cancel()


def test_of_many_connections_few_are_due_at_once() -> None:
    arrivals = Arrivals()
    assert arrivals.due(1000.0) == ACCEPTED_ANYWAY
    assert arrivals.due(1000.0) == ACCEPTED_ANYWAY


@pytest.mark.parametrize("turn", [0.01, 0.1, 10.0])
def test_who_comes_to_a_busy_gateway_gets_in_at_a_rate_that_turns_do_not_change(
    turn: float,
) -> None:
    arrivals = Arrivals()
    arrivals.due(0.0)
    assert arrivals.due(turn) == min(ACCEPTED, ACCEPTED_ANYWAY + int(turn * ACCEPTED_RATE))


def test_the_time_in_which_nobody_waited_does_not_count() -> None:
    arrivals = Arrivals()
    arrivals.due(0.0)
    arrivals.all_in()
    assert arrivals.due(3600.0) == ACCEPTED_ANYWAY


async def test_connections_that_come_at_once_are_let_in_over_several_turns() -> None:
    many = 40
    async with listening() as running, contextlib.AsyncExitStack() as stack:
        for _ in range(many):
            stack.enter_context(socket.create_connection(running.address))
        seen = [0]
        while seen[-1] < ACCEPTED_ANYWAY:
            await asyncio.sleep(0)
            seen.append(running.meters.connections)
        assert seen[-1] == ACCEPTED_ANYWAY
        await until(lambda: running.meters.connections == many)
    await until(lambda: running.meters.connections == 0)
