"""Calls as Zoom sees them, answers as our caller sees them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.core.errors import UpstreamBrokenError
from gateway.ports import UpstreamRequest
from gateway.zoom.upstream import HttpUpstream
from tests.zoom.peer import (
    OK,
    Peer,
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

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@on_every_loop
async def test_a_call_goes_out_byte_for_byte_and_its_answer_comes_back_as_it_was() -> None:
    heard: list[bytes] = []

    async def script(talk: Talk, _: int) -> None:
        heard.append(await talk.head())
        await talk.say(
            b"HTTP/1.1 200 Alright \xe9\r\nX-b: 1\r\nx-B: 2\r\nContent-Length: 2\r\n\r\nok"
        )

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        headers = ((b"hOsT", b"api.zoom.us"), (b"x-a", b"1"), (b"X-A", b"2"))
        target = b"/v2//meetings/%252Fa%3d%3D?next_page_token=&?"
        answer = await upstream.send(UpstreamRequest("GET", target, headers))
        assert (answer.status, answer.reason) == (200, "Alright é")
        assert answer.headers == [(b"X-b", b"1"), (b"x-B", b"2"), (b"Content-Length", b"2")]
        assert await read_and_close(answer) == b"ok"
        await upstream.close()
    assert heard == [
        b"GET " + target + b" HTTP/1.1\r\nhOsT: api.zoom.us\r\nx-a: 1\r\nX-A: 2\r\n\r\n"
    ]


@on_every_loop
async def test_a_bad_header_is_the_callers_mistake_and_nothing_is_sent() -> None:
    async with Peer(answering(OK)) as peer:
        upstream = HttpUpstream(peer.url)
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            await upstream.send(UpstreamRequest("GET", b"/", ((b"X", b"a\r\nB: c"),)))
        assert peer.connections == 0
        await upstream.close()


@on_every_loop
async def test_a_body_of_known_length_and_its_head_go_out_together() -> None:
    heard: list[bytes] = []

    async def script(talk: Talk, _: int) -> None:
        heard.append(await talk.some(65_536))
        await talk.say(OK)
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        answer = await upstream.send(post(chunks_of(b"hel", b"", b"lo"), 5))
        assert await read_and_close(answer) == b"ok"
        assert (upstream.idle, upstream.in_use) == (1, 0)
        await upstream.close()
    assert len(heard) == 1
    assert heard[0].endswith(b"\r\nContent-Length: 5\r\n\r\nhello")


@on_every_loop
async def test_a_body_of_unknown_length_is_chunked() -> None:
    heard: list[bytes] = []

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        heard.append(await talk.until(b"\r\n0\r\n\r\n"))
        await talk.say(OK)
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        await read_and_close(await upstream.send(post(chunks_of(b"hello", b"", b"x" * 26))))
        assert upstream.idle == 1
        await upstream.close()
    assert heard == [b"5\r\nhello\r\n1a\r\n" + b"x" * 26 + b"\r\n0\r\n\r\n"]


@on_every_loop
async def test_the_head_does_not_wait_for_a_body_that_is_not_at_hand() -> None:
    head_heard = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        await head_heard.wait()
        yield b"hello"

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        head_heard.set()
        assert await talk.read(5) == b"hello"
        await talk.say(OK)

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        assert await read_and_close(await upstream.send(post(body(), 5))) == b"ok"
        await upstream.close()


@on_every_loop
async def test_a_large_body_arrives_whole() -> None:
    block = bytes(range(256)) * 512
    rounds = 64

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        for _ in range(rounds):
            assert await talk.read(len(block)) == block
        await talk.say(OK)
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        answer = await upstream.send(post(chunks_of(*[block] * rounds), rounds * len(block)))
        assert await read_and_close(answer) == b"ok"
        assert upstream.idle == 1
        await upstream.close()


@pytest.mark.parametrize(("length", "word"), [(4, "longer"), (6, "shorter")])
@on_every_loop
async def test_a_body_of_another_length_than_declared_cuts_the_call(length: int, word: str) -> None:
    heard: list[bytes] = []

    async def script(talk: Talk, _: int) -> None:
        heard.append(await talk.some(65_536))
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        with pytest.raises(UpstreamBrokenError, match=word):
            await upstream.send(post(chunks_of(b"hel", b"lo"), length))
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await eventually(lambda: bool(heard))
        await upstream.close()
    assert not heard[0].endswith(b"hello")


@on_every_loop
async def test_what_the_body_raises_before_the_head_comes_out_unchanged() -> None:
    class CallerLeftError(Exception):
        pass

    gone = CallerLeftError()

    async def body() -> AsyncIterator[bytes]:
        yield b"h"
        await asyncio.sleep(0)
        raise gone

    async def script(talk: Talk, _: int) -> None:
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        with pytest.raises(CallerLeftError) as caught:
            await upstream.send(post(body(), 5))
        assert caught.value is gone
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        ("GET", b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 A\r\n\r\nHTTP/1.1 103 B\r\n\r\n" + OK, b"ok"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b""),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
        ("GET", CHUNKED + b"2\r\nok\r\n0\r\nT: x\r\n\r\n", b"ok"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)  # fmt: skip
@on_every_loop
async def test_after_every_framing_the_connection_is_used_again(
    method: str, answer: bytes, body: bytes
) -> None:
    async with Peer(answering(answer, answer)) as peer:
        upstream = HttpUpstream(peer.url)
        for _ in range(2):
            assert await read_and_close(await upstream.send(get(method=method))) == body
        assert peer.connections == 1
        assert (upstream.idle, upstream.in_use) == (1, 0)
        await upstream.close()


@on_every_loop
async def test_without_a_length_the_end_of_the_connection_ends_the_body() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhel", b"lo")

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        assert await read_and_close(await upstream.send(get())) == b"hello"
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_a_body_comes_as_it_arrives() -> None:
    seen = asyncio.Event()

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await seen.wait()
        await talk.say(b"cd")

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        answer = await upstream.send(get())
        chunks = answer.chunks()
        assert await anext(chunks) == b"ab"
        seen.set()
        assert await anext(chunks) == b"cd"
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)
        await answer.close()
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)
        await upstream.close()


CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
    "chunked": CHUNKED + b"5\r\nhello\r\n",
}


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("wire", CUT.values(), ids=CUT)
@on_every_loop
async def test_an_answer_that_is_cut_never_looks_complete(wire: bytes, how: str) -> None:
    seen = asyncio.Event()

    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(wire)
        await seen.wait()
        if how == "reset":
            await talk.reset()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        answer = await upstream.send(get())
        assert await anext(answer.chunks()) == b"hello"
        seen.set()
        for _ in range(2):
            with pytest.raises(UpstreamBrokenError):
                await anext(answer.chunks())
        await answer.close()
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000,
    ],
)
@on_every_loop
async def test_what_is_no_answer_breaks_the_call(wire: bytes) -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(wire)

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        with pytest.raises(UpstreamBrokenError):
            await upstream.send(get())
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()


@on_every_loop
async def test_bytes_after_the_end_put_the_answer_in_doubt() -> None:
    async with Peer(answering(OK + b"more")) as peer:
        upstream = HttpUpstream(peer.url)
        answer = await upstream.send(get())
        with pytest.raises(UpstreamBrokenError, match="after its end"):
            await read_all(answer)
        await answer.close()
        assert upstream.idle == 0
        await upstream.close()


@on_every_loop
async def test_a_body_where_none_may_be_costs_the_connection_but_not_the_answer() -> None:
    async with Peer(answering(b"HTTP/1.1 204 No Content\r\n\r\nstray")) as peer:
        upstream = HttpUpstream(peer.url)
        assert await read_and_close(await upstream.send(get(method="DELETE"))) == b""
        assert upstream.idle == 0
        await upstream.close()


@on_every_loop
async def test_reading_a_closed_answer_is_no_end() -> None:
    async with Peer(answering(OK)) as peer:
        upstream = HttpUpstream(peer.url)
        answer = await upstream.send(get())
        await answer.close()
        await answer.close()
        with pytest.raises(UpstreamBrokenError, match="closed"):
            await read_all(answer)
        assert (upstream.idle, upstream.in_use) == (0, 0)
        assert repr(answer) == "<HttpAnswer 200>"
        assert repr(upstream) == f"<HttpUpstream 127.0.0.1:{peer.port}, 0 idle, 0 in use>"
        await upstream.close()


@on_every_loop
async def test_many_calls_at_once() -> None:
    async def script(talk: Talk, _: int) -> None:
        while True:
            head = await talk.head()
            number = head.split(b" ")[1]
            await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(number), number)

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url, max_idle=8)

        async def call(number: int) -> None:
            for turn in range(5):
                target = b"/%d/%d" % (number, turn)
                assert await read_and_close(await upstream.send(get(target))) == target

        await asyncio.gather(*(call(number) for number in range(50)))
        assert upstream.in_use == 0
        assert upstream.idle == 8
        await upstream.close()
        await eventually(lambda: upstream.idle == 0)


@on_every_loop
async def test_an_answer_that_is_all_there_is_had_at_once_and_frees_its_connection() -> None:
    async with Peer(answering(OK, OK)) as peer:
        upstream = HttpUpstream(peer.url)
        for _ in range(2):
            answer = await upstream.send(get())
            assert answer.whole(1) is None  # too long
            assert upstream.in_use == 1
            assert answer.whole(2) == b"ok"
            assert (upstream.idle, upstream.in_use) == (1, 0)
            assert answer.whole(2) is None
            assert await read_and_close(answer) == b""
            assert (upstream.idle, upstream.in_use) == (1, 0)
        assert peer.connections == 1
        await upstream.close()


@on_every_loop
async def test_an_answer_that_is_not_all_there_or_more_than_that_is_not_had_at_once() -> None:
    go_on = asyncio.Event()

    async def script(talk: Talk, number: int) -> None:
        await talk.head()
        await talk.say(OK[:-1] if number == 1 else OK + b"HTTP")
        await go_on.wait()
        if number == 1:
            await talk.say(OK[-1:])
        await talk.closed()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        cut, over = await upstream.send(get()), await upstream.send(get())
        assert (cut.whole(9), over.whole(9)) == (None, None)
        go_on.set()
        assert await read_and_close(cut) == b"ok"
        with pytest.raises(UpstreamBrokenError):
            await read_and_close(over)
        await upstream.close()


@on_every_loop
async def test_an_answer_to_a_call_that_is_still_sent_is_not_had_at_once() -> None:
    async def script(talk: Talk, _: int) -> None:
        await talk.head()
        await talk.say(OK)
        await talk.closed()

    async def body() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async with Peer(script) as peer:
        upstream = HttpUpstream(peer.url)
        answer = await upstream.send(post(body()))
        assert answer.whole(9) is None
        assert await read_and_close(answer) == b"ok"
        assert (upstream.idle, upstream.in_use) == (0, 0)
        await upstream.close()
