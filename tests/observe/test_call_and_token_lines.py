import asyncio
from collections.abc import Callable
from typing import Any, get_args

import pytest

from gateway.core.events import (
    RefusalCause,
    Refused,
    StoreUp,
    TokenEvent,
)
from gateway.observe.access_log import AccessLog
from gateway.observe.gateway_log import GatewayLog
from gateway.observe.logs import Level
from gateway.observe.token_log import TokenLog
from gateway.reports import CallReport, ReplayOutcome
from tests.observe.charts import CANARY
from tests.observe.conftest import Journal, Timer
from tests.observe.lines import EVERY, minted


@pytest.mark.parametrize(("event", "level", "name", "words"), EVERY)
def test_every_event_is_a_line_with_a_sentence(
    journal: Journal, event: TokenEvent, level: str, name: str, words: str
) -> None:
    TokenLog(journal.log).token_event("marketing", event)
    line = journal.line
    assert (line["level"], line["event"], line["account"]) == (level, name, "marketing")
    assert words in line["message"]
    assert "dropped_fields" not in line


def test_no_event_is_forgotten() -> None:
    assert {type(event) for event, *_ in EVERY} | {Refused} == set(get_args(TokenEvent))


def test_the_fields_of_a_mint(journal: Journal) -> None:
    TokenLog(journal.log).token_event("default", minted())
    shown = {name: journal.line[name] for name in ("app", "index", "cause", "generation")}
    assert shown == {"app": "default", "index": 0, "cause": "start", "generation": 1}
    assert (journal.line["lifetime"], journal.line["took_ms"]) == (3600.0, 250.0)


def refuse(log: TokenLog, times: int, cause: RefusalCause = RefusalCause.TOKEN) -> None:
    for _ in range(times):
        log.token_event("default", Refused(7, "GET /v2/users/{userId}", cause))


def test_a_thousand_refusals_are_one_line_a_second(
    journal_at: Callable[[Level], Journal], timer: Timer
) -> None:
    journal = journal_at("info")
    log = TokenLog(journal.log, timer)
    refuse(log, 1000)
    assert [line["count"] for line in journal.lines] == [1]
    assert timer.due[0][0] == 1.0
    timer.pass_by()
    assert [line["count"] for line in journal.lines] == [1, 999]
    refuse(log, 2)
    timer.pass_by()
    timer.pass_by()
    assert timer.due == []
    assert [line["count"] for line in journal.lines] == [1, 999, 2]
    refuse(log, 1)
    assert [line["count"] for line in journal.lines] == [1, 999, 2, 1]
    assert {line["level"] for line in journal.lines} == {"warning"}
    assert "999 calls" in journal.lines[1]["message"]


@pytest.mark.parametrize("cause", list(RefusalCause))
def test_each_refusal_is_a_line_for_who_debugs(
    journal: Journal, timer: Timer, cause: RefusalCause
) -> None:
    log = TokenLog(journal.log, timer)
    refuse(log, 2, cause)
    kinds = [(line["level"], line["event"]) for line in journal.lines]
    assert kinds == [
        ("debug", "token_refused"),
        ("warning", "token_refusals"),
        ("debug", "token_refused"),
    ]
    assert {line["cause"] for line in journal.lines} == {cause.value}


def test_causes_do_not_hide_each_other(
    journal_at: Callable[[Level], Journal], timer: Timer
) -> None:
    journal = journal_at("info")
    log = TokenLog(journal.log, timer)
    refuse(log, 5, RefusalCause.TOKEN)
    refuse(log, 5, RefusalCause.ENDPOINT)
    assert [line["cause"] for line in journal.lines] == ["token", "endpoint"]


async def test_the_loops_own_timer_is_the_default(journal: Journal) -> None:
    log = GatewayLog(journal.log)
    log.unknown_account_id("abc")
    log.unknown_account_id("abc")
    assert len(journal.lines) == 1
    (timer,) = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    timer.cancel()


def test_outside_a_loop_nothing_is_held_back(journal: Journal) -> None:
    log = GatewayLog(journal.log)
    log.unknown_account_id("abc")
    log.unknown_account_id("def")
    assert [line["account_id"] for line in journal.lines] == ["abc", "def"]


def report(**changes: Any) -> CallReport:
    made = CallReport(
        "r-1", "10.0.0.7", "default", "GET", "/v2/users/{userId}", 200, 0.2, 0.1, 0.05
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_call_is_one_line(journal: Journal) -> None:
    log = AccessLog(journal.log)
    log.call_began("default")
    log.call_ended(report(generation=3, bytes_in=10, bytes_out=2000))
    line = journal.line
    del line["timestamp"]
    assert line == {
        "level": "info",
        "event": "call",
        "request_id": "r-1",
        "caller": "10.0.0.7",
        "account": "default",
        "method": "GET",
        "route": "/v2/users/{userId}",
        "status": 200,
        "duration_ms": 200.0,
        "upstream_ms": 100.0,
        "token_wait_ms": 50.0,
        "generation": 3,
        "replays": 0,
        "bytes_in": 10,
        "bytes_out": 2000,
    }


def test_what_else_there_is_to_say_of_a_call(journal: Journal) -> None:
    AccessLog(journal.log).call_ended(
        report(
            status=503,
            replays=1,
            outcome=ReplayOutcome.FAILED,
            tracking_id="v=2.0;rid=1",
            error="upstream_broken",
        )
    )
    line = journal.line
    assert (line["level"], line["replay_outcome"], line["replays"]) == ("warning", "failed", 1)
    assert (line["tracking_id"], line["error"]) == ("v=2.0;rid=1", "upstream_broken")


@pytest.mark.parametrize(("status", "shown"), [(200, 0), (499, 0), (500, 1)])
def test_above_info_only_server_errors_show(
    journal_at: Callable[[Level], Journal], status: int, shown: int
) -> None:
    journal = journal_at("warning")
    AccessLog(journal.log).call_ended(report(status=status))
    assert len(journal.lines) == shown


def test_each_log_leaves_the_others_events_alone(journal: Journal) -> None:
    AccessLog(journal.log).token_event("default", StoreUp())
    tokens = TokenLog(journal.log)
    tokens.call_began("default")
    tokens.call_ended(report())
    assert journal.lines == []


def test_the_gateways_life(journal: Journal) -> None:
    log = GatewayLog(journal.log)
    log.started("1.2.3", "127.0.0.1:8080", "127.0.0.1:9090", "memory", ["default"])
    log.draining("SIGTERM", 3)
    log.stopped(0)
    log.stopped(2)
    kinds = [(line["level"], line["event"]) for line in journal.lines]
    assert kinds == [
        ("info", "started"),
        ("info", "draining"),
        ("info", "stopped"),
        ("warning", "stopped"),
    ]
    assert not any("dropped_fields" in line for line in journal.lines)


def _fail() -> None:
    raise LookupError(CANARY)


def test_a_defect_shows_its_place_and_a_storm_of_it_is_one_line(
    journal: Journal, timer: Timer
) -> None:
    log = GatewayLog(journal.log, timer)
    for _ in range(10):
        try:
            _fail()
        except LookupError as error:
            log.defect(error)
    assert journal.line["exception"] == "LookupError"
    assert "test_call_and_token_lines.py" in journal.line["place"]
    timer.pass_by()
    assert [line["count"] for line in journal.lines] == [1, 9]
    assert CANARY not in journal.stream.getvalue()
