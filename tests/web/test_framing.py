"""How calls are cut out of the caller's bytes, and what is refused instead."""

import asyncio
import json

import pytest

from gateway.core.limits import Limits
from tests.support.listening import KIB, Listening, listening, until
from tests.support.raw_http import Heard, request
from tests.support.scripted_upstream import Reply, ScriptedUpstream, refusal

HOST = b"Host: g\r\n"
POST = b"POST /v2/x HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def with_length(value: bytes) -> bytes:
    return POST + b"Content-Length: %b\r\n\r\nhello" % value


def get(target: bytes = b"/", fields: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"GET %b HTTP/%b\r\n%b%b\r\n" % (target, version, HOST, fields)


BAD = {
    "length and chunks": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "chunks and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "gzip": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "two codings": (POST + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", 400),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "chunks in 1.0": (CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
    "same length twice": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    "list of lengths": (with_length(b"5, 5"), 400),
    "negative": (with_length(b"-5"), 400),
    "plus": (with_length(b"+5"), 400),
    "hex": (with_length(b"0x5"), 400),
    "underscore": (with_length(b"0_5"), 400),
    "no length": (with_length(b""), 400),
    "length beyond 64 bits": (with_length(b"9" * 23), 400),
    "length of 64 bits": (with_length(b"18446744073709551615"), 400),
    "bad chunk size": (CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n", 400),
    "negative chunk size": (CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n", 400),
    "chunk longer than said": (CHUNKED + b"3\r\nhello\r\n0\r\n\r\n", 400),
    "chunks with bare LF": (CHUNKED + b"5\nhello\n0\n\n", 400),
    "chunk size beyond 64 bits": (CHUNKED + b"f" * 17 + b"\r\nhello\r\n0\r\n\r\n", 400),
    "folded field": (get(fields=b"X: a\r\n b\r\n"), 400),
    "blank before colon": (get(fields=b"X : a\r\n"), 400),
    "no colon": (get(fields=b"XYZ\r\n"), 400),
    "no name": (get(fields=b": x\r\n"), 400),
    "bare LF": (b"GET / HTTP/1.1\nHost: g\n\n", 400),
    "bare CR in a field": (get(fields=b"X: a\rb\r\n"), 400),
    "NUL in a field": (get(fields=b"X: a\0b\r\n"), 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (get(fields=HOST), 400),
    "unknown method": (b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "small letters": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "garbage": (b"\x00\x01\x02\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "version 2.0": (get(version=b"2.0"), 505),
    "version 1.2": (get(version=b"1.2"), 400),
    "no version": (b"GET / HTTX/1.1\r\n" + HOST + b"\r\n", 400),
    "space in the target": (get(b"/a b"), 400),
    "UTF-8 in the target": (get("/ä".encode()), 400),
    "latin-1 in the target": (get("/ä".encode("latin-1")), 400),
    "control character in the target": (get(b"/\x01"), 400),
    "tab in the target": (get(b"/a\tb"), 400),
    "CONNECT": (b"CONNECT g:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "bad absolute form": (get(b"http://[::1/x"), 400),
    "bad port": (get(b"http://g:99999999/x"), 400),
    "no slash": (get(b"foo"), 400),
    "long target": (get(b"/" + b"a" * 99_999), 414),
    "long field": (get(fields=b"X: " + b"a" * 17_000 + b"\r\n"), 431),
    "long name": (get(fields=b"X" * 17_000 + b": a\r\n"), 431),
    "many fields": (get(fields=b"X: a\r\n" * 140), 431),
}


async def refused(running: Listening, data: bytes, status: int, *, pace: int = 0) -> Heard:
    """Send it (`pace` bytes at a time); the answer must be ours, and the connection end."""
    async with await running.caller() as caller:
        for start in range(0, len(data), pace or len(data)):
            await caller.send(data[start : start + (pace or len(data))])
            if pace:
                await asyncio.sleep(0)
        heard = await caller.hear()
        assert heard.status == status
        assert heard.slug
        assert heard.one(b"connection") == b"close"
        assert heard.one(b"x-request-id")
        assert b"aiohttp" not in b"".join(value for _, value in heard.headers)
        assert await caller.ended() == b""
    return heard


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("pace", [0, 7])
async def test_bad_framing_is_refused_and_the_connection_ends(name: str, pace: int) -> None:
    data, status = BAD[name]
    async with listening() as running:
        await refused(running, data, status, pace=pace if len(data) < 2000 else 4000)
        (report,) = await running.reports.get()
        assert (report.status, report.bytes_out > 0) == (status, True)
        assert report.error
        if not running.upstream.sent:
            assert report.route in ("other", "/v2/users/{userId}")
        for sent in running.upstream.sent:
            assert not sent.body_ended


MILD = {
    "fragment": (get(b"/a#b"), 400),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "other scheme": (get(b"ftp://g/x"), 400),
    "other host": (get(b"http://h/x"), 421),
    "TRACE": (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "a byte too long": (get(b"/" + b"a" * 8192), 414),
    "oauth": (get(b"/oauth%2ftoken"), 404),
}


@pytest.mark.parametrize("name", MILD)
async def test_what_is_well_framed_is_refused_without_ending_the_connection(name: str) -> None:
    data, status = MILD[name]
    async with listening() as running:
        async with await running.caller() as caller:
            heard = await caller.call(data)
            assert heard.status == status
            assert heard.slug
            assert (await caller.call(request())).status == 200
        assert len(running.upstream.sent) == 1


FINE = {
    "target of 8 KiB": get(b"/" + b"a" * 8191),
    "field of 16 KiB": get(fields=b"X: " + b"a" * 16_300 + b"\r\n"),
    "120 fields": get(fields=b"X: a\r\n" * 120),
    "leading line ends": b"\r\n\r\n" + get(),
    "latin-1 in a field": get(fields=b"X: \xe4\r\n"),
    "chunk extension": CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n",
    "empty chunks": CHUNKED + b"0\r\n\r\n",
}


@pytest.mark.parametrize("name", FINE)
async def test_unusual_but_right(name: str) -> None:
    async with listening() as running, await running.caller() as caller:
        assert (await caller.call(FINE[name])).status == 200
        assert (await caller.call(request())).status == 200


async def test_a_body_that_breaks_on_its_way_spoils_its_call_alone() -> None:
    async with (
        listening(ScriptedUpstream(refusal(reads="some"), Reply())) as running,
        await running.caller() as caller,
    ):
        await caller.send(CHUNKED + b"5\r\nhello\r\n")
        await running.upstream.arrived.wait()
        await caller.send(b"nonsense\r\n")
        heard = await caller.hear()
        assert (heard.status, heard.slug) == (400, "bad_request")
        assert await caller.ended() == b""


async def test_a_body_that_breaks_after_the_answer_began_ends_the_connection() -> None:
    more = asyncio.Event()
    upstream = ScriptedUpstream(Reply(200, [], [b"a", more, b"b"], reads="some"))
    async with listening(upstream) as running, await running.caller() as caller:
        await caller.send(CHUNKED + b"5\r\nhello\r\n")
        await caller.hear_head()
        await caller.send(b"nonsense\r\n")
        more.set()
        assert (await caller.ended()).endswith(b"1\r\nb\r\n0\r\n\r\n")


async def test_pipelined_calls_are_answered_in_order() -> None:
    upstream = ScriptedUpstream()
    upstream.choose = lambda sent: Reply(body=[sent.target + bytes(sent.body)])
    calls = b"".join(
        request(b"/v2/%d" % n, method=b"POST", body=b"b%d" % n) if n % 3 else request(b"/v2/%d" % n)
        for n in range(100)
    )
    async with listening(upstream) as running:
        async with await running.caller() as caller:
            await caller.send(calls)
            for n in range(100):
                assert (await caller.hear()).body == b"/v2/%d" % n + (b"b%d" % n if n % 3 else b"")
        assert [bytes(sent.body) for sent in upstream.sent[:4]] == [b"", b"b1", b"b2", b""]
        await running.reports.get(100)


async def test_garbage_behind_a_call_does_not_hurt_it() -> None:
    async with listening() as running:
        async with await running.caller() as caller:
            await caller.send(request(method=b"POST", body=b"x"))
            await running.upstream.arrived.wait()
            await caller.send(b"\0garbage\r\n\r\n" * 1000)
            assert (await caller.hear()).status == 200
            assert (await caller.hear()).slug == "bad_request"
            assert await caller.ended() == b""
        await running.reports.get(2)


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket", b"tcp"])
async def test_an_offer_to_upgrade_is_declined_and_the_connection_ends(upgrade: bytes) -> None:
    call = request(b"/v2/x", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + upgrade)
    async with listening() as running:
        async with await running.caller() as caller:
            await caller.send(call)
            heard = await caller.hear()
            assert (heard.status, heard.one(b"connection")) == (200, b"close")
            assert await caller.ended() == b""
        names = [name.lower() for name, _ in running.upstream.sent[0].headers]
        assert b"upgrade" not in names
        assert b"connection" not in names


async def test_connection_close_is_obeyed() -> None:
    async with listening() as running, await running.caller() as caller:
        heard = await caller.call(request(b"/v2/x", b"Connection: close"))
        assert heard.one(b"connection") == b"close"
        assert await caller.ended() == b""


EXPECT = b"Expect: 100-continue"


async def test_the_body_is_asked_for_when_it_is_wanted() -> None:
    body = b"x" * 200 * KIB
    async with listening(ScriptedUpstream(refusal(), Reply(body=[b"{}"]))) as running:
        async with await running.caller() as caller:
            whole = request(b"/v2/x", EXPECT, method=b"POST", body=body)
            await caller.send(whole[: -len(body)])
            assert (await caller.hear_head()).status_line == b"HTTP/1.1 100 Continue"
            await caller.send(body)
            assert (await caller.hear()).status == 200
            assert (await caller.call(request())).status == 200
        for sent in running.upstream.sent[:2]:
            assert bytes(sent.body) == body
            assert sent.values(b"expect") == []


async def test_a_body_that_comes_unasked_is_not_asked_for() -> None:
    async with listening() as running, await running.caller() as caller:
        heard = await caller.call(request(b"/v2/x", EXPECT, method=b"POST", body=b"x"))
        assert heard.status == 200


async def test_a_body_that_nobody_wanted_ends_the_connection() -> None:
    async with (
        listening(ScriptedUpstream(Reply(413, reads="none"))) as running,
        await running.caller() as caller,
    ):
        whole = request(b"/v2/x", EXPECT, method=b"POST", body=b"x" * 10)
        heard = await caller.call(whole[:-10])
        assert (heard.status, heard.one(b"connection")) == (413, b"close")
        assert await caller.ended() == b""


async def test_http_1_0_is_told_nothing_in_between() -> None:
    async with listening() as running, await running.caller() as caller:
        whole = request(b"/v2/x", EXPECT, method=b"POST", body=b"x" * 10, version=b"1.0")
        await caller.send(whole[:-10])
        await running.upstream.arrived.wait()
        await caller.send(whole[-10:])
        assert (await caller.hear()).status == 200


async def test_an_early_answer_to_a_big_body_arrives_and_the_connection_goes_on() -> None:
    async with (
        listening(ScriptedUpstream(Reply(413, reads="none"), Reply())) as running,
        await running.caller() as caller,
    ):
        await caller.send(request(method=b"POST", body=b"x" * 4000 * KIB))
        assert (await caller.hear()).status == 413
        assert (await caller.call(request())).status == 200


async def test_a_big_head_that_is_refused_still_hears_why() -> None:
    async with listening() as running, await running.caller() as caller:
        await caller.send(get(b"/" + b"a" * 200_000))
        assert (await caller.hear()).status == 414
        for _ in range(10):
            await caller.send(b"a" * 100_000)
        caller.writer.write_eof()
        assert await caller.ended() == b""


async def test_a_head_that_comes_too_slowly() -> None:
    async with listening(limits=Limits(header_timeout=0.5)) as running:
        async with await running.caller() as caller:
            assert (await caller.call(request())).status == 200
            await caller.send(b"\r\n")  # what old clients send behind a body is no head
            await caller.send(b"GET / HT")
            heard = await caller.hear()
            assert (heard.status, heard.slug) == (408, "header_timeout")
            assert await caller.ended() == b""
        report = (await running.reports.get(2))[1]
        assert (report.status, report.method, report.account) == (408, "other", "unknown")


async def test_a_head_in_pieces_in_time() -> None:
    slow = asyncio.Event()
    async with (
        listening(
            ScriptedUpstream(Reply(waits=slow)), limits=Limits(header_timeout=1.0)
        ) as running,
        await running.caller() as caller,
    ):
        await caller.send(request()[:10])
        await until(lambda: any(c._head_timer for c in running.connections))
        await caller.send(request()[10:])
        asyncio.get_running_loop().call_later(1.2, slow.set)
        assert (await caller.hear()).status == 200


async def test_a_body_that_comes_too_slowly() -> None:
    limits = Limits(body_timeout=0.05)
    async with listening(limits=limits) as running, await running.caller() as caller:
        await caller.send(request(method=b"POST", body=b"x" * 10)[:-5])
        heard = await caller.hear()
        assert (heard.status, heard.slug) == (408, "body_timeout")
        assert await caller.ended() == b""


async def test_our_own_answers_to_head_have_no_body() -> None:
    async with listening() as running, await running.caller() as caller:
        heard = await caller.call(request(b"/@nobody/v2", method=b"HEAD"), head=True)
        assert heard.status == 404
        assert int(heard.one(b"content-length")) > 10
        assert (await caller.call(request())).status == 200


async def test_405_says_what_is_allowed() -> None:
    async with listening() as running, await running.caller() as caller:
        heard = await caller.call(b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert heard.one(b"allow").startswith(b"GET, HEAD, POST")
        assert json.loads(heard.body)["code"] == 405


WITHHELD = {
    "an unknown account": (b"POST /@nobody/x HTTP/1.1", b"", 404),
    "two accounts": (b"POST /@a/x HTTP/1.1", b"X-Zoom-Account: b\r\n", 400),
    "a bad target": (b"POST //@two/x HTTP/1.1", b"", 404),
    "a spelling of the token endpoint": (b"POST //oauth/token HTTP/1.1", b"", 404),
    "another host": (b"POST http://evil.test/x HTTP/1.1", b"", 421),
    "a method": (b"TRACE /x HTTP/1.1", b"", 405),
    "a long target": (b"POST /" + b"a" * 8192 + b" HTTP/1.1", b"", 414),
}


@pytest.mark.parametrize("name", WITHHELD)
async def test_a_body_that_waits_for_100_is_not_taken_for_the_next_call(name: str) -> None:
    line, fields, status = WITHHELD[name]
    head = line + b"\r\n" + HOST + fields + b"Expect: 100-continue\r\nContent-Length: 40\r\n\r\n"
    async with listening() as running, await running.caller() as caller:
        heard = await caller.call(head)
        assert heard.status == status
        assert heard.one(b"connection") == b"close"
        assert await caller.ended() == b""
    assert not running.upstream.sent


async def test_all_fields_together_have_a_limit() -> None:
    fields = b"".join(b"X-%d: %b\r\n" % (number, b"a" * 9000) for number in range(8))
    async with listening() as running, await running.caller() as caller:
        heard = await caller.call(get(fields=fields))
        assert (heard.status, heard.slug) == (431, "headers_too_large")
        assert await caller.ended() == b""


async def test_an_unfinished_head_has_the_same_limit() -> None:
    async with listening() as running, await running.caller() as caller:
        await caller.send(b"GET / HTTP/1.1\r\n" + HOST)
        for number in range(20):
            await caller.send(b"X-%d: %b\r\n" % (number, b"a" * 9000))
        heard = await caller.hear()
        assert (heard.status, heard.slug) == (431, "headers_too_large")
