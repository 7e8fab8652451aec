import json
import sys
import tracemalloc
from typing import Any

import pytest

from gateway.core.errors import MintFailure
from gateway.core.events import (
    Adopted,
    HoldoffBegan,
    LostMint,
    Minted,
    MintFailed,
    RefusalCause,
    Refused,
    StoreDown,
    StoreUp,
    Switched,
)
from gateway.core.token import Cause
from gateway.observe.history import MOST, TOGETHER, History
from gateway.reports import CallReport, ReplayOutcome
from tests.observe.charts import A0, CANARY, WALL
from tests.observe.lines import EVERY, mint_failed, minted


class Clock:
    now = 5000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return WALL + self.now - 5000.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(clock: Clock) -> History:
    return History(["default", "sales"], clock, clock.wall)


def call(
    account: str = "default", took: float = 0.1, outcome: ReplayOutcome | None = None
) -> CallReport:
    report = CallReport("id", "127.0.0.1", account, "GET", "other", 200, took)
    report.outcome = outcome
    return report


def refused(cause: RefusalCause = RefusalCause.TOKEN) -> Refused:
    return Refused(1, "GET /v2/users/{userId}", cause)


def events(history: History, account: str = "default") -> list[dict[str, Any]]:
    found = history.of(account)["events"]
    assert isinstance(found, list)
    return found


def test_an_account_that_nothing_happened_to(history: History) -> None:
    told = history.of("default")
    assert told["pace"] == {"seconds": 60.0, "calls": 0, "per_second": 0.0} | dict.fromkeys(
        ("p50", "p99")
    )
    assert told["timeline"]["rows"] == []
    assert told["events"] == []


def test_calls_are_counted_for_their_account(history: History, clock: Clock) -> None:
    for _ in range(30):
        history.call_began("default")
        history.call_ended(call())
        clock.now += 0.1
    history.call_ended(call("sales", 2.0, ReplayOutcome.RECOVERED))
    history.call_ended(call("sales", 2.0, ReplayOutcome.FAILED))
    pace = history.of("default")["pace"]
    assert pace["per_second"] == pytest.approx(10)
    assert pace["p50"] == pytest.approx(0.1, rel=0.2)
    (row,) = history.of("sales")["timeline"]["rows"]
    kinds = history.of("sales")["timeline"]["kinds"]
    assert dict(zip(kinds, row[1:], strict=True)) == {
        "calls": 2,
        "recovered": 1,
        "passed_on": 1,
        "refusals": 0,
        "mints": 0,
        "mint_failures": 0,
    }


def test_token_events_are_counted_and_kept_the_latest_first(history: History, clock: Clock) -> None:
    for event in (minted(), refused(), Switched(2, A0), mint_failed(MintFailure.TIMEOUT)):
        history.token_event("default", event)
        clock.now += 1
    (row,) = history.of("default")["timeline"]["rows"]
    assert row == [0, 0, 0, 0, 1, 1, 1]
    assert [one["event"] for one in events(history)] == [
        *("mint_failed", "token_switched", "token_refusals", "token_minted")
    ]
    assert events(history)[-1] == {
        "at": "2027-01-15T08:00:00Z",
        "since": "2027-01-15T08:00:00Z",
        "count": 1,
        "event": "token_minted",
        "level": "info",
        "message": "Minted token 1 in slot default/0 (start), good for 1 h.",
    }


def test_of_the_same_moment_the_last_told_is_first(history: History) -> None:
    for event in (HoldoffBegan(1, 2.0, 4.0), StoreDown("it is full"), StoreUp()):
        history.token_event("default", event)
    assert [one["event"] for one in events(history)] == ["store_up", "store_down", "holdoff_began"]


def test_another_replicas_mint_is_an_event(history: History) -> None:
    history.token_event("default", Adopted(A0, Cause.ROTATION, 2, "gw-2"))
    (found,) = events(history)
    assert found["message"].startswith("Replica gw-2 minted token 2 in slot default/0 (rotation)")


def test_many_refusals_are_one_entry(history: History, clock: Clock) -> None:
    for _ in range(300):
        history.token_event("default", refused())
        clock.now += 1
    (found,) = events(history)
    assert found["count"] == 300
    assert found["message"] == "Zoom refused the token of 300 calls; it was set aside."
    assert found["since"] == "2027-01-15T08:00:00Z"
    assert found["at"] == "2027-01-15T08:04:59Z"


def test_faults_that_come_again_and_again_push_nothing_out(history: History, clock: Clock) -> None:
    history.token_event("default", minted())
    for _ in range(100):
        clock.now += 1
        history.token_event("default", mint_failed(MintFailure.SERVER_ERROR))
        history.token_event("default", LostMint(A0))
        history.token_event("default", StoreDown("it is full"))
        history.token_event("default", StoreUp())
    assert [(one["event"], one["count"]) for one in events(history)] == [
        ("store_up", 100),
        ("store_down", 100),
        ("mint_lost", 100),
        ("mint_failed", 100),
        ("token_minted", 1),
    ]


def test_refusals_with_other_causes_or_long_after_are_others(
    history: History, clock: Clock
) -> None:
    history.token_event("default", refused())
    history.token_event("default", refused(RefusalCause.HOLDOFF))
    history.token_event("default", refused())
    assert [one["count"] for one in events(history)] == [1, 2]
    clock.now += TOGETHER
    history.token_event("default", refused())
    assert [one["count"] for one in events(history)] == [1, 1, 2]


def test_failures_of_the_same_kind_are_one_entry_with_the_newest_words(history: History) -> None:
    for pause in (0.5, 1.0):
        history.token_event(
            "default", MintFailed(A0, Cause.EXPIRY, MintFailure.TIMEOUT, "No answer.", pause)
        )
    (found,) = events(history)
    assert found["count"] == 2
    assert found["message"].endswith("The next try is in 1.0 s.")


def test_every_event_has_words(history: History) -> None:
    for event, *_ in EVERY:
        history.token_event("default", event)
    assert all(one["message"] for one in events(history))
    assert CANARY not in json.dumps(history.of("default"))


def test_it_keeps_a_bounded_number(history: History) -> None:
    for generation in range(3 * MOST):
        history.token_event("default", Switched(generation, A0))
    found = events(history)
    assert len(found) == MOST
    assert f"token {3 * MOST - 1} " in found[0]["message"]


def test_other_accounts_are_not_kept(history: History) -> None:
    history.call_ended(call("unknown"))
    history.token_event("unknown", StoreUp())
    assert "unknown" not in history._records
    assert events(history, "unknown") == []


def test_another_configuration_keeps_what_stays(history: History) -> None:
    history.token_event("default", StoreUp())
    history.token_event("sales", StoreUp())
    history.prepare(["default", "new"])
    assert len(events(history)) == 1
    assert events(history, "sales") == []
    history.token_event("new", StoreUp())
    assert len(events(history, "new")) == 1


def test_open_pages_are_told_of_token_events_alone(history: History) -> None:
    told: list[None] = []
    history.token_event("default", minted())
    history.listener = lambda: told.append(None)
    history.call_ended(call())
    assert not told
    history.token_event("default", Minted(A0, Cause.START, 1, 1.0, previous_secret=False, took=1))
    assert len(told) == 1


def test_an_account_costs_what_the_docstring_says(clock: Clock) -> None:
    names = [f"account-{number}" for number in range(200)]
    tracemalloc.start()
    try:
        history = History(names, clock, clock.wall)
        idle = tracemalloc.get_traced_memory()[0]
        for name in names:
            history.call_ended(call(name))
        called = tracemalloc.get_traced_memory()[0]
        for name in names:
            for generation in range(MOST):
                history.token_event(name, Switched(sys.maxsize - generation, A0))
        full = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert idle / len(names) < 200
    assert (called - idle) / len(names) < 8_000
    assert (full - called) / len(names) < 13_000
