"""Answers that come before the request's body is at its end."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator

import pytest

from gateway.core.errors import UpstreamBrokenError
from gateway.zoom.upstream import HttpUpstream
from gateway.zoom.upstream.sender import eagerly
from tests.zoom.peer import (
    OK,
    Peer,
    Talk,
    chunks_of,
    eventually,
    on_every_loop,
    post,
    read_all,
    read_and_close,
    trusting,
)

REFUSED = b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 12\r\n\r\n{"code":124}'


class SlowBody:
    """A body that gives one chunk and then waits; knows whether somebody waits for it."""

    def __init__(self) -> None:
        self.waiting = False
        self.go_on = asyncio.Event()
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"hel"
        self.waiting = True
        try:
            await self.go_on.wait()
        finally:
            self.waiting = False
        if self.error:
            raise self.error
        yield b"lo"


@on_every_loop
async def test_the_head_is_there_although_the_body_is_still_being_sent() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(REFUSED)
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        body = SlowBody()
        answer = await upstream.send(post(aiter(body), 5))
        assert answer.status == 401
        assert await read_all(answer) == b'{"code":124}'
        await eventually(lambda: body.waiting)
        assert upstream.in_use == 1
        await answer.close()
        assert not body.waiting
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_the_body_goes_on_while_the_answer_is_read() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n->\r\n")
        heard = await talk.until(b"0\r\n\r\n")
        await talk.say(b"%x\r\n%b\r\n0\r\n\r\n" % (len(heard), heard))
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        body = SlowBody()
        answer = await upstream.send(post(aiter(body)))
        assert await anext(answer.chunks()) == b"->"
        body.go_on.set()
        assert await read_and_close(answer) == b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
        assert (upstream.idle, upstream.in_use) == (1, 0)
        await upstream.close()


@on_every_loop
async def test_a_body_that_fails_after_the_head_breaks_the_answer_with_its_own_exception() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegin")
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        body = SlowBody()
        answer = await upstream.send(post(aiter(body), 5))
        await eventually(lambda: body.waiting)
        assert await anext(answer.chunks()) == b"begin"
        body.error = KeyError("caller left")
        body.go_on.set()
        with pytest.raises(KeyError) as caught:
            await read_all(answer)
        assert caught.value is body.error
        await answer.close()
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_a_complete_answer_stands_though_the_body_fails() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(REFUSED)
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        body = SlowBody()
        answer = await upstream.send(post(aiter(body), 5))
        await eventually(lambda: body.waiting)
        body.error = KeyError("caller left")
        body.go_on.set()
        await eventually(lambda: not body.waiting)
        assert await read_and_close(answer) == b'{"code":124}'
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_a_body_that_was_sent_whole_need_not_have_been_asked_for_its_end() -> None:
    forever = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"hello"
        await forever.wait()

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        assert await talk.read(5) == b"hello"
        await talk.say(OK)
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        assert await read_and_close(await upstream.send(post(body(), 5))) == b"ok"
        assert (upstream.idle, upstream.in_use) == (1, 0)
        await upstream.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@on_every_loop
async def test_a_refusal_survives_a_peer_that_hears_no_more_and_hangs_up(
    secure: bool,  # noqa: FBT001  # a parameter of the test
    tls_pair: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """The peer reads the head alone, answers and closes, so that writes meet a reset."""
    server, client = tls_pair if secure else (None, None)

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(REFUSED.replace(b"Content-L", b"Connection: close\r\nContent-L"))

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 16_384

    async with Peer(script, tls=server) as peer:
        upstream = HttpUpstream(peer.url, tls=trusting(client))
        for _ in range(20):
            answer = await upstream.send(post(body()))
            assert answer.status == 401
            assert await read_and_close(answer) == b'{"code":124}'
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


class RudePeer:
    """A thread that reads a little of a call, refuses it and hangs up: a reset follows.

    A thread, since the event loop of the test must stand still meanwhile.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(5)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.heard = threading.Event()
        self.loop_stands_still = threading.Event()
        self.hung_up = threading.Event()

    def serve(self) -> None:
        with self._listener:
            sock, _ = self._listener.accept()
        # Or the system would keep small pieces back, and a reset drops what was not sent.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            sock = self._tls.wrap_socket(sock, server_side=True)
        with sock:
            sock.recv(10)
            self.heard.set()
            self.loop_stands_still.wait(5)
            sock.sendall(REFUSED)
        self.hung_up.set()


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@on_every_loop
async def test_a_refusal_that_lies_unread_in_the_socket_is_not_lost_by_the_next_write(
    secure: bool,  # noqa: FBT001  # a parameter of the test
    size: int,
    tls_pair: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = tls_pair if secure else (None, None)
    peer = RudePeer(server)

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 60_000
        await eventually(peer.heard.is_set)
        peer.loop_stands_still.set()
        assert peer.hung_up.wait(5)
        while True:
            yield b"x" * size
            await asyncio.sleep(0)

    thread = threading.Thread(target=peer.serve, daemon=True)
    thread.start()
    upstream = HttpUpstream(peer.url, tls=trusting(client))
    answer = await upstream.send(post(body()))
    assert answer.status == 401
    assert await read_and_close(answer) == b'{"code":124}'
    await upstream.close()
    thread.join()


@on_every_loop
async def test_a_peer_that_hangs_up_without_a_word_breaks_the_call() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.reset()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        with pytest.raises(UpstreamBrokenError):
            await upstream.send(post(chunks_of(*[b"x" * 65_536] * 200)))
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


def test_an_awaitable_that_is_given_up_is_closed() -> None:
    closed: list[str] = []

    async def sleeper() -> None:
        try:
            await asyncio.sleep(0)
        except GeneratorExit:
            closed.append("closed")
            raise

    steps = eagerly(sleeper(), lambda: closed.append("waits"))
    assert next(steps) is None
    steps.close()
    assert closed == ["waits", "closed"]
