"""What a call's report and a mint's event become, span by span."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, StatusCode

from gateway.core.errors import MintFailure
from gateway.core.events import MintFailed
from gateway.core.headers import CallerHeaders, read_caller
from gateway.core.token import Cause
from gateway.core.trace import CallTrace, Steps, TraceContext, begin, read_context
from gateway.observe.spans import LONGEST, CallSpans, Mark, Place, mint_span, span_context
from gateway.reports import CallReport, ReplayOutcome
from tests.observe.charts import A0
from tests.observe.lines import minted

PLACE = Place(Resource({}), InstrumentationScope("test"), {"server.address": "api.zoom.us"})
PARENT = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
ROUTE = "/v2/users/{userId}"


def epoch(time: float) -> int:
    return round(time * 1e9)


def numbers() -> Callable[[int], int]:
    given = iter(range(1, 1000))
    return lambda _: next(given)


def traced(traceparent: bytes = b"", state: bytes = b"") -> tuple[CallTrace, Steps]:
    fields = [(b"traceparent", traceparent), (b"tracestate", state)] if traceparent else []
    trace = begin(read_caller(fields), 1.0, numbers(), 1.0)
    assert trace.steps is not None
    return trace, trace.steps


def spans(
    trace: CallTrace, steps: Steps, mints: tuple[Mark, ...] = (), **changes: Any
) -> list[ReadableSpan]:
    report = CallReport("r-1", "10.0.0.7", "default", "GET", ROUTE, 200, 5.0)
    for name, value in changes.items():
        setattr(report, name, value)
    return list(CallSpans(report, PLACE, epoch, mints).make(trace, steps))


@pytest.mark.parametrize(
    ("method", "route", "name", "told"),
    [
        ("GET", ROUTE, f"GET {ROUTE}", "GET"),
        ("POST", "other", "POST", "POST"),
        ("other", ROUTE, f"HTTP {ROUTE}", "_OTHER"),
        ("other", "other", "HTTP", "_OTHER"),
    ],
)
def test_names_come_from_fixed_tables(method: str, route: str, name: str, told: str) -> None:
    trace, steps = traced()
    steps.sent(1, 1.1)
    sending, call = spans(trace, steps, method=method, route=route)
    assert sending.name == call.name == name
    for span, key in ((sending, "url.template"), (call, "http.route")):
        about = dict(span.attributes or {})
        assert about["http.request.method"] == told
        assert about.get(key) == (None if route == "other" else route)


@pytest.mark.parametrize(
    ("status", "error", "broken", "kind"),
    [
        (200, "", False, None),
        (404, "", False, None),
        (403, "access", False, "access"),
        (499, "", False, None),
        (500, "", True, "500"),
        (503, "token_unavailable", True, "token_unavailable"),
        # Its answer broke off after its head.
        (200, "upstream_broken", True, "upstream_broken"),
    ],
)
def test_whose_status_is_an_error(
    status: int, error: str, *, broken: bool, kind: str | None
) -> None:
    (call,) = spans(*traced(), status=status, error=error)
    assert call.status.status_code is (StatusCode.ERROR if broken else StatusCode.UNSET)
    assert call.status.description is None
    assert dict(call.attributes or {}).get("error.type") == kind


@pytest.mark.parametrize(("secure", "scheme"), [(True, "https"), (False, "http")])
def test_what_the_caller_spoke(secure: bool, scheme: str) -> None:  # noqa: FBT001  a column
    (call,) = spans(*traced(), secure=secure)
    assert dict(call.attributes or {})["url.scheme"] == scheme


def test_only_the_last_sending_is_what_the_call_failed_of() -> None:
    trace, steps = traced()
    steps.sent(1, 1.1)
    steps.answered(401, 1.2)
    steps.refused(1.3)
    steps.sent(2, 2.0)
    steps.answered(200, 2.5)
    steps.ended(5.0)
    first, second, _ = spans(trace, steps, error="upstream_broken")
    kinds = [dict(one.attributes or {})["error.type"] for one in (first, second)]
    assert kinds == ["401", "upstream_broken"]
    assert (first.start_time, first.end_time) == (epoch(1.1), epoch(1.3))
    assert (second.start_time, second.end_time) == (epoch(2.0), epoch(5.0))


def test_a_call_is_below_its_caller_and_carries_on_its_state() -> None:
    trace, steps = traced(PARENT, b"k=v")
    steps.sent(1, 1.1)
    sending, call = spans(trace, steps)
    assert call.parent is not None
    assert call.context is not None
    assert (call.parent.is_remote, call.parent.span_id) == (True, int("b" * 16, 16))
    assert call.context.trace_id == call.parent.trace_id == int("a" * 32, 16)
    assert sending.parent == call.context
    assert sending.context.trace_state.to_header() == "k=v"
    assert (call.kind, sending.kind) == (SpanKind.SERVER, SpanKind.CLIENT)


@given(st.binary(max_size=40), st.lists(st.text("ab=, @/-!~", max_size=9), max_size=4))
@example(b"", ["a=1,b=2", "c@d=e f"])
def test_the_library_has_nothing_to_say_about_a_state(junk: bytes, parts: list[str]) -> None:
    """What it logs, a caller could make it log with each call."""
    for state in (junk, ",".join(parts).encode()):
        head = CallerHeaders([], {b"traceparent": [PARENT], b"tracestate": [state]})
        context = read_context(head)
        assert context is not None
        with warnings_counted() as told:
            made = span_context(context)
        assert told == []
        assert made.trace_state.to_header() == context.state


@contextmanager
def warnings_counted() -> Iterator[list[logging.LogRecord]]:
    told: list[logging.LogRecord] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record)

    handler = Listener()
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(handler)
    try:
        yield told
    finally:
        logger.removeHandler(handler)


def test_a_wait_that_was_felt_is_a_span_that_names_the_mints_that_ended_within() -> None:
    trace, steps = traced()
    steps.waited(1.0, 1.0009)
    steps.waited(2.0, 3.0)
    marks = [
        Mark(at, span_context(TraceContext(f"{at:.0f}" * 32, "1" * 16, sampled=True)))
        for at in (1.0, 2.0, 3.0, 4.0)
    ]
    wait, _ = spans(trace, steps, tuple(marks))
    assert wait.name == "token wait"
    assert [link.context for link in wait.links] == [marks[1].context, marks[2].context]


def test_a_mint_ends_when_it_is_told_of() -> None:
    context = span_context(TraceContext("1" * 32, "2" * 16, sampled=True))
    good = mint_span("sales", minted(previous_secret=True), context, PLACE, epoch(10))
    assert (good.start_time, good.end_time) == (epoch(9.75), epoch(10))
    assert dict(good.attributes or {})["zoom_gateway.result"] == "previous_secret"
    failure = MintFailed(A0, Cause.EXPIRY, MintFailure.TIMEOUT, "a text of Zoom's", 1.0, 4.0)
    bad = mint_span("sales", failure, context, PLACE, epoch(10))
    assert bad.start_time == epoch(6)
    assert bad.status.status_code is StatusCode.ERROR
    assert "text" not in str(dict(bad.attributes or {}))


def documented() -> dict[str, set[str]]:
    """The attributes in the page's table, by the span's name there."""
    page = (Path(__file__).parents[2] / "docs" / "tracing.md").read_text()
    table = page.split("| span | attributes |")[1].split("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {name.strip("`"): set(re.findall(r"`([\w.]+)`", names)) for name, names in rows}


def test_the_page_names_every_attribute_and_no_other() -> None:
    trace, steps = traced()
    steps.waited(1.0, 2.0)
    steps.sent(1, 2.0)
    steps.answered(401, 2.1)
    steps.refused(2.2)
    steps.sent(2, 2.3)
    changes: dict[str, Any] = {
        "outcome": ReplayOutcome.FAILED,
        "tracking_id": "x" * 999,
        "error": "upstream_broken",
    }
    *sendings, wait, call = spans(trace, steps, status=502, **changes)
    context = span_context(TraceContext("1" * 32, "2" * 16, sampled=True))
    failure = MintFailed(A0, Cause.EXPIRY, MintFailure.TIMEOUT, "late", 1.0)
    mints = [mint_span("sales", one, context, PLACE, epoch(9)) for one in (minted(), failure)]

    def names(found: Iterable[ReadableSpan]) -> set[str]:
        return {name for one in found for name in one.attributes or {}}

    zoom = {"url.scheme", "server.address", "server.port"}
    assert documented() == {
        "of a call": names([call]),
        "of a sending": names(sendings) | zoom,
        "token wait": names([wait]),
        "mint": names(mints),
        "events": {name for one in call.events for name in one.attributes or {}},
    }
    assert len(str(dict(call.attributes or {})["zoom_gateway.tracking_id"])) == LONGEST
