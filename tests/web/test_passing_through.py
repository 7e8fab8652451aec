"""What goes through unchanged, and what does not go through."""

import asyncio

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.core.target import MAX_TARGET
from gateway.web.accounts import AccountContext
from tests.support.listening import KIB, listening
from tests.support.raw_http import request
from tests.support.scripted_tokens import ScriptedTokens
from tests.support.scripted_upstream import Reply, ScriptedUpstream

VISIBLE = [bytes([byte]) for byte in range(0x21, 0x7F) if byte != ord("#")]
PIECE = st.one_of(
    st.sampled_from(VISIBLE),
    st.integers(0, 255).map(lambda byte: b"%%%02X" % byte),
    st.sampled_from([b"//", b"%252F", b"?", b"&", b"=", b";", b"@", b"+", b"[", b":", b"%"]),
)
TARGETS = st.lists(PIECE, max_size=40).map(lambda pieces: b"/v2/" + b"".join(pieces))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TARGETS, min_size=1, max_size=15))
@example([b"/v2/past_meetings/%252Fa%252Fb%253D%253D", b"/v2/meetings/%2fabc%3D%3D", b"/v2//x"])
@example([b"/v2/users?", b"/v2/users?next_page_token=", b"/meetings/?page_size=30&", b"/?"])
@example([b'/v2/%5B%5D[]{}|\\^`"<>', b"//[a/c", b"//a:b/c", b"/:80/x", b"/v2/../..//"])
@example([b"/v2/" + b"a" * (MAX_TARGET - 4), b"/v2/%00%0d%0a%ff"])
def test_targets_reach_zoom_byte_for_byte(targets: list[bytes]) -> None:
    async def run() -> None:
        async with listening() as running:
            async with await running.caller() as caller:
                for target in targets:
                    assert (await caller.call(request(target))).status == 200, target
            assert [sent.target for sent in running.upstream.sent] == targets

    asyncio.run(run())


async def test_the_callers_header_reaches_zoom_clean() -> None:
    async with listening() as running:
        async with await running.caller() as caller:
            await caller.call(
                request(
                    b"/v2/users/me",
                    b"User-Agent: zoomus",
                    b"authorization: Bearer bogus",
                    b"Authorization: Basic Ym9ndXM=",
                    b"Cookie: zm_aid=stolen",
                    b"X-Forwarded-For: 10.0.0.1",
                    b"Forwarded: for=10.0.0.1",
                    b"X-Real-IP: 10.0.0.1",
                    b"Connection: authorization, host, content-length, x-hop",
                    b"X-Hop: 1",
                    b"x-Twice: 1",
                    b"Accept-Encoding: gzip, compress, deflate, br",
                    b"X-twice: \xe4",
                    b"TE: trailers",
                    method=b"POST",
                    body=b"{}",
                )
            )
        (sent,) = running.upstream.sent
        assert sent.headers == [
            (b"User-Agent", b"zoomus"),
            (b"x-Twice", b"1"),
            (b"Accept-Encoding", b"gzip, compress, deflate, br"),
            (b"X-twice", b"\xe4"),
            (b"Host", b"api.zoom.test"),
            (b"Content-Length", b"2"),
            (b"Authorization", b"Bearer token-1"),
        ]


async def test_zooms_header_reaches_the_caller_clean() -> None:
    said = [
        (b"Date", b"Wed, 21 Oct 2026 07:28:00 GMT"),
        (b"server", b"cloudflare"),
        (b"Content-Type", b"application/json;charset=UTF-8"),
        (b"Set-Cookie", b"zm_aid=1"),
        (b"X-RateLimit-Remaining", b"5"),
        (b"Vary", b"a"),
        (b"VARY", b"b"),
        (b"Retry-After", b"2020-05-31T00:00:00Z"),
        (b"Connection", b"keep-alive, X-Hop"),
        (b"X-Hop", b"1"),
        (b"x-latin", b"\xff\xfe"),
        (b"Content-Length", b"2"),
        (b"x-zm-trackingid", b"WEB_2"),
        (b"X-Request-Id", b"theirs"),
    ]
    async with listening(ScriptedUpstream(Reply(418, said, [b"{}"], reason="I'm a teapot"))) as it:
        async with await it.caller() as caller:
            heard = await caller.call(request(b"/v2/users/me", b"X-Request-Id: mine"))
        assert heard.status_line == b"HTTP/1.1 418 I'm a teapot"
        dropped = {b"Set-Cookie", b"Connection", b"X-Hop", b"X-Request-Id"}
        kept = [field for field in said if field[0] not in dropped]
        assert heard.headers == [*kept, (b"X-Request-Id", b"mine")]
        (report,) = await it.reports.get()
        assert (report.tracking_id, report.request_id) == ("WEB_2", "mine")


async def test_no_header_is_invented() -> None:
    async with listening(ScriptedUpstream(Reply(200, [], [b"x"], reason=""))) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request())
        assert heard.status_line == b"HTTP/1.1 200 "
        assert [name for name, _ in heard.headers] == [b"X-Request-Id", b"Transfer-Encoding"]
        assert len(heard.one(b"x-request-id")) == 32


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"OPTIONS", b"PATCH", b"PUT", b"QUERY"])
@pytest.mark.parametrize("body", [None, b"", b"{}", b"null"])
async def test_any_method_with_and_without_a_body(method: bytes, body: bytes | None) -> None:
    async with listening() as running:
        async with await running.caller() as caller:
            assert (await caller.call(request(method=method, body=body))).status == 200
            assert (await caller.call(request())).status == 200
        sent = running.upstream.sent[0]
        assert sent.method == method.decode()
        assert bytes(sent.body) == (body or b"")
        assert sent.has_body is bool(body)
        declared = [] if body is None else [b"%d" % len(body)]
        assert sent.values(b"content-length") == declared


@pytest.mark.parametrize(
    ("said", "body", "heard_headers"),
    [
        ([(b"Content-Length", b"6")], [b"abc", b"def"], {b"content-length": b"6"}),
        (
            [(b"Transfer-Encoding", b"chunked")],
            [b"abc", b"def"],
            {b"transfer-encoding": b"chunked"},
        ),
        ([], [b"abc", b"def"], {b"transfer-encoding": b"chunked"}),
        ([(b"Content-Length", b"0")], [], {b"content-length": b"0"}),
        ([], [], {b"transfer-encoding": b"chunked"}),
    ],
)
async def test_how_answers_are_framed(
    said: list[tuple[bytes, bytes]], body: list[bytes], heard_headers: dict[bytes, bytes]
) -> None:
    async with (
        listening(ScriptedUpstream(Reply(200, said, body))) as running,
        await running.caller() as caller,
    ):
        for _ in range(2):
            heard = await caller.call(request())
            framing = {n.lower(): v for n, v in heard.headers if n != b"X-Request-Id"}
            assert (framing, heard.body) == (heard_headers, b"".join(body))


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("length", [None, b"0", b"17"])
async def test_answers_without_a_body(status: int, length: bytes | None) -> None:
    said = [] if length is None else [(b"Content-Length", length)]
    async with (
        listening(ScriptedUpstream(Reply(status, said))) as running,
        await running.caller() as caller,
    ):
        for _ in range(2):
            heard = await caller.call(request())
            assert heard.status == status
            lengths = [length] if length and status == 304 else []
            assert heard.values(b"content-length") == lengths
            assert heard.values(b"transfer-encoding") == []


async def test_the_head_and_every_piece_come_without_delay() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    reply = Reply(200, [], [first, b"one", second, b"two"])
    async with listening(ScriptedUpstream(reply)) as running, await running.caller() as caller:
        await caller.send(request())
        assert (await caller.hear_head()).status == 200
        first.set()
        assert await caller.reader.readexactly(8) == b"3\r\none\r\n"
        second.set()
        assert await caller.reader.readexactly(13) == b"3\r\ntwo\r\n0\r\n\r\n"


async def test_large_bodies_go_through_both_ways_at_once() -> None:
    size = 3000 * KIB
    reply = Reply(200, [], [bytes([n % 251]) * 100 * KIB for n in range(30)], reads="some")
    async with listening(ScriptedUpstream(reply)) as running, await running.caller() as caller:
        heard = await caller.call(request(method=b"POST", body=b"x" * size))
        assert len(heard.body) == size


@pytest.mark.parametrize(
    ("fields", "sent"), [((), b"1.1"), ((b"Connection: keep-alive",), b"keep-alive")]
)
async def test_callers_of_http_1_0(fields: tuple[bytes, ...], sent: bytes) -> None:
    async with (
        listening(ScriptedUpstream(Reply(200, None, [b"abc"]))) as running,
        await running.caller() as caller,
    ):
        call = request(b"/v2/users/me", *fields, version=b"1.0")
        heard = await caller.call(call)
        assert heard.body == b"abc"
        if fields:
            assert heard.one(b"connection") == sent
            assert (await caller.call(call)).body == b"abc"
        else:
            assert heard.one(b"connection") == b"close"
            assert await caller.ended() == b""


async def test_http_1_0_gets_no_chunks_but_the_connections_end() -> None:
    async with (
        listening(ScriptedUpstream(Reply(200, [], [b"abc", b"def"]))) as running,
        await running.caller() as caller,
    ):
        heard = await caller.call(
            request(b"/v2/users/me", b"Connection: keep-alive", version=b"1.0")
        )
        assert heard.body == b"abcdef"
        assert heard.values(b"transfer-encoding") == []
        assert heard.one(b"connection") == b"close"


async def test_http_1_0_without_a_host() -> None:
    async with listening() as running:
        async with await running.caller() as caller:
            assert (await caller.call(b"GET /v2/x HTTP/1.0\r\n\r\n")).status == 200
        assert running.upstream.sent[0].values(b"host") == [b"api.zoom.test"]


async def test_the_absolute_form_is_cut_to_its_path() -> None:
    async with listening() as running:
        async with await running.caller() as caller:
            call = request(b"http://gateway.test:8080/v2/%252F?")
            assert (await caller.call(call)).status == 200
            assert (await caller.call(request(b"http://evil.test/v2"))).slug == "other_host"
        assert [sent.target for sent in running.upstream.sent] == [b"/v2/%252F?"]


async def test_accounts_by_prefix_header_and_placeholder() -> None:
    eu = ScriptedTokens()
    eu.current = 7
    async with listening(accounts=[AccountContext("eu", eu, "acc-eu")]) as running:
        async with await running.caller() as caller:
            for call in (
                request(b"/@eu/v2/users?a=b"),
                request(b"/v2/users?a=b", b"x-zoom-account: eu"),
                request(b"/v2/users?a=b", b"Authorization: Bearer zoom-gateway.eu"),
            ):
                assert (await caller.call(call)).status == 200
            assert (await caller.call(request())).status == 200
        *chosen, default = running.upstream.sent
        for sent in chosen:
            assert (sent.target, sent.token) == (b"/v2/users?a=b", b"Bearer token-7")
            assert sent.values(b"x-zoom-account") == []
        assert default.token == b"Bearer token-1"
        reports = await running.reports.get(4)
        assert [report.account for report in reports] == ["eu", "eu", "eu", "default"]


@pytest.mark.parametrize(
    ("call", "status", "slug"),
    [
        (request(b"/@nobody/v2"), 404, "unknown_account"),
        (request(b"/@/v2"), 404, "unknown_account"),
        (request(b"/v2", b"X-Zoom-Account: nobody"), 404, "unknown_account"),
        (request(b"/v2", b"X-Zoom-Account:"), 404, "unknown_account"),
        (request(b"/@eu/v2", b"X-Zoom-Account: default"), 400, "account_conflict"),
    ],
)
async def test_accounts_that_are_not_there(call: bytes, status: int, slug: str) -> None:
    async with listening(accounts=[AccountContext("eu", ScriptedTokens(), "acc-eu")]) as running:
        async with await running.caller() as caller:
            heard = await caller.call(call)
            assert (heard.status, heard.slug) == (status, slug)
            assert b"eu" not in heard.body.replace(b"must", b"")
            assert (await caller.call(request())).status == 200
        report = (await running.reports.get(2))[0]
        assert (report.account, report.route, report.error) == ("unknown", "other", slug)
        assert len(running.upstream.sent) == 1


@pytest.mark.parametrize("sent", [b"a b", b"", b"x" * 129, b'"'])
async def test_an_insane_request_id_is_replaced(sent: bytes) -> None:
    async with listening() as running:
        async with await running.caller() as caller:
            heard = await caller.call(request(b"/v2/users/me", b"X-Request-Id: " + sent))
        assert len(heard.one(b"x-request-id")) == 32


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Content-Length", b"1"), (b"Content-Length", b"2")],
        [(b"Content-Length", b"x")],
        [(b"X", b"a\r\nSet-Cookie: b")],
    ],
)
async def test_an_answer_that_contradicts_itself(headers: list[tuple[bytes, bytes]]) -> None:
    async with listening(ScriptedUpstream(Reply(200, headers, [b"x"]))) as running:
        async with await running.caller() as caller:
            assert (await caller.call(request())).slug == "upstream_broken"
        assert running.upstream.sent[0].closed


async def test_an_interim_status_is_no_answer() -> None:
    async with (
        listening(ScriptedUpstream(Reply(101, []))) as running,
        await running.caller() as caller,
    ):
        assert (await caller.call(request())).slug == "upstream_broken"


async def test_a_reason_of_any_bytes_stays_on_its_line() -> None:
    async with listening(ScriptedUpstream(Reply(200, reason="fine\r\nX: y"))) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request())
        assert heard.status_line == b"HTTP/1.1 200 OK"
        assert heard.values(b"x") == []
