"""Of calls that went well a share is logged, of others every one."""

from typing import Any

import pytest

from gateway.core.trace import CallTrace, TraceContext
from gateway.observe.access_log import SLOW, AccessLog
from gateway.reports import CallReport, ReplayOutcome
from tests.observe.conftest import Journal


def report(request_id: str = "r-1", **changes: Any) -> CallReport:
    made = CallReport(request_id, "10.0.0.7", "default", "GET", "/v2/users/{userId}", 200, 0.2)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def traced(trace_id: str) -> CallTrace:
    return CallTrace(TraceContext(trace_id, "00f067aa0ba902b7", sampled=False))


def written(journal: Journal, sample: float, reports: list[CallReport]) -> list[str]:
    """The ids of the calls whose lines are written from now on."""
    before = len(journal.lines)
    log = AccessLog(journal.log, sample)
    for one in reports:
        log.call_ended(one)
    return [line["request_id"] for line in journal.lines[before:]]


MANY = [report(f"r-{number}") for number in range(1000)]


def test_all_are_written_unless_told_otherwise(journal: Journal) -> None:
    assert len(written(journal, 1.0, MANY)) == 1000
    assert not any("sample_rate" in line for line in journal.lines)


def test_a_share_is_written_and_says_so(journal: Journal) -> None:
    assert 60 <= len(written(journal, 0.1, MANY)) <= 140
    assert {line["sample_rate"] for line in journal.lines} == {0.1}


def test_none_is_written_of_none(journal: Journal) -> None:
    assert written(journal, 0.0, MANY) == []


def test_everybody_chooses_the_same_and_more_of_them_where_more_are_wanted(
    journal: Journal,
) -> None:
    few = written(journal, 0.1, MANY)
    assert written(journal, 0.1, MANY) == few
    assert set(few) < set(written(journal, 0.5, MANY))


@pytest.mark.parametrize(
    ("last", "chosen"), [("0000000000000000", True), ("ffffffffffffffff", False)]
)
def test_the_trace_decides_where_there_is_one(journal: Journal, last: str, *, chosen: bool) -> None:
    reports = [report(f"r-{number}", trace=traced("f" * 16 + last)) for number in range(20)]
    assert len(written(journal, 0.5, reports)) == (20 if chosen else 0)


@pytest.mark.parametrize(
    "notable",
    [
        {"status": 400},
        {"status": 499},
        {"status": 503},
        {"error": "drain_timeout"},
        {"outcome": ReplayOutcome.RECOVERED},
        {"duration": SLOW},
    ],
)
def test_what_raises_questions_is_always_written(journal: Journal, notable: dict[str, Any]) -> None:
    assert written(journal, 0.0, [report(**notable)]) == ["r-1"]
    assert "sample_rate" not in journal.line


def test_a_call_in_a_trace_names_it(journal: Journal) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    written(journal, 1.0, [report(trace=traced(trace_id))])
    assert (journal.line["trace_id"], journal.line["span_id"]) == (trace_id, "00f067aa0ba902b7")
