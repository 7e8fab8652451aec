"""429s: told apart, passed on as they came, or sent again after their time."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core import ratelimit
from gateway.core.errors import UpstreamConnectError
from gateway.core.keys import DEFAULT_FIELD, Keys
from gateway.core.limits import Limits
from gateway.core.policy import Policy
from gateway.core.ratelimit import Kind, Limited
from gateway.core.secret import Secret
from gateway.core.token import Token
from gateway.reports import CallReport, ReplayOutcome, RetryOutcome, Throttling
from gateway.web import received
from gateway.web.access import Access
from gateway.web.accounts import AccountContext
from tests.core.test_ratelimit import AT_ONCE, DAY, SECONDS, USER
from tests.support.listening import KIB, Listening, listening, until
from tests.support.raw_http import request
from tests.support.scripted_tokens import ScriptedCall, ScriptedTokens, token
from tests.support.scripted_upstream import Reply, ScriptedUpstream, refusal

GOOD = Reply(body=[b'{"id":"me"}'])


def refused(message: str = SECONDS, **fields: str) -> Reply:
    """As Zoom limits a call."""
    body = json.dumps({"code": 429, "message": message}).encode()
    head = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    said = head | {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [(name.encode(), value.encode()) for name, value in said.items()]
    return Reply(429, lines, body=[body], reason="Too Many Requests")


@pytest.fixture(autouse=True)
def _seconds_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "SECOND", 0.01)
    monkeypatch.setattr(ratelimit, "_SPREAD", 0.01)


@asynccontextmanager
async def limited(
    *script: Reply, retries: int = 0, tokens: ScriptedTokens | None = None, call_timeout: float = 0
) -> AsyncIterator[Listening]:
    tokens = tokens or ScriptedTokens()
    async with listening(
        ScriptedUpstream(*script),
        tokens=tokens,
        accounts=[AccountContext("default", tokens, retries=retries)],
        has_default=False,
        limits=Limits(call_timeout=call_timeout),
        memory_limit=4 * KIB,
        disk_limit=4 * KIB,
    ) as running:
        yield running


async def reported(running: Listening) -> tuple[CallReport, Throttling]:
    (report,) = await running.reports.get()
    assert report.throttling is not None
    return report, report.throttling


class TestPassedOn:
    @pytest.mark.parametrize(
        ("message", "kind"),
        [
            (SECONDS, Kind.PER_SECOND),
            (DAY, Kind.DAILY),
            (USER, Kind.PER_USER),
            (AT_ONCE, Kind.CONCURRENT),
            ("Busy.", Kind.UNKNOWN),
        ],
    )
    async def test_unchanged_and_told_apart(self, message: str, kind: Kind) -> None:
        fields = {"X_RateLimit_Category": "Light", "Retry_After": "2020-05-31T00:00:00Z"}
        reply = refused(message, **fields)
        async with limited(reply) as running, await running.caller() as caller:
            heard = await caller.call(request())
            assert heard.status_line == b"HTTP/1.1 429 Too Many Requests"
            assert [heard.body] == list(reply.body)
            assert heard.one(b"retry-after") == b"2020-05-31T00:00:00Z"
            assert heard.values(b"x-zoom-gateway-error") == []
            report, story = await reported(running)
            assert story.seen == [Limited("light", kind, 0.0)]
            assert (story.retries, story.outcome, report.outcome) == (0, None, None)
        assert running.tokens.accepted == running.tokens.refused == []

    async def test_compressed_bytes_stay_as_they_are(self) -> None:
        body = gzip.compress(json.dumps({"message": DAY}).encode())
        fields = [(b"Content-Encoding", b"gzip"), (b"Content-Length", b"%d" % len(body))]
        reply = Reply(429, fields, body=[body])
        async with limited(reply, retries=3) as running, await running.caller() as caller:
            assert (await caller.call(request())).body == body
            _, story = await reported(running)
            assert story.seen == [Limited("unknown", Kind.DAILY, None)]

    async def test_a_long_page_of_the_front_streams_through(self) -> None:
        pieces = [b"x" * 40 * KIB] * 8
        reply = Reply(429, [(b"Content-Type", b"text/html")], body=pieces)
        async with limited(reply, retries=3) as running, await running.caller() as caller:
            assert (await caller.call(request())).body == b"".join(pieces)
            _, story = await reported(running)
            assert story.seen == [Limited("unknown", Kind.UNKNOWN, None)]
        assert len(running.upstream.sent) == 1

    async def test_a_body_that_does_not_come_is_not_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(received, "PEEK", 0.05)
        late = asyncio.Event()
        fields = [(b"X-RateLimit-Type", b"Daily-limit")]
        reply = Reply(429, fields, body=[b'{"mess', late, b'age":""}'])
        async with limited(reply) as running, await running.caller() as caller:
            await caller.send(request())
            heard = await caller.hear_head()
            late.set()
            await caller._body(heard)
            assert heard.body == b'{"message":""}'
            _, story = await reported(running)
            assert story.seen == [Limited("unknown", Kind.DAILY, None)]

    async def test_of_an_answer_to_head_the_header_says_it(self) -> None:
        fields = [(b"X-RateLimit-Type", b"QPS"), (b"Content-Length", b"80")]
        async with limited(Reply(429, fields)) as running, await running.caller() as caller:
            assert (await caller.call(request(method=b"HEAD"), head=True)).status == 429
            _, story = await reported(running)
            assert story.seen == [Limited("unknown", Kind.PER_SECOND, None)]


class TestSentAgain:
    @pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE"])
    async def test_the_second_is_waited_for(self, method: bytes) -> None:
        body = b'{"topic":"x"}' if method == b"POST" else None
        async with limited(refused(), GOOD, retries=3) as running:
            async with await running.caller() as caller:
                heard = await caller.call(request(method=method, body=body))
            assert (heard.status, heard.body) == (200, b'{"id":"me"}')
            report, story = await reported(running)
            assert (story.retries, story.outcome) == (1, RetryOutcome.RECOVERED)
            assert report.upstream_duration <= report.duration
        first, second = running.upstream.sent
        assert bytes(first.body) == bytes(second.body) == (body or b"")
        assert second.fresh is (body is not None)
        assert first.closed
        assert (running.tokens.accepted, running.tokens.refused) == ([1], [])

    async def test_so_many_times_and_no_more(self) -> None:
        async with limited(refused(), retries=2) as running:
            async with await running.caller() as caller:
                heard = await caller.call(request())
            assert heard.status_line == b"HTTP/1.1 429 Too Many Requests"
            _, story = await reported(running)
            assert (story.retries, story.outcome) == (2, RetryOutcome.LIMITED)
        assert len(story.seen) == len(running.upstream.sent) == 3

    async def test_not_before_the_moment_that_zoom_names(self) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=0.3)
        reply = refused(Retry_After=moment.isoformat())
        async with (
            limited(reply, GOOD, retries=1) as running,
            await running.caller() as caller,
        ):
            assert (await caller.call(request())).status == 200
        assert time.time() >= moment.timestamp()

    @pytest.mark.parametrize("message", [DAY, USER, AT_ONCE, "Busy."])
    async def test_but_not_for_any_other_limit(self, message: str) -> None:
        async with limited(refused(message), GOOD, retries=10) as running:
            async with await running.caller() as caller:
                assert (await caller.call(request())).status == 429
            _, story = await reported(running)
            assert (story.retries, story.outcome) == (0, None)
        assert len(running.upstream.sent) == 1

    async def test_nor_if_its_time_is_too_far_away(self) -> None:
        async with limited(refused(Retry_After="11"), GOOD, retries=10) as running:
            async with await running.caller() as caller:
                assert (await caller.call(request())).status == 429
            _, story = await reported(running)
            assert story.outcome is RetryOutcome.TOO_LATE

    async def test_nor_beyond_half_of_what_the_call_may_take(self) -> None:
        slow = refused(Retry_After="3")
        async with limited(slow, GOOD, retries=10, call_timeout=5) as running:
            async with await running.caller() as caller:
                assert (await caller.call(request())).status == 429
            _, story = await reported(running)
            assert story.outcome is RetryOutcome.TOO_LATE

    async def test_nor_if_its_body_was_too_large_to_be_kept(self) -> None:
        async with limited(refused(), GOOD, retries=3) as running:
            async with await running.caller() as caller:
                large = request(method=b"POST", body=b"x" * 20 * KIB)
                assert (await caller.call(large)).status == 429
            _, story = await reported(running)
            assert story.outcome is RetryOutcome.IMPOSSIBLE

    async def test_a_refusal_of_the_token_after_it_is_cured_as_ever(self) -> None:
        async with limited(refused(), refusal(), refused(), GOOD, retries=3) as running:
            async with await running.caller() as caller:
                assert (await caller.call(request())).status == 200
            report, story = await reported(running)
            assert (story.retries, story.outcome) == (2, RetryOutcome.RECOVERED)
            assert (report.replays, report.outcome) == (1, ReplayOutcome.RECOVERED)
        tokens = [sent.token for sent in running.upstream.sent]
        assert tokens == [b"Bearer token-1"] * 2 + [b"Bearer token-2"] * 2
        assert running.tokens.accepted == [2]

    async def test_with_the_token_that_is_active_then(self) -> None:
        class Rotating(ScriptedTokens):
            def call(self, endpoint: object) -> ScriptedCall:
                del endpoint
                return Call(self)

        class Call(ScriptedCall):
            begun = False

            def ready(self) -> Token | None:  # type: ignore[override]  # more than the double
                self.begun, begun = True, self.begun
                return token(2 if begun else 1)

        async with (
            limited(refused(), GOOD, retries=1, tokens=Rotating()) as running,
            await running.caller() as caller,
        ):
            assert (await caller.call(request())).status == 200
        tokens = [sent.token for sent in running.upstream.sent]
        assert tokens == [b"Bearer token-1", b"Bearer token-2"]

    async def test_an_error_after_it_is_told(self) -> None:
        broken = Reply(fails=UpstreamConnectError("no way"))
        async with limited(refused(), broken, retries=1) as running:
            async with await running.caller() as caller:
                assert (await caller.call(request())).status == 502
            _, story = await reported(running)
            assert (story.retries, story.outcome) == (1, RetryOutcome.FAILED)

    async def test_a_caller_that_leaves_meanwhile_leaves_nothing_behind(self) -> None:
        async with limited(refused(Retry_After="9"), GOOD, retries=1) as running:
            async with await running.caller() as caller:
                await caller.send(request())
                await until(lambda: running.upstream.sent and running.upstream.sent[0].closed)
            report, story = await reported(running)
            assert (report.status, story.outcome) == (499, RetryOutcome.FAILED)
        assert len(running.upstream.sent) == 1


async def test_what_an_answer_tells_of_a_limit_is_reported() -> None:
    fields = [(b"X-RateLimit-Remaining", b"7"), (b"X-RateLimit-Category", b"Heavy")]
    size = (b"Content-Length", b"2")
    replies = [Reply(200, [*fields, size], body=[b"{}"]), Reply(200, [size], body=[b"{}"])]
    async with limited(*replies) as running, await running.caller() as caller:
        for _ in replies:
            await caller.call(request())
        first, second = await running.reports.get(2)
    assert first.told is not None
    assert first.told[b"x-ratelimit-remaining"] == b"7"
    assert (second.told, second.throttling) == (None, None)


@pytest.mark.parametrize("policy", [None, Policy([], default_allows=True, operations=())])
async def test_the_name_of_the_key_is_reported_for_repeated_calls_too(
    policy: Policy | None,
) -> None:
    keys = Keys({"crm": Secret("a-key-of-some-length-7d1f")})
    access = Access(policy, lambda: keys, DEFAULT_FIELD)
    shown = DEFAULT_FIELD + b": a-key-of-some-length-7d1f"
    async with listening(access=access) as running, await running.caller() as caller:
        for path in (b"/v2/a", b"/v2/a", b"/v2/a", b"/v2/b"):
            assert (await caller.call(request(path, shown))).status == 200
        reports = await running.reports.get(4)
    assert [report.key for report in reports] == ["crm"] * 4
    assert [report.who for report in reports] == ["crm"] * 4
