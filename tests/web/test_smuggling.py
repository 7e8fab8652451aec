"""No byte of one call is read as another: the corpus, sent every way it can arrive."""

import asyncio

import pytest

from tests.support.listening import until
from tests.support.raw_http import request
from tests.support.strict_http import MalformedError, read_answers, read_requests
from tests.web.corpus import CASES
from tests.web.corpus.case import CHUNKED, HOST, POST, SMUGGLED, Case
from tests.web.smuggling import AFTER, arena, in_packets
from tests.zoom.corpus import ANSWERS, Answer

BY_NAME = {case.name: case for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_call_is_what_its_framing_says_and_nothing_else(case: Case) -> None:
    packets = in_packets(case)
    wire = b"".join(packets)
    async with arena() as field:
        await field.play(case, packets)
        await field.play(case, packets, before=True)
        if len(wire) < 1_000:
            await field.play(case, [wire[at : at + 1] for at in range(len(wire))])


SPLIT = [
    "lengths: CL.TE",
    "lengths: TE.CL",
    "lengths: TE.TE folded",
    "lengths: two lengths",
    "lengths: body longer than its length",
    "chunks: one chunk",
    "chunks: bare LF in an extension",
    "chunks: bare CR at the end",
    "chunks: data longer than its size",
    "chunks: connection as a trailer",
    "heads: bare CR in a value",
    "sequences: two calls",
    "sequences: a refusal and its body",
]


@pytest.mark.parametrize("name", SPLIT)
async def test_where_the_packets_end_makes_no_difference(name: str) -> None:
    case = BY_NAME[name]
    packet, *rest = in_packets(case)
    async with arena() as field:
        for at in range(1, len(case.wire) + 1):
            await field.play(case, [packet[:at], packet[at:], *rest])


@pytest.mark.parametrize("trailers", [b"X-Zoom-Account: other\r\n", b"X-A: b\r\nX: \r\n"])
@pytest.mark.parametrize("behind", [b"", b"0\r\n\r\n"])
async def test_trailers_do_not_reach_the_next_call(trailers: bytes, behind: bytes) -> None:
    """Behind 32 calls in hand the parser pauses, with the rest in store."""
    ahead = b"GET /v2/ahead HTTP/1.1\r\n" + HOST + b"\r\n"
    evil = CHUNKED + b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n"
    next_one = (
        b"POST /v2/next HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    )
    for count in (0, 31, 32):
        async with arena() as field:
            async with await field.running.caller() as caller:
                await caller.send(ahead * count + evil + (next_one + behind if behind else b""))
                for _ in range(count):
                    assert (await caller.hear()).status == 200
                heard = await caller.hear()
                assert (heard.status, heard.one(b"connection")) == (200, b"close")
                assert await caller.ended() == b""
            targets = [request.start[1] for request in field.recorder.requests]
            assert targets == [b"/v2/ahead"] * count + [b"/v2/first"]


async def test_a_call_in_the_packet_of_a_whole_chunked_one_is_not_taken() -> None:
    chunks = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"
    async with arena() as field:
        async with await field.running.caller() as caller:
            heard = await caller.call(chunks + SMUGGLED)
            assert (heard.status, heard.one(b"connection")) == (200, b"close")
            assert await caller.ended() == b""
        async with await field.running.caller() as caller:
            for _ in range(40):
                assert (await caller.call(chunks)).status == 200
        assert {request.start[1] for request in field.recorder.requests} == {b"/v2/first"}


@pytest.mark.parametrize("cut", range(1, 14))
async def test_a_call_in_the_packet_of_a_chunked_bodys_end_is_taken(cut: int) -> None:
    """Where the body had begun before; also where it holds what looks like its end."""
    end = b"\r\n0\r\n\r\n"
    chunks = CHUNKED + b"15\r\n" + end * 3 + end
    async with arena() as field, await field.running.caller() as caller:
        await caller.send(chunks[: -14 + cut])
        await until(lambda: field.recorder.connections)
        await caller.send(chunks[-14 + cut :] + AFTER)
        assert (await caller.hear()).body.endswith(end * 3)
        assert (await caller.hear()).status == 200
        assert (await caller.call(AFTER)).status == 200


async def test_of_much_behind_a_chunked_bodys_end_nothing_is_taken() -> None:
    """To search all that comes for the end would double what a large upload costs."""
    chunks = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"
    large = POST + b"Content-Length: 20000\r\n\r\n" + b"x" * 20_000
    async with arena() as field:
        async with await field.running.caller() as caller:
            await caller.send(chunks[:-7])
            await until(lambda: field.recorder.connections)
            await caller.send(chunks[-7:] + large)
            heard = await caller.hear()
            assert (heard.status, heard.one(b"connection")) == (200, b"close")
            assert await caller.ended() == b""
        (only,) = field.recorder.requests
        assert (only.start[1], only.body) == (b"/v2/first", b"hello")


EARLY = {
    "a length": (
        CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: %d") % 70_000,
        b"",
    ),
    "chunks": (CHUNKED + b"%x\r\n" % 70_000, b"\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("name", EARLY)
async def test_the_rest_of_a_body_behind_an_early_answer_is_no_call(name: str) -> None:
    head, end = EARLY[name]
    body = (SMUGGLED * 2000)[:70_000]
    async with arena(early=True) as field:
        async with await field.running.caller() as caller:
            await caller.send(head + body[:9])
            assert (await caller.hear()).status == 413
            await caller.send(body[9:] + end)
            assert (await caller.call(AFTER)).status == 413
        assert [request.start for request in field.recorder.requests] == [(b"GET", b"/v2/after")]
        assert field.recorder.faults == []


@pytest.mark.parametrize("line", [b"CONNECT g:443 HTTP/1.1", b"POST /@nobody HTTP/1.1"])
async def test_a_refusal_arrives_though_the_body_follows_unasked(line: bytes) -> None:
    size = 1_000_000
    head = line + b"\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size
    async with arena() as field, await field.running.caller() as caller:
        heard = await caller.call(head)
        assert heard.status in (404, 405)
        assert heard.one(b"connection") == b"close"
        for _ in range(10):
            await caller.send(b"x" * (size // 10))  # would be reset
            await asyncio.sleep(0.001)
        assert await caller.ended() == b""
        assert field.recorder.connections == []


async def test_calls_that_wait_behind_a_broken_one_do_not_act() -> None:
    async with arena() as field:
        async with await field.running.caller() as caller:
            await caller.send(request(b"/v2/a") + b"\0" + request(b"/v2/b") * 20)
            heard = await caller.hear()
            assert heard.status == 400
            assert await caller.ended() == b""
        assert field.recorder.requests == []


@pytest.mark.parametrize(
    "case",
    [one for one in ANSWERS if one.body is None and not one.late and one.why != "bounded"],
    ids=lambda case: case.name,
)
def test_what_no_caller_may_hear_would_be_a_fault_in_an_answer(case: Answer) -> None:
    """The same for the answers that are heard."""
    try:
        found, rest = read_answers(case.wire, [case.method], ended=True)
    except MalformedError:
        return
    assert rest or not found or case.then == "resets", case.why


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.ends and not c.last], ids=lambda case: case.name
)
def test_what_is_refused_would_be_a_fault_at_the_recorder(case: Case) -> None:
    """A check of the check: none of it passes for the calls that were sent."""
    try:
        found, rest = read_requests(case.wire)
    except MalformedError:
        return
    assert rest or [(*one.start, one.body) for one in found] != [*case.sent], case.why
