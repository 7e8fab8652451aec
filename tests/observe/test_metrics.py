from collections.abc import Mapping

import pytest
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
from gateway.core.token import Cause
from gateway.observe.metrics import Metrics
from gateway.ports import CallReport, ReplayOutcome
from tests.observe.charts import A0, CANARY, NOW, WALL, healthy, held_off, tokenless, troubled


def metrics(charts: Mapping[str, Chart] | None = None) -> Metrics:
    charts = charts or {"default": healthy()}
    return Metrics(tuple(charts), lambda: charts, lambda: WALL, "1.2.3")


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


def test_no_chart_is_asked_for_before_the_first_scrape() -> None:
    def charts() -> Mapping[str, Chart]:
        raise AssertionError("asked too early")

    Metrics(("default",), charts, lambda: WALL, "1")


@pytest.mark.parametrize("accept", [None, "", "*/*", "text/plain;version=0.0.4"])
def test_text_is_the_default(accept: str | None) -> None:
    body, content_type = metrics().render(accept)
    assert content_type.startswith("text/plain")
    names = {family.name for family in text_format(body.decode())}
    assert {"zoom_gateway_build_info", "process_open_fds", "python_gc_collections"} <= names


def test_openmetrics_for_who_asks() -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.5"
    body, content_type = metrics().render(accept)
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert "zoom_gateway_requests" in {family.name for family in openmetrics(body.decode())}  # type: ignore[no-untyped-call]


def test_no_token_shows() -> None:
    body, _ = metrics({"one": held_off(), "two": troubled()}).render(None)
    assert CANARY.encode() not in body
    assert b"Secret" not in body
