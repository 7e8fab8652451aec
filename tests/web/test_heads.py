"""Headers that come while the call before them is in hand: they are bounded like others."""

import asyncio

import pytest

from gateway.core.limits import Limits
from tests.support.listening import KIB, Listening, listening, until
from tests.support.raw_http import Caller, request
from tests.support.scripted_upstream import Reply, ScriptedUpstream

BEGUN = b"GET /v2/users/next HTTP/1.1\r\nHost: localhost\r\n"


def fields(count: int) -> bytes:
    return b"".join(b"X-%d: %b\r\n" % (number, b"a" * 9000) for number in range(count))


def waiting() -> tuple[asyncio.Event, ScriptedUpstream]:
    go = asyncio.Event()
    return go, ScriptedUpstream(Reply(200, waits=go), Reply(200))


async def in_hand(running: Listening, caller: Caller, data: bytes) -> None:
    await caller.send(data)
    await until(lambda: len(running.upstream.sent) == 1)


async def test_one_that_does_not_end_is_refused_behind_its_call() -> None:
    go, upstream = waiting()
    async with listening(upstream) as running, await running.caller() as caller:
        await in_hand(running, caller, request())
        for number in range(20):
            await caller.send((BEGUN if not number else b"") + fields(1))
        await until(lambda: running.connections[0]._failed)
        go.set()
        assert (await caller.hear()).status == 200
        assert (await caller.hear()).slug == "headers_too_large"
        assert await caller.ended() == b""
        assert len(upstream.sent) == 1


@pytest.mark.parametrize(
    "first", [request(), request(method=b"POST", body=b"a\r\n\r\nb" * 5000)], ids=["none", "body"]
)
async def test_nor_one_that_came_with_the_end_of_its_call(first: bytes) -> None:
    go, upstream = waiting()
    async with listening(upstream) as running, await running.caller() as caller:
        await in_hand(running, caller, first + BEGUN + fields(7))
        await caller.send(fields(5))
        await until(lambda: running.connections[0]._failed)
        go.set()
        assert (await caller.hear()).status == 200
        assert (await caller.hear()).slug == "headers_too_large"


async def test_it_has_its_time_from_the_end_of_its_call() -> None:
    go, upstream = waiting()
    limits = Limits(header_timeout=0.2)
    async with listening(upstream, limits=limits) as running, await running.caller() as caller:
        await in_hand(running, caller, request() + BEGUN)
        await asyncio.sleep(0.3)
        go.set()
        assert (await caller.hear()).status == 200
        assert not running.connections[0].idle
        assert (await caller.hear()).slug == "header_timeout"
        assert await caller.ended() == b""


async def test_line_ends_behind_a_call_are_no_header() -> None:
    limits = Limits(header_timeout=0.1)
    async with listening(limits=limits) as running, await running.caller() as caller:
        posted = request(method=b"POST", body=b"form") + b"\r\n"
        assert (await caller.call(posted)).status == 200
        await until(lambda: running.connections[0].idle)
        assert running.connections[0]._head_timer is None
        await asyncio.sleep(0.2)
        assert (await caller.call(posted)).status == 200


@pytest.mark.parametrize("pace", [1 << 20, 50_000, 999])
async def test_what_ends_is_served_whatever_it_follows(pace: int) -> None:
    body = b"\r\n\r\n" + b"x" * 200 * KIB + b"GET "
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = b"%b%x\r\n%b\r\n0\r\n\r\n" % (head, len(body), body)
    calls = [
        request(method=b"POST", body=body),
        BEGUN + fields(6) + b"\r\n",
        request(),
        request(method=b"POST", body=b"short"),
        BEGUN + fields(7) + b"\r\n",
        chunked,
    ]
    data = b"".join(calls)
    async with listening() as running, await running.caller() as caller:
        for start in range(0, len(data), pace):
            await caller.send(data[start : start + pace])
        assert [(await caller.hear()).status for _ in calls] == [200] * len(calls)
        assert len(running.upstream.sent) == len(calls)


async def test_whole_ones_wait_in_the_kernel_once_they_are_as_much_as_one_may_be() -> None:
    go, upstream = waiting()
    one = BEGUN + fields(3) + b"\r\n"
    async with listening(upstream) as running, await running.caller() as caller:
        await in_hand(running, caller, request())
        for _ in range(30):
            caller.writer.write(one)
        await until(lambda: running.connections[0]._buffer_paused)
        # What is read at once, and what was there before.
        assert len(running.connections[0]._messages) * len(one) < 64 * KIB + 257 * KIB
        go.set()
        assert [(await caller.hear()).status for _ in range(31)] == [200] * 31
