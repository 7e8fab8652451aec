"""Spans, from a real gateway to a real collector."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.collector import Collector, collector
from tests.support.load import control, counted, session
from tests.support.processes import eventually, gateway, simulator
from tests.support.raw_http import Caller
from tests.support.traced import ROUTE, Scene, scene

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CANARY = "canary-7f3a9e51-secret"


async def test_a_call_is_a_span_and_its_sending_another_below() -> None:
    async with scene(SERVICE_NAME="zoom-test") as at:
        assert await at.get(f"/v2/users/me?page={CANARY}", **{"X-Request-Id": "r-1"}) == 200
        await at.end()
        (call,) = await at.spans(f"GET {ROUTE}", "server")
        (mint,) = await at.spans("mint")
        *_, sending = at.taken.children(call)
    assert call.parent_id == ""
    assert call.status == "unset"
    assert call.attributes.pop("zoom_gateway.tracking_id")
    assert call.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": ROUTE,
        "url.scheme": "http",
        "zoom_gateway.account": "default",
        "zoom_gateway.replays": 0,
        "zoom_gateway.request_id": "r-1",
    }
    assert (sending.name, sending.kind, sending.status) == (f"GET {ROUTE}", "client", "unset")
    zoom = urlsplit(at.sim)
    assert sending.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": zoom.hostname,
        "server.port": zoom.port,
        "url.scheme": "http",
        "url.template": ROUTE,
        "zoom_gateway.generation": 1,
    }
    assert call.began <= sending.began <= sending.ended <= call.ended
    assert call.resource["service.name"] == "zoom-test"
    assert {"service.version", "service.instance.id"} < call.resource.keys()
    assert call.resource["k8s.pod.name"] == "pod-1"
    assert {one["x-extra"] for one in at.taken.headers} == {"yes"}
    (line,) = at.gate.logged("call")
    assert (line["trace_id"], line["span_id"]) == (call.trace_id, call.span_id)
    # The log rounds to a tenth of a millisecond.
    assert abs(line["duration_ms"] - call.seconds * 1000) < 0.2
    assert mint.attributes == {
        "zoom_gateway.account": "default",
        "zoom_gateway.app": "default",
        "zoom_gateway.generation": 1,
        "zoom_gateway.index": 0,
        "zoom_gateway.reason": "start",
        "zoom_gateway.result": "success",
    }
    assert (mint.parent_id, mint.kind, mint.status) == ("", "internal", "unset")
    (minted,) = at.gate.logged("token_minted")
    assert abs(minted["took_ms"] - mint.seconds * 1000) < 0.2


async def test_a_replayed_call_shows_the_refusal_the_mint_and_both_sendings() -> None:
    async with scene() as at:
        assert await at.get() == 200
        await control(at.client, at.sim, "kill")
        await control(at.client, at.sim, "faults", {"mint_delay": 0.2}, "PUT")
        assert await at.get() == 200
        await at.end()
        _, call = await at.spans(f"GET {ROUTE}", "server", 2)
        _, mint = await at.spans("mint", count=2)
        first, wait, second = at.taken.children(call)
    assert [event.name for event in call.events] == ["refusal", "replay"]
    assert [event.attributes["zoom_gateway.generation"] for event in call.events] == [1, 2]
    assert call.attributes["zoom_gateway.replay_outcome"] == "recovered"
    assert call.status == "unset"
    assert (first.attributes["http.response.status_code"], first.status) == (401, "error")
    assert first.attributes["error.type"] == "401"
    assert "http.request.resend_count" not in first.attributes
    assert second.attributes["http.request.resend_count"] == 1
    assert second.attributes["http.response.status_code"] == 200
    assert (wait.name, wait.kind) == ("token wait", "internal")
    assert wait.links == [(mint.trace_id, mint.span_id)]
    assert 0.2 <= mint.seconds <= wait.seconds
    assert first.ended <= wait.began
    assert wait.ended <= second.began
    assert mint.attributes["zoom_gateway.reason"] == "refusal"
    assert mint.trace_id != call.trace_id


async def test_without_a_token_the_span_says_so_and_names_the_mint_that_failed() -> None:
    async with scene(impatient=True) as at:
        await eventually(lambda: at.gate.logged("token_minted"), "a token")
        await control(at.client, at.sim, "faults", {"mint_status": 400, "mint_delay": 0.1}, "PUT")
        await control(at.client, at.sim, "kill")
        # Passed on, because no better token is to be had; then there is none to send with.
        assert await at.get() == 401
        assert await at.get() == 503
        await at.end()
        _, call = await at.spans(f"GET {ROUTE}", "server", 2)
        failed = [one for one in at.taken.named("mint") if one.status == "error"]
    assert call.attributes["error.type"] == "token_unavailable"
    assert (call.attributes["http.response.status_code"], call.status) == (503, "error")
    assert not [one for one in at.taken.children(call) if one.kind == "client"]
    assert failed
    assert failed[0].attributes["error.type"] == failed[0].attributes["zoom_gateway.result"]
    assert failed[0].seconds >= 0.1


async def test_a_connection_that_breaks_and_an_answer_of_our_own() -> None:
    async with scene() as at:
        assert await at.get() == 200
        await control(
            at.client, at.sim, "faults", {"drop": "before_headers", "drop_share": 1}, "PUT"
        )
        assert await at.get() == 502
        assert await at.get("/@nobody/v2/users/me") == 404
        await at.end()
        *_, broken = await at.spans(f"GET {ROUTE}", "server", 2)
        (refused,) = await at.spans("GET", "server")
        (sending,) = [one for one in at.taken.children(broken) if one.kind == "client"]
    assert broken.attributes["error.type"] == sending.attributes["error.type"]
    assert (broken.status, sending.status) == ("error", "error")
    assert "http.response.status_code" not in sending.attributes
    # A caller's own mistake is no error of the server's.
    assert (refused.status, refused.attributes["http.response.status_code"]) == ("unset", 404)
    assert refused.attributes["zoom_gateway.account"] == "unknown"


async def test_a_caller_that_went_away() -> None:
    async with scene() as at:
        assert await at.get() == 200
        await control(at.client, at.sim, "faults", {"delay": 30}, "PUT")
        address = urlsplit(at.gate.url)
        async with await Caller.connect((str(address.hostname), int(address.port or 0))) as gone:
            gone.writer.write(b"GET /v2/users/me HTTP/1.1\r\nHost: x\r\n\r\n")
            await counted(at.client, at.sim, "calls", 2)
        await eventually(lambda: len(at.gate.logged("call")) == 2, "the line of the call")
        await at.end()
        _, call = await at.spans(f"GET {ROUTE}", "server", 2)
        (sending,) = at.taken.children(call)
    assert (call.attributes["http.response.status_code"], call.status) == (499, "unset")
    assert (sending.attributes["error.type"], sending.status) == ("cancelled", "error")
    assert sending.ended <= call.ended


@pytest.mark.parametrize(("flag", "count"), [("01", 1), ("00", 0)])
@pytest.mark.parametrize("share", ["0", "1"])
async def test_a_caller_with_a_trace_decides_whether_it_is_recorded(
    flag: str, count: int, share: str
) -> None:
    async with scene(SAMPLE=share) as at:
        sent = {"traceparent": f"00-{TRACE}-{PARENT}-{flag}", "tracestate": "a=1,b=2"}
        assert await at.get(**sent) == 200
        await at.end()
        calls = at.taken.named(f"GET {ROUTE}", "server")
    assert [(one.trace_id, one.parent_id, one.state) for one in calls] == [
        (TRACE, PARENT, "a=1,b=2")
    ] * count
    (line,) = at.gate.logged("call")
    assert line["trace_id"] == TRACE
    assert line["span_id"] != PARENT


async def test_of_the_traces_that_begin_here_a_share_is_recorded() -> None:
    async with scene(SAMPLE="0.5") as at:
        for _ in range(60):
            assert await at.get(traceparent="00-no-trace-01") == 200
        await at.end()
        calls = at.taken.named(f"GET {ROUTE}", "server")
    # Outside of this once in 10^10 times.
    assert 5 <= len(calls) <= 55
    logged = {line["trace_id"] for line in at.gate.logged("call")}
    assert len(logged) == 60
    assert {one.trace_id for one in calls} < logged
    # A mint is rare, and what a wait is about.
    assert len(at.taken.named("mint")) == 1


SENT = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=1", "baggage": "user=7"}


async def test_zoom_is_told_of_no_trace_unless_that_is_wanted() -> None:
    async with scene() as at:
        assert await at.get(**SENT) == 200
        requests = await at.at_zoom()
    assert len(requests) == 2
    assert not [one for one in requests if one.keys() & SENT.keys()]


async def test_zoom_is_told_of_each_sending_and_no_mint_or_probe_carries_a_trace() -> None:
    async with scene(PROPAGATE="true") as at:
        assert await at.get(**SENT) == 200
        await control(at.client, at.sim, "kill")
        assert await at.get(**SENT) == 200
        requests = await at.at_zoom()
        await at.end()
        sendings = [one for one in at.taken.spans if one.kind == "client"]
    told = [one for one in requests if one.keys() & SENT.keys()]
    assert len(requests) == 5
    assert sorted(one["traceparent"] for one in told) == sorted(
        f"00-{TRACE}-{one.span_id}-01" for one in sendings
    )
    assert {(one["tracestate"], one["baggage"]) for one in told} == {("a=1", "user=7")}


async def test_without_spans_the_callers_context_goes_on_if_that_is_wanted() -> None:
    async with (
        simulator() as sim,
        session() as client,
        gateway(sim, ZOOM_GATEWAY_TRACING__PROPAGATE="true") as gate,
    ):
        at = Scene(sim, Collector(), gate, client)
        assert await at.get(**SENT) == 200
        (told,) = [one for one in await at.at_zoom() if one.keys() & SENT.keys()]
        assert {name: told[name] for name in SENT} == SENT
        (line,) = await eventually(lambda: gate.logged("call"), "the call's line")
        assert (line["trace_id"], line["span_id"]) == (TRACE, PARENT)


async def test_no_secret_no_body_and_no_query_is_exported(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer of-the-collector\n")
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    async with collector() as taken, simulator() as sim, session() as client:
        options = {
            "ZOOM_GATEWAY_TRACING__ENDPOINT": taken.url,
            "ZOOM_GATEWAY_TRACING__HEADERS_FILE": str(headers),
            "ZOOM_GATEWAY_STORE__URL": f"file://{tokens}",
            "ZOOM_GATEWAY_DRAIN__DELAY": "0",
        }
        async with gateway(sim, **options) as gate:
            at = Scene(sim, taken, gate, client)
            private = {"Authorization": f"Bearer {CANARY}", "Cookie": f"a={CANARY}"}
            for target in (f"/v2/users/{CANARY}?q={CANARY}", f"/{CANARY}", "/v2/users/me"):
                await at.get(target, **private, **{"X-Request-Id": f'"{CANARY}'})
            await control(client, sim, "kill")
            async with client.post(
                f"{gate.url}/v2/users/me/meetings?p={CANARY}", json={"topic": CANARY}
            ) as answer:
                assert answer.status == 201
            await at.end()
        values = [
            part.split('"')[0]
            for file in tokens.glob("*.json")
            for part in file.read_text().split('"value": "')[1:]
        ]
    exported = b"".join(taken.bodies)
    assert len(taken.named("mint")) == 2
    assert values
    for secret in (CANARY, "demo-secret", "demo-client", "of-the-collector", *values):
        assert secret.encode() not in exported
        assert secret not in gate.output or secret == "demo-client"
    assert {one["authorization"] for one in taken.headers} == {"Bearer of-the-collector"}
