import json
import math
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.account import Holdoff, Minting
from gateway.core.diagnosis import Chart
from gateway.core.status import (
    Readiness,
    ReadinessGate,
    Replica,
    State,
    headline,
    iso,
    mood,
    snapshot,
    span,
)
from gateway.core.token import Cause
from tests.observe.charts import (
    A0,
    CANARY,
    NOW,
    WALL,
    fleet,
    healthy,
    held_off,
    tokenless,
    troubled,
    untried,
)

REPLICA = Replica("gw-1", "1.2.3", 42, NOW - 100)


def look(charts: dict[str, Chart], *tried: str, gate: ReadinessGate | None = None) -> Readiness:
    return (gate or ReadinessGate()).look(charts, tried)


def report(charts: dict[str, Chart]) -> dict[str, Any]:
    return snapshot(charts, look(charts, *charts), REPLICA, NOW, WALL)


def of(chart: Chart) -> Any:
    (account,) = report({"default": chart})["accounts"]
    return account


def test_not_ready_before_every_account_was_tried() -> None:
    readiness = look({"one": healthy(), "two": untried()}, "one")
    assert not readiness.ready
    assert readiness.state is State.UNREADY
    assert readiness.reasons == ("Account two: There is no token yet.",)
    assert headline(readiness) == "Not ready: Account two: There is no token yet."
    # It has a token already, of another replica.
    assert look({"one": healthy(), "two": healthy()}, "one").reasons == (
        "Account two: no mint was tried yet.",
    )


def test_not_ready_while_no_account_has_a_token() -> None:
    readiness = look({"one": tokenless(), "two": tokenless()}, "one", "two")
    assert not readiness.ready
    assert all("none can be minted" in reason for reason in readiness.reasons)


def test_ready_when_all_were_tried_and_one_has_a_token() -> None:
    readiness = look({"one": healthy(), "two": tokenless()}, "one", "two")
    assert readiness.ready
    assert readiness.state is State.DEGRADED
    assert readiness.reasons[0].startswith("Account two: There is no usable token")


def test_a_later_fault_does_not_take_the_replica_away() -> None:
    gate = ReadinessGate()
    assert look({"one": healthy()}, "one", gate=gate) == Readiness(
        ready=True, state=State.OK, reasons=()
    )
    later = look({"one": tokenless()}, "one", gate=gate)
    assert later.ready
    assert later.state is State.DEGRADED
    assert later.reasons


def test_ready_though_nobody_looked_while_there_was_a_token() -> None:
    gate = ReadinessGate()
    assert not gate.look({"one": tokenless()}, ["one"]).ready
    assert gate.look({"one": tokenless()}, ["one"], ["one"]).ready
    assert gate.look({"one": tokenless()}, ["one"]).ready


@pytest.mark.parametrize(
    ("charts", "word"),
    [
        ({"one": healthy()}, "ok"),
        ({"one": troubled()}, "degraded"),
        ({"one": healthy(), "two": tokenless()}, "failing"),
        ({"one": tokenless()}, "unready"),
    ],
)
def test_one_word_says_whether_calls_fail(charts: dict[str, Chart], word: str) -> None:
    assert mood(report(charts)) == word


def test_draining_is_for_good() -> None:
    gate = ReadinessGate()
    look({"one": healthy()}, "one", gate=gate)
    gate.drain()
    for _ in range(2):
        readiness = look({"one": healthy()}, "one", gate=gate)
        assert not readiness.ready
        assert readiness.reasons == ("The gateway is stopping: send new calls elsewhere.",)
    assert headline(readiness).startswith("Not ready: The gateway is stopping")


def test_the_holdoff_is_told_in_the_exact_words() -> None:
    (reason,) = look({"default": held_off()}, "default").reasons
    assert reason == (
        "Zoom refuses a token it issued 2 s ago: the app is deactivated, its owner's role "
        "changed, or another program mints with the same credentials."
    )


def test_the_worst_comes_first_over_all_accounts() -> None:
    readiness = look({"one": troubled(), "two": held_off()}, "one", "two")
    assert readiness.reasons[0].startswith("Account two: Zoom refuses")
    assert headline(readiness).endswith(f"({len(readiness.reasons) - 1} more below.)")


def test_a_notice_alone_is_well() -> None:
    chart = healthy()
    chart = replace(chart, account=replace(chart.account, suspects={"GET /x": NOW + 5}))
    assert look({"default": chart}, "default").state is State.OK
    account = of(chart)
    assert account["state"] == "ok"
    assert account["suspects"] == [{"endpoint": "GET /x", "until": iso(WALL + 5), "remaining": 5.0}]
    assert [one["code"] for one in account["diagnoses"]] == ["endpoint_refuses"]


@pytest.mark.parametrize(
    ("readiness", "text"),
    [
        (Readiness(ready=True, state=State.OK, reasons=()), "All is well: calls get a token."),
        (Readiness(ready=False, state=State.UNREADY, reasons=()), "Not ready yet."),
        (Readiness(ready=True, state=State.DEGRADED, reasons=("A.",)), "A."),
        (Readiness(ready=False, state=State.UNREADY, reasons=("A.",)), "Not ready: A."),
    ],
)
def test_one_sentence_says_it_all(readiness: Readiness, text: str) -> None:
    assert headline(readiness) == text


def test_a_healthy_account() -> None:
    account = of(healthy())
    assert account["state"] == "ok"
    assert (account["generation"], account["newest_generation"]) == (2, 2)
    assert account["diagnoses"] == account["suspects"] == []
    assert account["holdoff"] is account["minting"] is None
    assert account["budget"] == {"left": 120, "burst": 120}
    spare, active = account["slots"]
    assert (spare["phase"], spare["rotates_at"], spare["token"]["expires_in"]) == (
        "spare",
        None,
        900.0,
    )
    assert active == {
        "app": "default",
        "index": 1,
        "phase": "active",
        "barred": "",
        "refused": False,
        "failures": 0,
        "retry_in": None,
        "rotates_at": "2027-01-15T08:15:00Z",
        "rotates_in": 900.0,
        "token": {
            "generation": 2,
            "minted": "2027-01-15T07:45:00Z",
            "age": 900.0,
            "lifetime": 3600.0,
            "expires": "2027-01-15T08:45:00Z",
            "expires_in": 2700.0,
            "cause": "rotation",
            "minter": "gw-1",
            "accepted": True,
        },
    }


def test_what_the_replica_says_of_itself() -> None:
    body = report({"default": healthy()})
    assert body["state"] == "ok"
    assert body["ready"] is True
    assert body["at"] == "2027-01-15T08:00:00Z"
    assert body["replica"] == {
        "name": "gw-1",
        "version": "1.2.3",
        "pid": 42,
        "worker": None,
        "uptime": 100.0,
    }
    assert body["upstream"] == []


def test_the_ways_to_zoom() -> None:
    gate, charts = ReadinessGate(), {"default": healthy()}
    ways = (("api.zoom.us", "proxy.test:3128"), ("zoom.us", None))
    replica = Replica("gw-1", "1.2.3", 42, 0.0, ways=ways)
    body = snapshot(charts, gate.look(charts, charts), replica, 100.0, WALL)
    assert body["upstream"] == [
        {"host": "api.zoom.us", "egress_proxy": "proxy.test:3128"},
        {"host": "zoom.us", "egress_proxy": None},
    ]


def test_the_headline_is_the_worst_of_all_with_since_and_advice() -> None:
    assert report({"default": healthy()})["headline"] is None
    found = report({"one": troubled(), "two": held_off()})["headline"]
    assert (found["account"], found["code"]) == ("two", "fresh_refused")
    assert found["since"] == iso(WALL - 1)
    assert "rotate the client secret" in found["advice"]
    assert report({"one": tokenless()})["headline"]["cause"] == "invalid_client"


def test_a_gateway_that_stops_has_no_fault_for_a_headline() -> None:
    gate, charts = ReadinessGate(), {"default": held_off()}
    gate.drain()
    body = snapshot(charts, gate.look(charts, charts), REPLICA, NOW, WALL)
    assert body["headline"] is None
    assert "stopping" in body["sentence"]
    assert [one["code"] for one in body["accounts"][0]["diagnoses"]] == ["fresh_refused"]


def test_who_minted_last_and_why() -> None:
    assert of(untried())["last_mint"] is None
    assert of(healthy())["last_mint"] == {
        "app": "default",
        "index": 1,
        "generation": 2,
        "cause": "rotation",
        "minter": "gw-1",
        "at": "2027-01-15T07:45:00Z",
        "age": 900.0,
    }


def test_totals_stand_beside_their_account() -> None:
    charts = {"one": healthy(), "two": healthy()}
    readiness = look(charts, "one", "two")
    body = snapshot(charts, readiness, REPLICA, NOW, WALL, {"two": {"calls": 3}})
    assert [account["totals"] for account in body["accounts"]] == [{}, {"calls": 3}]


def test_of_many_accounts_the_worst_are_told_in_full() -> None:
    charts = {"one": healthy(), "two": held_off(), "three": troubled(), "four": healthy()}
    ready = look(charts, *charts)
    whole = snapshot(charts, ready, REPLICA, NOW, WALL)
    some = snapshot(charts, ready, REPLICA, NOW, WALL, most=2)
    assert {**some, "accounts": []} == {**whole, "accounts": []}
    for told, full in zip(some["accounts"], whole["accounts"], strict=True):
        if full["name"] in {"two", "three"}:
            assert told == full
        else:
            assert told == {name: full[name] for name in ("name", "state", "diagnoses")}


def test_a_holdoff_and_what_is_wrong() -> None:
    account = of(held_off())
    assert account["state"] == "failing"
    assert account["holdoff"] == {
        "generation": 1,
        "since": iso(WALL - 1),
        "until": iso(WALL + 30),
        "remaining": 30.0,
    }
    assert [slot["refused"] for slot in account["slots"]] == [True]
    (found,) = account["diagnoses"]
    assert found["code"] == "fresh_refused"
    assert found["since"] == iso(WALL - 1)
    assert found["advice"]


def test_a_token_that_stands_in_for_refused_ones_is_not_refused() -> None:
    chart = healthy()
    # Token 2 is active and was accepted; token 1 is a spare.
    held = replace(chart, account=replace(chart.account, holdoff=Holdoff(3, NOW - 1, NOW + 30)))
    assert [slot["refused"] for slot in of(held)["slots"]] == [False, False]
    held = replace(chart, account=replace(chart.account, holdoff=Holdoff(2, NOW - 1, NOW + 30)))
    assert [slot["refused"] for slot in of(held)["slots"]] == [False, False]


def test_an_account_without_a_token() -> None:
    account = of(tokenless())
    assert account["generation"] is None
    (slot,) = account["slots"]
    assert (slot["phase"], slot["token"], slot["failures"]) == ("empty", None, 1)
    assert slot["retry_in"] == 60.0


def test_everything_that_can_be_wrong_beside_calls() -> None:
    account = of(troubled())
    assert account["state"] == "degraded"
    assert {one["code"] for one in account["diagnoses"]} == {
        "mint_failing",
        "foreign_mint",
        "previous_secret",
        "store_down",
        "slot_out",
        "slots_linked",
        "endpoint_refuses",
    }
    assert [slot["phase"] for slot in account["slots"]] == ["set aside", "active", "empty"]
    assert account["slots"][2]["barred"] == "token_index is out of range"
    assert account["budget"] == {"left": 117, "burst": 120}
    assert [one["endpoint"] for one in account["suspects"]] == ["GET /v2/users/{userId}"]


def test_a_mint_in_progress() -> None:
    chart = healthy()
    minting = Minting(A0, NOW - 1, "7", "gw-2", Cause.ROTATION)
    account = of(replace(chart, account=replace(chart.account, minting=minting)))
    assert account["minting"] == {
        "app": "default",
        "index": 0,
        "cause": "rotation",
        "holder": "gw-2",
        "since": iso(WALL - 1),
    }


class TestTheFleet:
    def test_names_every_replica_and_which_one_answers(self) -> None:
        ready = look({}, gate=ReadinessGate())
        seeing = replace(REPLICA, sighting=fleet())
        found = snapshot({}, ready, seeing, NOW, WALL)["fleet"]
        assert found["seen"] == 1.5
        assert [(one["name"], one["this"]) for one in found["replicas"]] == [
            ("gw-1", True),
            ("gw-2", False),
        ]
        assert found["replicas"][1] == {
            "name": "gw-2",
            "version": "1.2.4",
            "address": "10.0.0.2:8080",
            "since": iso(WALL - 30),
            "seen": 5.5,
            "generations": {"default": 0},
            "this": False,
        }

    def test_is_empty_before_the_first_heartbeat(self) -> None:
        assert report({})["fleet"] == {"seen": None, "replicas": []}


@pytest.mark.parametrize("chart", [healthy(), held_off(), troubled(), tokenless(), untried()])
def test_it_is_json_and_holds_no_token(chart: Chart) -> None:
    text = json.dumps(report({"default": chart}))
    assert CANARY not in text
    assert "Secret" not in text


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (WALL + 0.6, "2027-01-15T08:00:01Z"),
        (-1e12, "1970-01-01T00:00:00Z"),
        (1e12, "9999-12-31T23:59:59Z"),
        (253_402_300_799.9, "9999-12-31T23:59:59Z"),
        (1e308, "9999-12-31T23:59:59Z"),
        (math.inf, "9999-12-31T23:59:59Z"),
        (-math.inf, "1970-01-01T00:00:00Z"),
        (math.nan, "1970-01-01T00:00:00Z"),
    ],
)
def test_moments_beyond_the_calendar_become_its_ends(wall: float, text: str) -> None:
    assert iso(wall) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (3240, "54 min"),
        (3599, "60 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86400, "1 d"),
        (2 * 86400 + 4 * 3600 + 59, "2 d 4 h"),
    ],
)
def test_spans_as_people_read_them(seconds: float, text: str) -> None:
    assert span(seconds) == text
