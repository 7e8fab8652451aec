"""Refused calls: replayed, or passed on as Zoom said it."""

import asyncio
import gzip
import zlib
from pathlib import Path

import pytest

from gateway.core.errors import (
    TokenUnavailableError,
    UpstreamBrokenError,
    UpstreamConnectError,
    UpstreamTimeoutError,
)
from gateway.reports import ReplayOutcome
from gateway.web import background
from tests.support.listening import KIB, listening, until
from tests.support.raw_http import Heard, request
from tests.support.scripted_tokens import ScriptedTokens
from tests.support.scripted_upstream import ZOOM_REFUSES, Reply, ScriptedUpstream, refusal

GOOD = Reply(body=[b'{"id":"me"}'])


async def test_the_caller_never_sees_a_refusal_that_a_better_token_cures() -> None:
    async with listening(ScriptedUpstream(refusal(), GOOD)) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request())
        assert (heard.status, heard.body) == (200, b'{"id":"me"}')
        assert [sent.token for sent in running.upstream.sent] == [
            b"Bearer token-1",
            b"Bearer token-2",
        ]
        assert all(sent.closed for sent in running.upstream.sent)
        assert running.tokens.refused == [1]
        assert running.tokens.accepted == [2]
        (report,) = await running.reports.get()
        assert (report.replays, report.outcome) == (1, ReplayOutcome.RECOVERED)
        assert (report.status, report.generation) == (200, 2)
        assert report.upstream_duration <= report.duration


@pytest.mark.parametrize(
    "reply",
    [
        refusal(),
        Reply(401, headers=[(b"Content-Length", b"0")], reason="Unauthorized"),
        Reply(401, headers=[(b"Content-Type", b"text/html")], body=[b"<html>", b"</html>"]),
        Reply(400, body=[b'{"code":', b'124,"message":"Access token is expired."}']),
        Reply(401, headers=[(b"Content-Encoding", b"gzip")], body=[gzip.compress(ZOOM_REFUSES)]),
        Reply(400, headers=[(b"Content-Encoding", b"gzip")], body=[gzip.compress(ZOOM_REFUSES)]),
        Reply(400, headers=[(b"content-encoding", b"deflate")], body=[zlib.compress(ZOOM_REFUSES)]),
        Reply(401, headers=[(b"Content-Encoding", b"br")], body=[b"\x0b\x02"]),
        Reply(401, headers=[], body=[b"x" * 40 * KIB] * 4),
        Reply(401, headers=[(b"Content-Length", b"99")], body=[b"{", UpstreamBrokenError("cut")]),
    ],
)
async def test_every_kind_of_refusal_is_seen(reply: Reply) -> None:
    async with listening(ScriptedUpstream(reply, GOOD)) as running:
        async with await running.caller() as caller:
            assert (await caller.call(request())).status == 200
        assert len(running.upstream.sent) == 2
        assert running.upstream.sent[0].closed


@pytest.mark.parametrize(
    ("reply", "accepted"),
    [
        (Reply(401, body=[b'{"code":4711,"message":"does not contain scopes:[x]"}']), True),
        (Reply(400, body=[b'{"code":300,"message":"Validation Failed."}']), True),
        (Reply(400, body=[b'{"code":2300,"message":"not recognized"}']), False),
        (Reply(400, headers=[(b"Content-Encoding", b"br")], body=[ZOOM_REFUSES]), False),
        (Reply(403, body=[b'{"code":1}']), True),
        (Reply(404, headers=[(b"Content-Type", b"text/html")]), False),
        (Reply(429, body=[b'{"code":429}']), False),
        (Reply(302, headers=[(b"Location", b"https://file.zoom.us/x")]), False),
        (Reply(503, body=[b"{}"]), False),
        (Reply(204, headers=[]), True),
    ],
)
async def test_everything_else_is_passed_on_once(reply: Reply, accepted: bool) -> None:  # noqa: FBT001
    async with listening(ScriptedUpstream(reply)) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request())
        assert heard.status == reply.status
        assert heard.body == b"".join(p for p in reply.body if isinstance(p, bytes))
        assert running.tokens.accepted == ([1] if accepted else [])
        assert running.tokens.refused == []
        (report,) = await running.reports.get()
        assert (report.outcome, report.replays) == (None, 0)


async def test_a_refused_head_call_is_replayed_without_a_body_to_look_at() -> None:
    empty = Reply(401, headers=[(b"Content-Length", b"46")])
    good = Reply(200, headers=[(b"Content-Length", b"11"), (b"Content-Type", b"text/plain")])
    async with listening(ScriptedUpstream(empty, good)) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request(method=b"HEAD"), head=True)
            assert (heard.status, heard.one(b"content-length")) == (200, b"11")
            # The connection goes on: nothing of a body was written.
            assert (await caller.call(request(method=b"HEAD"), head=True)).status == 200
        assert running.tokens.refused == [1]


def body(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def posted(size: int, *, chunked: bool) -> bytes:
    if not chunked:
        return request(method=b"POST", body=body(size))
    data = body(size)
    chunks = [data[i : i + 5000] for i in range(0, size, 5000)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return request(b"/v2/users/me", b"Transfer-Encoding: chunked", method=b"POST") + framed


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [1, 60 * KIB, 64 * KIB + 1, 900 * KIB])
@pytest.mark.parametrize("reads", ["all", "some", "none"])
async def test_a_refused_post_is_sent_again_with_its_whole_body(
    size: int,
    reads: str,
    chunked: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    upstream = ScriptedUpstream(refusal(reads=reads), refusal(reads=reads), GOOD)
    async with listening(upstream, directory=str(tmp_path)) as running:
        async with await running.caller() as caller:
            heard = await caller.call(posted(size, chunked=chunked))
            assert heard.status == 200
            assert (await caller.call(request())).status == 200
        last = upstream.sent[2]
        assert bytes(last.body) == body(size)
        assert last.body_ended
        frame = [b"chunked"] if chunked else [b"%d" % size]
        for sent in upstream.sent[:3]:
            assert sent.values(b"transfer-encoding" if chunked else b"content-length") == frame
        report = (await running.reports.get(2))[0]
        assert (report.replays, report.outcome) == (2, ReplayOutcome.RECOVERED)
        assert report.bytes_in == size


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_disk_limit_streams_and_its_refusal_is_passed_on(
    chunked: bool,  # noqa: FBT001
) -> None:
    async with listening(ScriptedUpstream(refusal(), GOOD)) as running:
        async with await running.caller() as caller:
            heard = await caller.call(posted(2000 * KIB, chunked=chunked))
            assert (heard.status, heard.body) == (401, ZOOM_REFUSES)
            assert heard.values(b"x-zoom-gateway-error") == []
            assert (await caller.call(request())).status == 200
        assert bytes(running.upstream.sent[0].body) == body(2000 * KIB)
        await until(lambda: running.tokens.refused == [1])  # for the good of others
        report = (await running.reports.get(2))[0]
        assert (report.replays, report.outcome) == (0, ReplayOutcome.IMPOSSIBLE)
        assert (report.status, report.error) == (401, "")
        assert report.bytes_in == 2000 * KIB


async def test_a_huge_body_refused_before_it_was_read_is_sent_again() -> None:
    async with listening(ScriptedUpstream(refusal(reads="none"), GOOD)) as running:
        async with await running.caller() as caller:
            assert (await caller.call(posted(2000 * KIB, chunked=False))).status == 200
        assert bytes(running.upstream.sent[1].body) == body(2000 * KIB)


async def test_a_body_that_outgrows_the_limit_while_a_token_is_awaited() -> None:
    tokens = ScriptedTokens()
    tokens.gate = asyncio.Event()
    async with listening(ScriptedUpstream(refusal(reads="some"), GOOD), tokens=tokens) as running:
        async with await running.caller() as caller:
            data = posted(2000 * KIB, chunked=True)
            await caller.send(data[: 10 * KIB])
            await tokens.asked.wait()
            await caller.send(data[10 * KIB :])
            await until(lambda: running.upstream.sent[0].body_ended)
            tokens.gate.set()
            heard = await caller.hear()
            assert (heard.status, heard.body) == (401, ZOOM_REFUSES)
        (report,) = await running.reports.get()
        assert report.outcome is ReplayOutcome.IMPOSSIBLE
        assert len(running.upstream.sent) == 1


async def test_an_unwritable_directory_costs_the_replay_and_warns_once(tmp_path: Path) -> None:
    directory = str(tmp_path / "missing")
    async with listening(ScriptedUpstream(refusal(), GOOD), directory=directory) as running:
        async with await running.caller() as caller:
            assert (await caller.call(posted(900 * KIB, chunked=False))).status == 401
        assert len(running.spool_failures) == 1
        assert bytes(running.upstream.sent[0].body) == body(900 * KIB)


async def test_without_a_better_token_zooms_own_answer_is_passed_on() -> None:
    said = [
        (b"Content-Type", b"application/json;charset=UTF-8"),
        (b"Set-Cookie", b"zm_aid=1"),
        (b"x-zm-trackingid", b"WEB_1"),
        (b"Content-Length", b"%d" % len(ZOOM_REFUSES)),
    ]
    reply = refusal(headers=said, body=[ZOOM_REFUSES[:9], ZOOM_REFUSES[9:]])
    async with listening(ScriptedUpstream(reply), tokens=ScriptedTokens(supply=1)) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request())
        assert (heard.status_line, heard.body) == (b"HTTP/1.1 401 Unauthorized", ZOOM_REFUSES)
        assert heard.headers[:-1] == [said[0], said[2], said[3]]
        (report,) = await running.reports.get()
        assert (report.outcome, report.replays) == (ReplayOutcome.REFUSED, 0)
        assert (report.tracking_id, report.error) == ("WEB_1", "")


async def test_a_compressed_refusal_is_passed_on_as_it_came() -> None:
    packed = gzip.compress(ZOOM_REFUSES)
    reply = refusal(headers=[(b"Content-Encoding", b"gzip")], body=[packed[:20], packed[20:]])
    async with listening(ScriptedUpstream(reply), tokens=ScriptedTokens(supply=1)) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request())
        assert heard.body == packed
        assert heard.one(b"content-encoding") == b"gzip"


async def test_a_long_refusal_is_passed_on_whole() -> None:
    pieces = [bytes([65 + n]) * 30 * KIB for n in range(5)]
    reply = Reply(401, headers=[(b"Content-Type", b"text/html")], body=pieces)
    async with (
        listening(ScriptedUpstream(reply), tokens=ScriptedTokens(supply=1)) as running,
        await running.caller() as caller,
    ):
        assert (await caller.call(request())).body == b"".join(pieces)


async def test_a_call_is_sent_three_times_at_most() -> None:
    async with listening(ScriptedUpstream(refusal())) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request(method=b"POST", body=b"once"))
        assert (heard.status, heard.body) == (401, ZOOM_REFUSES)
        assert [sent.token[-1:] for sent in running.upstream.sent] == [b"1", b"2", b"3"]
        assert [bytes(sent.body) for sent in running.upstream.sent] == [b"once"] * 3
        (report,) = await running.reports.get()
        assert (report.outcome, report.replays) == (ReplayOutcome.REFUSED, 2)
        assert report.generation == 3


ERRORS = [
    (UpstreamConnectError("no route"), 502, "upstream_connect"),
    (UpstreamTimeoutError("60 s"), 504, "upstream_timeout"),
    (UpstreamBrokenError("reset"), 502, "upstream_broken"),
]


@pytest.mark.parametrize(("error", "status", "slug"), ERRORS)
@pytest.mark.parametrize("replay", [False, True])
async def test_faults_on_the_way(
    error: Exception,
    status: int,
    slug: str,
    replay: bool,  # noqa: FBT001
) -> None:
    script = [refusal()] if replay else []
    async with listening(ScriptedUpstream(*script, Reply(fails=error))) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request(method=b"POST", body=b"x"))
            assert (heard.status, heard.slug) == (status, slug)
            assert "Zoom" in heard.json()["message"]
            assert heard.values(b"x-request-id")
            again = await caller.call(request())
            assert again.status == status
        report = (await running.reports.get(2))[0]
        assert (report.status, report.error) == (status, slug)
        assert report.outcome is (ReplayOutcome.FAILED if replay else None)


async def test_no_token() -> None:
    tokens = ScriptedTokens()
    tokens.unavailable = TokenUnavailableError("the token endpoint does not answer", 7)
    async with listening(tokens=tokens) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request(method=b"POST", body=b"x"))
            assert (heard.status, heard.slug) == (503, "token_unavailable")
            assert heard.one(b"retry-after") == b"7"
            assert "the token endpoint does not answer" in heard.json()["message"]
        assert running.upstream.sent == []
        (report,) = await running.reports.get()
        assert (report.generation, report.upstream_duration) == (0, 0.0)


async def test_a_refusal_that_breaks_off_cannot_be_passed_on() -> None:
    reply = refusal(body=[b"{", UpstreamBrokenError("cut")])
    async with (
        listening(ScriptedUpstream(reply), tokens=ScriptedTokens(supply=1)) as running,
        await running.caller() as caller,
    ):
        assert (await caller.call(request())).slug == "upstream_broken"


async def test_waiting_for_tokens_is_no_time_of_zooms() -> None:
    tokens = ScriptedTokens()
    tokens.gate = asyncio.Event()
    async with listening(ScriptedUpstream(refusal(), GOOD), tokens=tokens) as running:
        async with await running.caller() as caller:
            await caller.send(request())
            await tokens.asked.wait()
            asyncio.get_running_loop().call_later(0.05, tokens.gate.set)
            assert (await caller.hear()).status == 200
        (report,) = await running.reports.get()
        assert report.token_wait >= 0.045
        assert report.upstream_duration <= report.duration - report.token_wait + 0.001


async def test_refusals_behind_the_callers_back_are_bounded_and_end_with_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "BACKGROUND", 2)
    tokens = ScriptedTokens()
    tokens.gate = asyncio.Event()
    async with listening(ScriptedUpstream(refusal()), tokens=tokens) as running:
        for _ in range(4):
            async with await running.caller() as caller:
                heard: Heard = await caller.call(posted(1100 * KIB, chunked=False))
                assert heard.status == 401
        await until(lambda: len(tokens.refused) == 2)
    assert tokens.refused == [1, 1]
    assert tokens.cancelled == 2


async def test_a_fault_of_the_manager_behind_the_callers_back_is_heard() -> None:
    tokens = ScriptedTokens()
    tokens.fault = LookupError("bug")
    async with listening(ScriptedUpstream(refusal()), tokens=tokens) as running:
        async with await running.caller() as caller:
            assert (await caller.call(posted(1100 * KIB, chunked=False))).status == 401
        await until(lambda: running.unhandled)
        assert running.unhandled == [tokens.fault]
        running.unhandled.clear()


async def test_a_fault_of_our_own_is_a_500_that_says_nothing_and_is_heard_once() -> None:
    canary = RuntimeError("canary-secret")
    async with listening(ScriptedUpstream(Reply(fails=canary))) as running:
        async with await running.caller() as caller:
            heard = await caller.call(request())
            assert (heard.status, heard.slug) == (500, "internal")
            assert b"canary" not in heard.body
            assert b"Traceback" not in heard.body
        assert running.unhandled == [canary]
        running.unhandled.clear()
