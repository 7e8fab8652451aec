"""Back pressure, silence and cancellation: nothing grows, hangs or stays behind."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.core.errors import UpstreamBrokenError, UpstreamTimeoutError
from gateway.zoom.upstream import HttpUpstream
from gateway.zoom.upstream.connection import ONE_READ, READ_AHEAD
from tests.zoom.peer import (
    OK,
    Peer,
    Talk,
    answering,
    eventually,
    get,
    on_every_loop,
    post,
    read_all,
    read_and_close,
)

BLOCK = b"x" * 65_536


async def settled(watch: list[int]) -> int:
    """The number in `watch` once it has stopped growing."""
    last, calm = -1, 0
    while calm < 20:
        calm = calm + 1 if watch[0] == last else 0
        last = watch[0]
        await asyncio.sleep(0.002)
    return last


@on_every_loop
async def test_a_peer_that_reads_slowly_stops_us_from_asking_for_the_body() -> None:
    total = 64 * 1024 * 1024
    asked = [0]
    go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        while asked[0] < total:
            asked[0] += len(BLOCK)
            yield BLOCK

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await go_on.wait()
        for _ in range(total // len(BLOCK)):
            await talk.read(len(BLOCK))
        await talk.say(OK)

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        call = asyncio.ensure_future(upstream.send(post(body(), total)))
        # The kernel's buffers on both sides and the peer's own take some of it.
        assert 0 < await settled(asked) < total // 2
        go_on.set()
        assert await read_and_close(await call) == b"ok"
        assert asked[0] == total
        await upstream.close()


@on_every_loop
async def test_a_caller_that_reads_slowly_stops_us_from_reading_on() -> None:
    total = 64 * 1024 * 1024
    said = [0]

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while said[0] < total:
            await talk.say(BLOCK)
            said[0] += len(BLOCK)
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        answer = await upstream.send(get())
        assert 0 < await settled(said) < total // 2
        connection = next(iter(upstream._pool._open))
        assert READ_AHEAD < connection.reader.buffered <= READ_AHEAD + ONE_READ
        assert len(await read_and_close(answer)) == total
        assert (upstream.idle, upstream.in_use) == (1, 0)
        await upstream.close()


@on_every_loop
async def test_silence_before_the_head() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url, idle_timeout=0.03)
        with pytest.raises(UpstreamTimeoutError, match=r"silent for 0\.03 s"):
            await upstream.send(get())
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_silence_in_the_middle_of_an_answer() -> None:
    async with Peer(answering(OK[:-1])) as peer:
        upstream = HttpUpstream(peer.url, idle_timeout=0.03)
        answer = await upstream.send(get())
        assert await anext(answer.chunks()) == b"o"
        with pytest.raises(UpstreamTimeoutError):
            await read_all(answer)
        await answer.close()
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_silence_of_a_peer_that_takes_no_more_of_the_body() -> None:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield BLOCK

    forever = asyncio.Event()

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await forever.wait()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url, idle_timeout=0.03)
        with pytest.raises(UpstreamTimeoutError):
            await upstream.send(post(body()))
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_silence_of_a_peer_that_answers_early_and_takes_no_more_of_the_body() -> None:
    """Nobody waits for the answer meanwhile."""
    forever = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield BLOCK

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await forever.wait()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url, idle_timeout=0.03)
        answer = await upstream.send(post(body()))
        await eventually(lambda: not upstream._pool._open)
        with pytest.raises(UpstreamTimeoutError):
            await read_all(answer)
        await answer.close()
        await upstream.close()


@on_every_loop
async def test_a_peer_may_leave_our_body_unread_while_we_leave_its_answer_unread() -> None:
    total = 32 * 1024 * 1024

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield BLOCK

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        for _ in range(total // len(BLOCK)):
            await talk.say(BLOCK)
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url, idle_timeout=0.05)
        answer = await upstream.send(post(body()))
        await asyncio.sleep(0.2)
        assert len(await read_and_close(answer)) == total
        await upstream.close()


@on_every_loop
async def test_an_answer_that_trickles_is_no_silence() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.02)
            await talk.say(b"x")
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url, idle_timeout=0.1)
        assert await read_and_close(await upstream.send(get())) == b"x" * 10
        await upstream.close()


@on_every_loop
async def test_our_callers_slowness_is_not_the_peers_silence() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"hel"
        await asyncio.sleep(0.15)
        yield b"lo"

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.read(5)
        await talk.say(OK)
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url, idle_timeout=0.05)
        answer = await upstream.send(post(body(), 5))
        await asyncio.sleep(0.15)
        assert await read_and_close(answer) == b"ok"
        assert upstream.idle == 1
        await upstream.close()


@on_every_loop
async def test_the_peers_silence_counts_again_once_the_body_is_sent() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"hel"
        await asyncio.sleep(0.05)
        yield b"lo"

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url, idle_timeout=0.03)
        with pytest.raises(UpstreamTimeoutError):
            await upstream.send(post(body(), 5))
        await upstream.close()


async def cancelled(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@on_every_loop
async def test_a_call_that_is_cancelled_before_the_head_closes_its_connection() -> None:
    heard, left = asyncio.Event(), asyncio.Event()

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        heard.set()
        await talk.closed()
        left.set()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        call = asyncio.ensure_future(upstream.send(get()))
        await heard.wait()
        assert upstream.in_use == 1
        await cancelled(call)
        await left.wait()
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_a_call_that_is_cancelled_stops_asking_for_its_body() -> None:
    state = {"waiting": False}

    async def body() -> AsyncIterator[bytes]:
        yield b"hel"
        state["waiting"] = True
        try:
            await asyncio.Event().wait()
        finally:
            state["waiting"] = False

    async with Peer(answering()) as peer:
        upstream = HttpUpstream(peer.url)
        call = asyncio.ensure_future(upstream.send(post(body(), 5)))
        await eventually(lambda: state["waiting"])
        await cancelled(call)
        assert not state["waiting"]
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_a_call_that_is_cancelled_while_the_peer_takes_nothing() -> None:
    asked = [0]

    async def body() -> AsyncIterator[bytes]:
        while True:
            asked[0] += 1
            yield BLOCK

    forever = asyncio.Event()

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await forever.wait()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        call = asyncio.ensure_future(upstream.send(post(body())))
        await settled(asked)
        await cancelled(call)
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@pytest.mark.parametrize("framing", [b"Content-Length: 2\r\n", b"Connection: close\r\n"])
@on_every_loop
async def test_reading_that_is_cancelled_closes_the_connection(framing: bytes) -> None:
    left = asyncio.Event()

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\no")
        await talk.closed()
        left.set()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        answer = await upstream.send(get())
        await anext(answer.chunks())
        reading = asyncio.ensure_future(read_all(answer))
        await asyncio.sleep(0)
        await cancelled(reading)
        await left.wait()
        with pytest.raises(UpstreamBrokenError, match="cancelled"):
            await read_all(answer)
        await answer.close()
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@pytest.mark.parametrize("turns", range(8))
@on_every_loop
async def test_a_call_may_be_cancelled_at_any_turn(turns: int) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(5):
            await asyncio.sleep(0)
            yield b"x"

    async def journey() -> None:
        answer = await upstream.send(post(body(), 5))
        await read_and_close(answer)

    async with Peer(answering(OK)) as peer:
        upstream = HttpUpstream(peer.url)
        call = asyncio.ensure_future(journey())
        for _ in range(turns):
            await asyncio.sleep(0)
        await cancelled(call)
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()
