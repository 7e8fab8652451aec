"""Connections are used again, unless that could cost a call."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.core.errors import UpstreamBrokenError, UpstreamConnectError, UpstreamStaleError
from gateway.ports import Upstream
from gateway.zoom.upstream import HttpUpstream
from tests.zoom.peer import (
    OK,
    Peer,
    Script,
    Talk,
    answering,
    chunks_of,
    eventually,
    get,
    on_every_loop,
    post,
    read_all,
    read_and_close,
)


@on_every_loop
async def test_the_connection_used_last_is_used_first() -> None:
    served: list[int] = []

    async def script(talk: Talk, number: int) -> None:
        while True:
            await talk.head()
            served.append(number)
            await talk.say(OK)

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        first = await upstream.send(get())
        second = await upstream.send(get())
        await read_and_close(second)
        await read_and_close(first)
        assert upstream.idle == 2
        for _ in range(3):
            await read_and_close(await upstream.send(get()))
        assert served == [1, 2, 1, 1, 1]
        await upstream.close()


@on_every_loop
async def test_an_idle_connection_that_the_peer_closes_is_forgotten() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(OK)

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        await read_and_close(await upstream.send(get()))
        await eventually(lambda: upstream.idle == 0)
        await upstream.close()


@on_every_loop
async def test_an_answer_that_nobody_asked_for_costs_the_idle_connection() -> None:
    go_on = asyncio.Event()

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(OK)
        await go_on.wait()
        await talk.say(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        await read_and_close(await upstream.send(get()))
        assert upstream.idle == 1
        go_on.set()
        await eventually(lambda: upstream.idle == 0)
        await upstream.close()


class TiredPeer:
    """A thread that serves one call on each of two connections, and hangs up."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(5)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.may_hang_up = threading.Event()
        self.hung_up = threading.Event()

    def serve(self) -> None:
        with self._listener:
            for _ in range(2):
                sock, _ = self._listener.accept()
                with sock:
                    sock.recv(65_536)
                    sock.sendall(OK)
                    self.may_hang_up.wait(5)
                self.hung_up.set()


@pytest.mark.parametrize("body", [None, b"hello"], ids=["no body", "body"])
@on_every_loop
async def test_a_connection_found_closed_before_writing_is_skipped_for_every_method(
    body: bytes | None,
) -> None:
    """The end lies in the socket, and the event loop has had no turn to see it."""
    peer = TiredPeer()
    thread = threading.Thread(target=peer.serve, daemon=True)
    thread.start()
    upstream = HttpUpstream(peer.url)
    answer = await upstream.send(get())
    await read_all(answer)
    again = get(method="POST") if body is None else post(chunks_of(body), len(body))
    peer.may_hang_up.set()
    assert peer.hung_up.wait(5)  # the loop stands still
    await answer.close()
    assert upstream.idle == 1
    assert await read_and_close(await upstream.send(again)) == b"ok"
    await upstream.close()
    thread.join()


def stale() -> Script:
    """The first connection serves one call, hears another and hangs up without a word."""

    async def script(talk: Talk, number: int) -> None:
        await talk.head()
        await talk.say(OK)
        await talk.head()
        if number > 1:
            await talk.say(OK)

    return script


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
@on_every_loop
async def test_a_stale_connection_costs_an_idempotent_call_nothing(method: str) -> None:
    async with Peer(stale()) as peer:
        upstream = HttpUpstream(peer.url)
        await read_and_close(await upstream.send(get()))
        await read_and_close(await upstream.send(get(method=method)))
        assert peer.connections == 2
        assert upstream.in_use == 0
        await upstream.close()


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@on_every_loop
async def test_a_call_that_may_have_been_acted_on_is_not_repeated(method: str) -> None:
    async with Peer(stale()) as peer:
        upstream = HttpUpstream(peer.url)
        await read_and_close(await upstream.send(get()))
        with pytest.raises(UpstreamBrokenError):
            await upstream.send(get(method=method))
        assert peer.connections == 1
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@pytest.mark.parametrize(("method", "again"), [("PUT", True), ("GET", True), ("POST", False)])
@on_every_loop
async def test_a_body_that_was_begun_is_not_repeated_here(
    method: str,
    again: bool,  # noqa: FBT001
) -> None:
    async with Peer(stale()) as peer:
        upstream = HttpUpstream(peer.url)
        await read_and_close(await upstream.send(get()))
        with pytest.raises(UpstreamBrokenError) as raised:
            await upstream.send(post(chunks_of(b"hello"), 5, method=method))
        assert isinstance(raised.value, UpstreamStaleError) is again
        assert peer.connections == 1
        await upstream.close()


@on_every_loop
async def test_a_body_that_nobody_asked_for_goes_to_a_fresh_connection() -> None:
    """The peer's end is seen after the connection was chosen and before the body is begun."""
    asked = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal asked
        asked += 1
        yield b"hello"

    async with Peer(answering(OK)) as peer:
        upstream = HttpUpstream(peer.url)
        await read_and_close(await upstream.send(get()))
        connection = upstream._pool._idle[0]
        call = asyncio.ensure_future(upstream.send(post(body(), 5)))
        asyncio.get_running_loop().call_soon(connection.eof_received)
        assert await read_and_close(await call) == b"ok"
        assert (peer.connections, asked) == (2, 1)
        await upstream.close()


@on_every_loop
async def test_a_fresh_connection_that_breaks_is_not_repeated() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        with pytest.raises(UpstreamBrokenError, match="without an answer"):
            await upstream.send(get())
        assert peer.connections == 1
        await upstream.close()


@on_every_loop
async def test_a_second_stale_answer_is_an_error() -> None:
    """An idle connection that turns out stale is replaced by a fresh one, not by the next."""

    async def script(talk: Talk, number: int) -> None:
        if number < 3:
            await talk.head()
            await talk.say(OK)
        await talk.head()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        answers = [await upstream.send(get()) for _ in range(2)]
        for answer in answers:
            await read_and_close(answer)
        assert upstream.idle == 2
        with pytest.raises(UpstreamBrokenError):
            await upstream.send(get())
        assert (peer.connections, upstream.idle) == (3, 1)
        await upstream.close()


@on_every_loop
async def test_connections_that_are_idle_for_long_are_closed() -> None:
    async with Peer(answering(OK)) as peer:
        upstream = HttpUpstream(peer.url, idle_limit=0.02)
        await read_and_close(await upstream.send(get()))
        assert upstream.idle == 1
        await eventually(lambda: upstream.idle == 0)
        await upstream.close()


@on_every_loop
async def test_each_connection_has_an_age_of_its_own() -> None:
    async with Peer(answering(OK, OK)) as peer:
        upstream = HttpUpstream(peer.url, idle_limit=0.1)
        older, newer = await upstream.send(get()), await upstream.send(get())
        await read_and_close(older)
        started = asyncio.get_running_loop().time()
        await asyncio.sleep(0.05)
        await read_and_close(newer)
        await eventually(lambda: upstream.idle == 1)
        assert asyncio.get_running_loop().time() - started >= 0.09
        await eventually(lambda: upstream.idle == 0)
        assert asyncio.get_running_loop().time() - started >= 0.14
        await upstream.close()


@on_every_loop
async def test_a_connection_past_its_limit_is_not_used_although_no_timer_ran() -> None:
    async with Peer(answering(OK, OK)) as peer:
        upstream = HttpUpstream(peer.url)
        await read_and_close(await upstream.send(get()))
        upstream._pool._idle[0].idle_since -= 51
        await read_and_close(await upstream.send(get()))
        assert peer.connections == 2
        await upstream.close()


@on_every_loop
async def test_no_more_than_the_limit_are_kept() -> None:
    async with Peer(answering(OK)) as peer:
        upstream = HttpUpstream(peer.url, max_idle=2)
        answers = [await upstream.send(get()) for _ in range(3)]
        assert (upstream.idle, upstream.in_use) == (0, 3)
        for answer in answers:
            await read_and_close(answer)
        assert (upstream.idle, upstream.in_use) == (2, 0)
        await upstream.close()


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
@on_every_loop
async def test_a_connection_that_the_peer_will_close_is_not_kept(wire: bytes) -> None:
    async with Peer(answering(wire)) as peer:
        upstream = HttpUpstream(peer.url)
        assert await read_and_close(await upstream.send(get())) == b"ok"
        assert upstream.idle == 0
        await upstream.close()


@on_every_loop
async def test_an_answer_that_is_not_read_to_its_end_costs_the_connection() -> None:
    async with Peer(answering(OK)) as peer:
        upstream = HttpUpstream(peer.url)
        answer = await upstream.send(get())
        await answer.close()
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_closing_cuts_idle_connections_and_those_in_use() -> None:
    left = 0

    async def script(talk: Talk, number: int) -> None:
        nonlocal left
        await talk.head()
        await talk.say(OK if number == 1 else OK[:-1])
        await talk.closed()
        left += 1

    async with Peer(script) as peer:
        upstream: Upstream = HttpUpstream(peer.url)
        first, second = await upstream.send(get()), await upstream.send(get())
        await read_and_close(first)
        await upstream.close()
        with pytest.raises(UpstreamBrokenError, match="shuts down"):
            await read_all(second)
        await second.close()
        await eventually(lambda: left == 2)
        with pytest.raises(UpstreamConnectError, match="shuts down"):
            await upstream.send(get())
        await upstream.close()


@on_every_loop
async def test_a_call_that_wants_a_fresh_connection_leaves_the_idle_one_alone() -> None:
    async with Peer(answering(OK, OK)) as peer:
        upstream = HttpUpstream(peer.url)
        await read_and_close(await upstream.send(get()))
        assert upstream.idle == 1
        await read_and_close(await upstream.send(replace(get(), fresh=True)))
        assert upstream.idle == 2
        await upstream.close()


@on_every_loop
async def test_a_connection_that_is_not_to_be_used_again_is_cut() -> None:
    async with Peer(answering(OK, OK)) as peer:
        upstream = HttpUpstream(peer.url)
        answer = await upstream.send(get())
        assert await read_all(answer) == b"ok"
        await answer.close(reuse=False)
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()
