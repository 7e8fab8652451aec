"""Callers that leave, stall or are slow, and answers that break off."""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from gateway.core.errors import UpstreamBrokenError, UpstreamTimeoutError
from gateway.core.limits import Limits
from gateway.reports import ReplayOutcome
from tests.support.listening import KIB, listening, until
from tests.support.raw_http import Caller, request
from tests.support.scripted_tokens import ScriptedTokens
from tests.support.scripted_upstream import Reply, ScriptedUpstream, refusal


def reset(caller: Caller) -> None:
    """Leave without a farewell."""
    sock = caller.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.writer.transport.abort()


async def test_leaving_before_the_answer_cancels_the_call() -> None:
    async with listening(ScriptedUpstream(Reply(waits=asyncio.Event()))) as running:
        async with await running.caller() as caller:
            await caller.send(request())
            await running.upstream.arrived.wait()
        (report,) = await running.reports.get()
        assert (report.status, report.error, report.bytes_out) == (499, "", 0)
        assert running.upstream.cancelled == 1
        assert running.tokens.accepted == []


async def test_leaving_while_a_token_is_awaited() -> None:
    tokens = ScriptedTokens()
    tokens.first_gate = asyncio.Event()
    async with listening(tokens=tokens) as running:
        async with await running.caller() as caller:
            await caller.send(request())
            await until(lambda: running.server.inflight == 1)
        (report,) = await running.reports.get()
        assert (report.status, tokens.cancelled) == (499, 1)
        assert report.token_wait > 0


async def test_leaving_while_a_better_token_is_awaited() -> None:
    tokens = ScriptedTokens()
    tokens.gate = asyncio.Event()
    async with listening(ScriptedUpstream(refusal()), tokens=tokens) as running:
        async with await running.caller() as caller:
            await caller.send(request(method=b"POST", body=b"x" * 100 * KIB))
            await tokens.asked.wait()
            reset(caller)
        (report,) = await running.reports.get()
        assert (report.status, report.outcome) == (499, ReplayOutcome.FAILED)
        assert running.upstream.sent[0].closed


async def test_leaving_in_the_middle_of_ones_own_body() -> None:
    async with listening() as running:
        async with await running.caller() as caller:
            await caller.send(request(method=b"POST", body=b"x" * 100 * KIB)[: -50 * KIB])
            await running.upstream.arrived.wait()
        (report,) = await running.reports.get()
        assert report.status == 499
        assert not running.upstream.sent[0].body_ended


async def test_leaving_in_the_middle_of_the_answer() -> None:
    reply = Reply(200, [], [b"x" * KIB, asyncio.Event()])
    async with listening(ScriptedUpstream(reply)) as running:
        async with await running.caller() as caller:
            await caller.send(request())
            assert (await caller.hear_head()).status == 200
        (report,) = await running.reports.get()
        assert (report.status, report.bytes_out) == (200, KIB)
        assert running.upstream.sent[0].closed


async def test_a_caller_that_closes_its_sending_half_counts_as_gone() -> None:
    async with listening(ScriptedUpstream(Reply(waits=asyncio.Event()))) as running:
        async with await running.caller() as caller:
            await caller.send(request())
            await running.upstream.arrived.wait()
            caller.writer.write_eof()
            assert await caller.ended() == b""
        assert (await running.reports.get())[0].status == 499


CUT = UpstreamBrokenError("cut")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, [(b"Content-Length", b"100")], [b"half", CUT]),
        Reply(200, [(b"Content-Length", b"100")], [b"half"]),
        Reply(200, [(b"Content-Length", b"4")], [b"half", b"more"]),
        Reply(200, [], [b"half", CUT]),
        Reply(200, [], [b"half", UpstreamTimeoutError("60 s")]),
        Reply(200, [], [b"half", LookupError("bug")]),
    ],
)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_a_cut_answer_never_looks_complete(reply: Reply, version: bytes) -> None:
    pause = asyncio.Event()
    body = list(reply.body)
    body.insert(1, pause)
    paused = Reply(reply.status, reply.headers, body)
    async with listening(ScriptedUpstream(paused)) as running:
        async with await running.caller() as caller:
            await caller.send(request(version=version))
            heard = await caller.hear_head()
            assert heard.status == 200
            pause.set()
            await running.reports.get()
            if heard.values(b"content-length") == [b"4"]:
                return  # too long: what was declared has been sent, and the connection ends
            await caller._body(heard)
            assert not heard.complete
            assert heard.body in (b"half", b"")
        (report,) = await running.reports.get()
        assert report.status == 200
        assert report.error
        running.unhandled.clear()


async def test_http_1_0_hears_of_a_cut_by_a_reset() -> None:
    pause = asyncio.Event()
    async with (
        listening(ScriptedUpstream(Reply(200, [], [b"half", pause, CUT]))) as running,
        await running.caller() as caller,
    ):
        await caller.send(request(version=b"1.0"))
        await caller.hear_head()
        pause.set()
        with pytest.raises(ConnectionResetError):
            await caller.reader.read(-1)


class Counted(list[bytes]):
    """A body that is made piece by piece, and counts the pieces."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.pieces):
            self.taken += 1
            yield b"x" * 64 * KIB


async def settled(count: Callable[[], int]) -> int:
    """Wait until it changes no more."""
    before = -1
    while before != count():
        before = count()
        await asyncio.sleep(0.05)
    return before


async def test_a_slow_caller_slows_zoom_down() -> None:
    body = Counted(2000)
    async with (
        listening(ScriptedUpstream(Reply(200, [], body))) as running,
        await running.caller(limit=KIB) as caller,
    ):
        await caller.send(request())
        await caller.hear_head()
        assert 0 < await settled(lambda: body.taken) < 1000
        size = 0
        while line := int(await caller.reader.readuntil(b"\r\n"), 16):
            await caller.reader.readexactly(line + 2)
            size += line
        assert (body.taken, size) == (2000, 2000 * 64 * KIB)
        assert (await running.reports.get())[0].bytes_out == size


async def test_a_caller_that_takes_nothing_is_given_up() -> None:
    reply = Reply(200, [], [b"x" * 64 * KIB] * 2000)
    async with (
        listening(ScriptedUpstream(reply), limits=Limits(send_timeout=0.1)) as running,
        await running.caller(limit=KIB) as caller,
    ):
        await caller.send(request())
        await caller.hear_head()
        (report,) = await running.reports.get()
        assert report.bytes_out < 2000 * 64 * KIB
        assert running.upstream.sent[0].closed
        assert running.reached == ["send_timeout"]
        await until(lambda: not running.connections)


async def test_a_slow_upstream_slows_the_caller_down() -> None:
    go = asyncio.Event()
    upstream = ScriptedUpstream(Reply(200, reads="none", waits=go))
    async with listening(upstream) as running, await running.caller() as caller:
        caller.writer.write(request(method=b"POST", body=b"x" * 20_000 * KIB))
        await upstream.arrived.wait()
        assert await settled(caller.writer.transport.get_write_buffer_size) > 5_000 * KIB
        go.set()
        assert (await caller.hear()).status == 200


async def test_a_pipelining_caller_that_reads_nothing_is_held_up() -> None:
    reply = Reply(200, None, [b"x" * 60 * KIB])
    async with (
        listening(ScriptedUpstream(reply)) as running,
        await running.caller(limit=KIB) as caller,
    ):
        caller.writer.write(request() * 2000)
        assert await settled(lambda: len(running.upstream.sent)) < 1000


async def test_many_callers_at_once() -> None:
    upstream = ScriptedUpstream()
    upstream.choose = lambda sent: (
        refusal() if sent.token == b"Bearer token-1" else Reply(body=[bytes(sent.body)])
    )
    async with listening(upstream) as running:

        async def one(n: int) -> None:
            async with await running.caller() as caller:
                for m in range(5):
                    body = b"%d-%d" % (n, m)
                    heard = await caller.call(request(method=b"POST", body=body))
                    assert (heard.status, heard.body) == (200, body)

        await asyncio.gather(*(one(n) for n in range(50)))
        await running.reports.get(250)
        assert running.server.inflight == 0
