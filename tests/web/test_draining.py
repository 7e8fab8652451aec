"""Leaving without losing a call."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable

import pytest
import uvloop

from gateway.core.errors import UpstreamBrokenError
from tests.support.listening import KIB, listening, until
from tests.support.raw_http import request
from tests.support.scripted_upstream import Reply, ScriptedUpstream, refusal


async def test_while_draining_every_answer_closes_its_connection() -> None:
    async with listening() as running:
        async with await running.caller() as kept, await running.caller() as late:
            assert (await kept.call(request())).values(b"connection") == []
            running.server.begin_drain()
            for caller in (kept, late):
                assert (await caller.call(request())).one(b"connection") == b"close"
                assert await caller.ended() == b""
        async with await running.caller() as new:
            assert (await new.call(request(b"/@nobody/"))).one(b"connection") == b"close"
            assert await new.ended() == b""


async def test_finishing_waits_for_calls_and_ends_idle_connections() -> None:
    answered = asyncio.Event()
    async with listening(ScriptedUpstream(Reply(waits=answered, body=[b"{}"]))) as running:
        async with await running.caller() as idle, await running.caller() as busy:
            await busy.send(request())
            await until(lambda: running.server.inflight == 1)
            finishing = asyncio.ensure_future(running.server.finish(10))
            assert await idle.ended() == b""
            assert not finishing.done()
            with pytest.raises(OSError):  # noqa: PT011  which one depends on the system
                await running.caller()
            answered.set()
            heard = await busy.hear()
            assert (heard.status, heard.one(b"connection")) == (200, b"close")
            assert await finishing == 0
        assert (await running.reports.get())[0].status == 200


async def _arrived_before_the_end() -> None:
    async with listening() as running, await running.caller() as kept:
        assert (await kept.call(request())).status == 200
        sent = kept.writer.get_extra_info("socket")
        with socket.create_connection(running.address) as fresh:
            for one in (sent, fresh):
                os.write(one.fileno(), request())
            assert await running.server.finish(10) == 0
            heard = await kept.hear()
            assert (heard.status, heard.one(b"connection")) == (200, b"close")
            assert await kept.ended() == b""
            assert b"".join(iter(lambda: fresh.recv(65536), b"")).startswith(b"HTTP/1.1 200 ")


async def test_an_answer_that_streams_is_finished() -> None:
    go = asyncio.Event()
    reply = Reply(200, [], [b"one", go, b"two"])
    async with listening(ScriptedUpstream(reply)) as running, await running.caller() as busy:
        await busy.send(request())
        heard = await busy.hear_head()
        finishing = asyncio.ensure_future(running.server.finish(10))
        await until(lambda: running.proxy.draining)
        go.set()
        await busy._body(heard)
        assert (heard.body, heard.complete) == (b"onetwo", True)
        assert await busy.ended() == b""
        assert await finishing == 0


async def test_what_lasts_longer_is_cut_and_counted() -> None:
    async with listening(ScriptedUpstream(Reply(waits=asyncio.Event()))) as running:
        callers = [await running.caller() for _ in range(3)]
        for caller in callers:
            await caller.send(request())
        await until(lambda: len(running.upstream.sent) == 3)
        assert await running.server.finish(0.05) == 3
        assert running.upstream.cancelled == 3
        for caller in callers:
            assert await caller.ended() == b""
            caller.writer.close()
        for report in await running.reports.get(3):
            assert (report.status, report.error) == (499, "drain_timeout")


async def test_the_last_bytes_of_a_slow_caller_still_leave() -> None:
    body = b"x" * 1000 * KIB
    async with (
        listening(ScriptedUpstream(Reply(200, None, [body]))) as running,
        await running.caller(limit=KIB) as caller,
    ):
        await caller.send(request())
        heard = await caller.hear_head()
        finishing = asyncio.ensure_future(running.server.finish(5))
        await caller._body(heard)
        assert heard.body == body
        assert await finishing == 0


async def test_a_caller_that_lingers_does_not_hold_us_up() -> None:
    async with (
        listening(ScriptedUpstream(Reply(413, reads="none"))) as running,
        await running.caller() as caller,
    ):
        await caller.send(request(method=b"POST", body=b"x" * 1000)[:-500])
        assert (await caller.hear()).status == 413
        assert await running.server.finish(5) == 0


async def test_half_a_header_does_not_hold_us_up() -> None:
    async with listening() as running, await running.caller() as caller:
        await caller.send(b"GET / HT")
        await until(lambda: running.connections and not running.connections[0].idle)
        assert await running.server.finish(5) == 0
        assert await caller.ended() == b""


async def test_finishing_twice_and_before_the_start() -> None:
    async with listening() as running:
        assert await running.server.finish(1) == 0
        assert await running.server.finish(1) == 0


async def _everything() -> None:
    pause = asyncio.Event()
    upstream = ScriptedUpstream(
        refusal(),
        Reply(body=[b"{}"]),
        Reply(200, [], [b"half", pause, UpstreamBrokenError("cut")]),
        Reply(waits=asyncio.Event()),
    )
    async with listening(upstream) as running:
        async with await running.caller() as caller:
            body = b"x" * 900 * KIB
            assert (await caller.call(request(method=b"POST", body=body))).status == 200
            assert bytes(upstream.sent[1].body) == body
            await caller.send(request(version=b"1.0"))
            await caller.hear_head()
            pause.set()
            with pytest.raises(ConnectionResetError):
                await caller.reader.read(-1)
        async with await running.caller() as bad:
            assert (await bad.call(b"\0\r\n\r\n")).slug == "bad_request"
            assert await bad.ended() == b""
        async with await running.caller() as leaving:
            await leaving.send(request())
            await until(lambda: len(upstream.sent) == 4)
        assert (await running.reports.get(4))[-1].status == 499
        async with await running.caller() as last:
            await last.send(request())
            await until(lambda: len(upstream.sent) == 5)
            assert await running.server.finish(0.05) == 1
            assert await last.ended() == b""


async def _many_wait_to_be_let_in() -> None:
    many = 100
    async with listening() as running, contextlib.AsyncExitStack() as stack:
        callers = [
            stack.enter_context(socket.create_connection(running.address)) for _ in range(many)
        ]
        for one in callers:
            os.write(one.fileno(), request())
        assert await running.server.finish(10) == 0
        for one in callers:
            heard = b"".join(iter(lambda one=one: one.recv(65536), b""))  # type: ignore[misc]
            assert heard.startswith(b"HTTP/1.1 200 ")
        assert len(await running.reports.get(many)) == many


LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize("new_loop", LOOPS)
def test_what_has_arrived_before_the_end_is_still_answered(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """A busy loop has not read it yet: neither the call nor the connection may be reset."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_arrived_before_the_end())


@pytest.mark.parametrize("new_loop", LOOPS)
def test_who_waits_to_be_let_in_at_the_end_is_still_answered(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Few are let in at once, but then there is no next turn."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_many_wait_to_be_let_in())


@pytest.mark.parametrize("new_loop", LOOPS)
def test_on_either_loop(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_everything())
