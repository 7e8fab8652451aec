"""How long a refusal is looked at, and what becomes of the connection it came on."""

import asyncio

import pytest

from gateway.core.errors import UpstreamBrokenError
from gateway.reports import ReplayOutcome
from gateway.web import received
from tests.support.listening import listening
from tests.support.raw_http import request
from tests.support.scripted_upstream import Reply, ScriptedUpstream, refusal

JSON = [(b"Content-Type", b"application/json")]


async def test_a_401_whose_body_does_not_come_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received, "PEEK", 0.05)
    stuck = Reply(401, body=[b'{"co', asyncio.Event()])
    upstream = ScriptedUpstream(stuck, Reply(body=[b"{}"]))
    async with listening(upstream) as running, await running.caller() as caller:
        heard = await caller.call(request())
        assert heard.status == 200
        (report,) = await running.reports.get(1)
    assert report.outcome is ReplayOutcome.RECOVERED


async def test_a_400_whose_body_comes_slowly_streams_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received, "PEEK", 0.05)
    late = asyncio.Event()
    upstream = ScriptedUpstream(Reply(400, JSON, body=[b'{"code":', late, b" 300", b"}"]))
    async with listening(upstream) as running, await running.caller() as caller:
        await caller.send(request())
        heard = await caller.hear_head()
        assert heard.status == 400
        late.set()
        await caller._body(heard)
        assert (heard.body, heard.complete) == (b'{"code": 300}', True)


async def test_a_400_that_breaks_after_it_was_looked_at_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(received, "PEEK", 0.05)
    late = asyncio.Event()
    broken = UpstreamBrokenError("cut")
    upstream = ScriptedUpstream(Reply(400, JSON, body=[b'{"code":', late, broken]))
    async with listening(upstream) as running, await running.caller() as caller:
        await caller.send(request())
        heard = await caller.hear_head()
        late.set()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await caller._chunked(heard)


async def test_a_caller_that_leaves_while_a_refusal_is_looked_at_leaves_nothing_behind() -> None:
    upstream = ScriptedUpstream(Reply(401, body=[b"{", asyncio.Event()]))
    async with listening(upstream) as running:
        async with await running.caller() as caller:
            await caller.send(request())
            await upstream.arrived.wait()
        (report,) = await running.reports.get(1)
    assert report.status == 499
    assert upstream.sent[0].closed


async def test_a_refused_body_is_sent_again_on_a_fresh_connection() -> None:
    upstream = ScriptedUpstream(refusal(), Reply(body=[b"{}"]))
    async with listening(upstream) as running, await running.caller() as caller:
        assert (await caller.call(request(method=b"POST", body=b"{}"))).status == 200
    first, second = upstream.sent
    assert (first.fresh, second.fresh) == (False, True)
    assert not first.reusable
    assert second.reusable


async def test_a_refused_call_without_a_body_needs_none() -> None:
    upstream = ScriptedUpstream(refusal(), Reply(body=[b"{}"]))
    async with listening(upstream) as running, await running.caller() as caller:
        assert (await caller.call(request())).status == 200
    first, second = upstream.sent
    assert not second.fresh
    assert first.reusable


async def test_an_answer_that_goes_on_after_its_end_is_a_502_if_nothing_was_sent_yet() -> None:
    surplus = UpstreamBrokenError("goes on after its end")
    reply = Reply(200, [(b"Content-Length", b"2")], body=[surplus])
    async with listening(ScriptedUpstream(reply)) as running, await running.caller() as caller:
        heard = await caller.call(request())
        assert (heard.status, heard.slug) == (502, "upstream_broken")
        (report,) = await running.reports.get(1)
    assert report.status == 502
