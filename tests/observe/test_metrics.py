import threading
from collections.abc import Mapping

import pytest
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from gateway.core.diagnosis import Chart
from gateway.core.errors import MintFailure
from gateway.core.events import (
    ForeignMint,
    Minted,
    MintFailed,
    RefusalCause,
    Refused,
    StoreUp,
    TokenEvent,
)
from gateway.core.limits import Limits
from gateway.core.presence import Presence, Sighting
from gateway.core.slots import Phase
from gateway.core.token import Cause
from gateway.observe.limit_metrics import Usage
from gateway.observe.metrics import Metrics
from gateway.reports import CallReport, ReplayOutcome
from tests.observe.charts import A0, CANARY, NOW, WALL, healthy, held_off, tokenless, troubled


def metrics(charts: Mapping[str, Chart] | None = None) -> Metrics:
    charts = charts or {"default": healthy()}
    slots = {name: [slot.id for slot in chart.account.slots] for name, chart in charts.items()}
    return Metrics(slots, lambda: charts, lambda: WALL, "1.2.3")


def value(of: Metrics, name: str, **labels: str) -> float | None:
    return of.registry.get_sample_value(f"zoom_gateway_{name}", labels)


def call(**changes: object) -> CallReport:
    report = CallReport("id", "127.0.0.1", "default", "GET", "/v2/users/{userId}", 200, 0.2, 0.1)
    for name, new in changes.items():
        setattr(report, name, new)
    return report


def test_a_call_is_counted_and_timed() -> None:
    told = metrics()
    told.call_began("default")
    assert value(told, "inflight_requests") == 1
    told.call_ended(call())
    assert value(told, "inflight_requests") == 0
    labels = {
        "account": "default",
        "method": "GET",
        "route": "/v2/users/{userId}",
        "status": "200",
    }
    assert value(told, "requests_total", **labels) == 1
    assert value(told, "request_duration_seconds_sum", account="default") == 0.2
    assert value(told, "upstream_duration_seconds_count", account="default") == 1
    assert value(told, "upstream_duration_seconds_bucket", account="default", le="0.05") == 0
    assert value(told, "upstream_duration_seconds_bucket", account="default", le="0.1") == 1


def test_a_call_that_was_never_sent_has_no_upstream_time() -> None:
    told = metrics()
    told.call_ended(call(status=503, upstream_duration=0.0))
    assert value(told, "upstream_duration_seconds_count", account="default") == 0
    assert value(told, "request_duration_seconds_count", account="default") == 1


def test_labels_stay_few_whatever_callers_send() -> None:
    told = metrics()
    for number in range(100):
        told.call_ended(call(method=f"X{number}", account=f"stranger-{number}", route="other"))
    labels = {"account": "unknown", "method": "other", "route": "other", "status": "200"}
    assert value(told, "requests_total", **labels) == 100
    assert value(told, "request_duration_seconds_count", account="unknown") == 100


def test_what_alerts_watch_is_there_from_the_start() -> None:
    told = metrics({"one": healthy(), "two": healthy()})
    for account in ("one", "two"):
        for outcome in ReplayOutcome:
            assert value(told, "replays_total", account=account, outcome=outcome.value) == 0
        for cause in RefusalCause:
            assert value(told, "token_refusals_total", account=account, cause=cause.value) == 0
        assert value(told, "token_foreign_mints_total", account=account) == 0
        for reason in Cause:
            for index in ("0", "1"):
                labels = {"account": account, "app": "default", "index": index}
                labels |= {"reason": reason.value, "result": "success"}
                assert value(told, "token_mints_total", **labels) == 0
        assert value(told, "request_duration_seconds_count", account=account) == 0


@pytest.mark.parametrize("outcome", list(ReplayOutcome))
def test_how_refused_calls_ended(outcome: ReplayOutcome) -> None:
    told = metrics()
    told.call_ended(call(outcome=outcome))
    assert value(told, "replays_total", account="default", outcome=outcome.value) == 1


@pytest.mark.parametrize(
    ("event", "result"),
    [
        (Minted(A0, Cause.ROTATION, 3, 3600.0, previous_secret=False, took=0.2), "success"),
        (Minted(A0, Cause.ROTATION, 3, 3600.0, previous_secret=True, took=0.2), "previous_secret"),
        (MintFailed(A0, Cause.ROTATION, MintFailure.RATE_LIMITED, "slow", 1.0), "rate_limited"),
    ],
)
def test_mints_are_counted_by_result(event: TokenEvent, result: str) -> None:
    told = metrics()
    told.token_event("default", event)
    labels = {
        "account": "default",
        "app": "default",
        "index": "0",
        "reason": "rotation",
        "result": result,
    }
    assert value(told, "token_mints_total", **labels) == 1


def test_refusals_and_foreign_mints() -> None:
    told = metrics()
    told.token_event("default", Refused(1, "GET /x", RefusalCause.FRESH))
    told.token_event("default", ForeignMint(1, A0))
    told.token_event("default", StoreUp())
    assert value(told, "token_refusals_total", account="default", cause="fresh") == 1
    assert value(told, "token_foreign_mints_total", account="default") == 1


def test_gauges_are_read_at_the_scrape() -> None:
    charts = {"default": tokenless()}
    told = metrics(charts)
    assert value(told, "token_usable", account="default") == 0
    assert value(told, "token_expires_at_seconds", account="default") == 0
    charts["default"] = healthy()
    assert value(told, "token_usable", account="default") == 1
    assert value(told, "token_expires_at_seconds", account="default") == WALL + 2700
    assert value(told, "token_generation", account="default") == 2
    assert value(told, "token_holdoff_seconds", account="default") == 0
    assert value(told, "store_up") == 1


def test_a_holdoff_and_a_store_that_is_down() -> None:
    told = metrics({"one": held_off(), "two": troubled()})
    assert value(told, "token_holdoff_seconds", account="one") == 30
    assert value(told, "store_up") == 0


def test_a_holdoff_that_is_over_counts_nothing_below_zero() -> None:
    chart = held_off()
    late = Chart(chart.account, NOW + 60)
    assert value(metrics({"one": late}), "token_holdoff_seconds", account="one") == 0


def test_when_a_rotation_is_due() -> None:
    charts = {"none": tokenless(), "two": healthy()}
    told = metrics(charts)
    assert value(told, "token_rotates_at_seconds", account="none") == 0
    assert value(told, "token_rotates_at_seconds", account="two") == WALL + 900


def test_a_holdoff_lasts_until_a_token_is_accepted() -> None:
    chart = held_off()
    late = Chart(chart.account, NOW + 60)
    told = metrics({"now": chart, "late": late, "well": healthy()})
    found = {name: value(told, "token_fresh_refused", account=name) for name in ("now", "late")}
    assert found == {"now": 1, "late": 1}
    assert value(told, "token_fresh_refused", account="well") == 0


def test_what_only_an_operator_can_cure_is_told_apart() -> None:
    told = metrics({"wrong": tokenless(), "zoom": troubled(), "well": healthy()})
    names = ("wrong", "zoom", "well")
    assert [value(told, "token_credentials_refused", account=name) for name in names] == [1, 0, 0]
    assert [value(told, "token_previous_secret", account=name) for name in names] == [0, 1, 0]
    assert [value(told, "token_mint_budget", account=name) for name in names] == [120, 117, 120]


def test_slots_are_told_one_by_one() -> None:
    told = metrics({"default": healthy()})
    spare = {"account": "default", "app": "default", "index": "0"}
    active = {**spare, "index": "1"}
    assert value(told, "slot_expires_at_seconds", **spare) == WALL + 900
    assert value(told, "slot_expires_at_seconds", **active) == WALL + 2700
    phases = {
        phase: value(told, "slot_phase", **active, phase=phase.name.lower()) for phase in Phase
    }
    assert phases == {Phase.EMPTY: 0, Phase.ACTIVE: 1, Phase.SPARE: 0, Phase.ASIDE: 0}
    assert value(told, "slot_phase", **spare, phase="spare") == 1
    assert value(told, "slot_out", **spare) == 0


def test_a_slot_that_is_out_is_not_one_that_fails() -> None:
    told = metrics({"default": troubled()})
    barred = {"account": "default", "app": "second", "index": "0"}
    assert value(told, "slot_out", **barred) == 1
    assert value(told, "slot_mint_failures", **barred) == 0
    assert value(told, "slot_expires_at_seconds", **barred) == 0


@pytest.mark.parametrize(("later", "failures"), [(0.0, 1), (119.0, 1), (121.0, 0)])
def test_a_slot_fails_as_long_as_it_is_tried_again(later: float, failures: int) -> None:
    """The next mint is due after 60 s; long after that, another slot has taken over."""
    chart = tokenless()
    told = metrics({"default": Chart(chart.account, chart.now + later)})
    labels = {"account": "default", "app": "default", "index": "0"}
    assert value(told, "slot_mint_failures", **labels) == failures


def sighted(generation: int, chart: Chart) -> Metrics:
    """A replica with this chart, and another that uses the token of that generation."""
    told = metrics({"default": chart})
    own = Presence("gw-1", "1", "", WALL, {"default": 2})
    other = Presence("gw-2", "1", "", WALL, {"default": generation, "gone": 99})
    told.show_fleet(lambda: Sighting((own, other), 1.0))
    return told


@pytest.mark.parametrize(("generation", "lag"), [(0, 0), (1, 0), (2, 0), (5, 3)])
def test_a_replica_lags_behind_those_of_its_store(generation: int, lag: int) -> None:
    told = sighted(generation, healthy())
    assert value(told, "token_lag", account="default") == lag
    assert value(told, "store_replicas") == 2


def test_a_replica_without_a_token_does_not_lag() -> None:
    assert value(sighted(5, tokenless()), "token_lag", account="default") == 0


def test_before_the_first_heartbeat_no_replica_is_seen() -> None:
    told = metrics()
    told.show_fleet(Sighting)
    assert value(told, "store_replicas") == 0
    assert value(told, "token_lag", account="default") == 0


def test_no_chart_is_asked_for_before_the_first_scrape() -> None:
    def charts() -> Mapping[str, Chart]:
        raise AssertionError("asked too early")

    Metrics({"default": (A0,)}, charts, lambda: WALL, "1")


@pytest.mark.parametrize("accept", [None, "", "*/*", "text/plain;version=0.0.4"])
def test_text_is_the_default(accept: str | None) -> None:
    body, content_type = metrics().scrape(accept)()
    assert content_type.startswith("text/plain")
    names = {family.name for family in text_format(body.decode())}
    assert {"zoom_gateway_build_info", "process_open_fds", "python_gc_collections"} <= names


def test_openmetrics_for_who_asks() -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.5"
    body, content_type = metrics().scrape(accept)()
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert "zoom_gateway_requests" in {family.name for family in openmetrics(body.decode())}  # type: ignore[no-untyped-call]


def test_no_token_shows() -> None:
    body, _ = metrics({"one": held_off(), "two": troubled()}).scrape(None)()
    assert CANARY.encode() not in body
    assert b"Secret" not in body


def test_a_scrape_that_another_thread_writes_makes_no_charts_there() -> None:
    charts, asked = {"default": held_off()}, []

    def now() -> Mapping[str, Chart]:
        asked.append(threading.get_ident())
        return dict(charts)

    told = Metrics({"default": [A0]}, now, lambda: WALL, "1.2.3")
    told.show_fleet(Sighting)
    write = told.scrape(None)
    charts["default"] = healthy()
    written: list[bytes] = []
    other = threading.Thread(target=lambda: written.append(write()[0]))
    other.start()
    other.join()
    assert asked == [threading.get_ident()]
    assert b'zoom_gateway_token_fresh_refused{account="default"} 1.0' in written[0]
    assert value(told, "token_fresh_refused", account="default") == 0


@pytest.mark.parametrize("accept", [None, "application/openmetrics-text; version=1.0.0"])
def test_who_writes_them_pauses_and_leaves_nothing_out(
    monkeypatch: pytest.MonkeyPatch, accept: str | None
) -> None:
    told = metrics({f"account-{number}": healthy() for number in range(20)})
    pauses: list[float] = []
    monkeypatch.setattr("gateway.observe.paced.time.sleep", pauses.append)
    body, _ = told.scrape(accept)()
    encode, _ = choose_encoder(accept or "")

    def series(text: bytes) -> list[str]:
        lines = text.decode().splitlines()
        return [line for line in lines if not line.startswith(("process_", "python_"))]

    assert series(body) == series(encode(told.registry))
    assert len(pauses) > len(body.splitlines()) / 60


def test_limits_and_what_is_used_of_them() -> None:
    told = metrics()
    told.limits.now = lambda: (Limits(calls=7), Usage(3, 5, 1000, 2000), 2)
    told.limits.reached("calls")
    told.scrape(None)
    assert value(told, "limit", limit="calls") == 14  # of two processes
    assert value(told, "limit", limit="header_fields") == 128
    assert value(told, "open_connections") == 5
    assert value(told, "kept_bytes", place="memory") == 1000
    assert value(told, "kept_bytes", place="disk") == 2000
    assert value(told, "limit_hits_total", limit="calls") == 1
    assert value(told, "limit_hits_total", limit="kept_disk") == 0
    status = told.limits.status()
    assert status["calls"] == {"limit": 7, "now": 3, "hits": 1}
    assert status["header_fields"] == {"limit": 128, "now": None, "hits": 0}
