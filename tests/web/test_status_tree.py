"""The status page as data: what it may be made of, and what it leaves out."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.diagnosis import Chart
from gateway.core.status import ReadinessGate, Replica, snapshot
from gateway.web import status_page
from gateway.web.timeline_tree import milliseconds
from gateway.web.tree import TAGS, Node, el
from tests.observe.charts import (
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

SCRIPT = Path(status_page.__file__).parent / "static" / "tree.js"
REPLICA = Replica("gw-1", "1.2.3", 42, NOW - 100, fleet())

PAST: dict[str, Any] = {
    "pace": {"seconds": 60, "calls": 9, "per_second": 0.15, "p50": 0.0184, "p99": 1.25},
    "timeline": {
        "step": 60,
        "columns": 180,
        "kinds": ["calls", "recovered", "passed_on", "refusals", "mints", "mint_failures"],
        "rows": [[179, 5, 0, 0, 0, 1, 0], [0, 600, 2, 0, 2, 1, 0]],
    },
    "events": [
        {
            "at": "2027-01-15T07:59:58Z",
            "since": "2027-01-15T07:50:00Z",
            "count": 2000,
            "event": "token_refusals",
            "level": "warning",
            "message": "Zoom refused the token of 2000 calls.",
        }
    ],
}


def view(replica: Replica = REPLICA, past: Any = PAST, /, **charts: Chart) -> dict[str, Any]:
    ready = ReadinessGate().look(charts, charts)
    totals = {name: {"calls": 7} for name in charts}
    body = snapshot(charts, ready, replica, NOW, WALL, totals)
    return status_page.view({**body, "actions": ["rotate"]}, lambda _: past)


def parts(nodes: list[Node]) -> list[list[Any]]:
    found = []
    for node in nodes:
        if isinstance(node, list):
            found += [node, *parts(node[2])]
    return found


def text(nodes: list[Node]) -> str:
    return "".join(one if isinstance(one, str) else text(one[2]) for one in nodes)


@pytest.mark.parametrize("chart", [healthy(), held_off(), troubled(), tokenless(), untried()])
def test_the_script_takes_all_that_the_page_is_made_of(chart: Chart) -> None:
    source = SCRIPT.read_text()
    listed = set(re.findall(r'"([a-z0-9]+)"', source.split("const TAGS")[1].split("]);")[0]))
    drawn = set(re.findall(r'"([a-z]+)"', source.split("const DRAWN")[1].split("]);")[0]))
    assert listed | drawn == TAGS
    (allowed,) = re.findall(r"ATTRIBUTES = /(.*)/;", source)
    made = parts(view(default=chart, other=healthy())["page"])
    for _, attributes, _ in made:
        assert all(re.match(allowed, name) for name in attributes)
        assert not any(re.match("on|style|src", name) for name in attributes)


@pytest.mark.parametrize("chart", [healthy(), held_off(), troubled(), tokenless(), untried()])
def test_it_is_json_and_holds_no_token(chart: Chart) -> None:
    assert CANARY not in json.dumps(view(default=chart))


def test_an_element_that_the_page_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="script"):
        el("script")


def test_texts_beside_each_other_are_one() -> None:
    assert el("p", "note", "a", "b", None, el("span"), "c") == [
        "p",
        {"class": "note"},
        ["ab", ["span", {}, []], "c"],
    ]


def test_the_worst_account_comes_first() -> None:
    shown = view(aa=healthy(), bb=troubled(), cc=held_off())
    names = [node[2][0] for node in parts(shown["page"]) if node[0] == "h2"]
    assert names[:3] == ["cc ", "bb ", "aa "]


def test_what_the_first_sentence_says_is_not_said_again() -> None:
    said = text(view(default=held_off())["page"])
    assert said.count("Zoom refuses a token it issued") == 1
    assert said.count("What to do: Look at the app") == 1


def test_it_says_since_when_and_how_long_ago_that_was() -> None:
    assert "Since 2027-01-15 07:59:00 UTC, 60 s ago." in text(view(default=tokenless())["page"])


def test_a_token_in_use_that_zoom_refuses_looks_it_and_says_it() -> None:
    shown = view(default=held_off())
    assert shown["title"] == "failing · zoom-gateway"
    (slot,) = (one for one in parts(shown["page"]) if one[1].get("class") == "refused")
    assert "refused token 1" in text([slot])
    assert "in use, though Zoom refuses it." in text([slot])
    assert "accepted" not in text([slot])
    assert ".refused .life { mask-image" in status_page.static("status.css").decode()


def test_many_accounts_are_shown_by_name() -> None:
    charts = {f"account-{number}": healthy() for number in range(30)}
    shown = view(**charts, broken=tokenless())
    assert "19 more accounts" in text(shown["page"])
    assert len(json.dumps(shown)) < 100_000
    assert text(shown["page"]).index("broken") < text(shown["page"]).index("account-1")


def test_what_is_not_shown_need_not_be_told() -> None:
    charts = {f"account-{number}": healthy() for number in range(30)} | {"broken": tokenless()}
    ready = ReadinessGate().look(charts, charts)
    some = snapshot(charts, ready, REPLICA, NOW, WALL, most=status_page.DETAILED)
    whole = snapshot(charts, ready, REPLICA, NOW, WALL)
    assert len(json.dumps(some)) < len(json.dumps(whole)) / 2
    assert status_page.view(some, lambda _: PAST) == status_page.view(whole, lambda _: PAST)


def test_what_happened_lately_is_drawn_and_said() -> None:
    made = view(default=healthy())["page"]
    said = text(made)
    assert "0.15calls per second" in said.replace("calls per second0.15", "0.15calls per second")
    assert "18 ms" in said
    assert "1.2 s" in said
    labels = [node[1].get("aria-label") for node in parts(made)]
    assert "calls in the last 3 h: 605, at most 600 a minute" in labels
    assert "replayed in the last 3 h: 2, at most 2 a minute" in labels
    assert not any(label and label.startswith("passed on") for label in labels)
    drawn = [node[1]["d"] for node in parts(made) if node[0] == "path"]
    assert "M0 24v-3h1v3zM179 24v-24h1v24z" in drawn
    assert "Zoom refused the token of 2000 calls. Since 07:50:00." in said


def test_what_happened_again_and_again_is_told_once() -> None:
    event = {**PAST["events"][0], "event": "mint_failed", "message": "No token."}
    said = text(view(REPLICA, {**PAST, "events": [event]}, default=healthy())["page"])
    assert "No token. 2,000 times since 07:50:00." in said


RATES: dict[str, Any] = {
    "seconds": 600,
    "limits": [],
    "used": [],
    "limited": [
        {
            "category": "heavy",
            "type": "daily",
            "count": 3,
            "callers": [{"caller": "reports", "count": 3}],
        }
    ],
    "errors": [{"minutes": 60, "requests": 200, "errors": 3, "ratio": 0.015}],
    "errors_high": False,
}


def test_zooms_limits_and_who_meets_them_are_said() -> None:
    made = view(REPLICA, {**PAST, "rate_limits": RATES}, default=healthy())["page"]
    assert "Zoom's limitsheavyno calls 3 × 429 for the day reports" in text(made)  # noqa: RUF001
    assert "3 of 200 requests (1.5 %) in 60 min" in text(made)
    (pill,) = (one for one in parts(made) if one[1].get("class") == "pill error")
    assert text([pill]) == "3 × 429 for the day"  # noqa: RUF001


def test_where_nothing_is_known_of_limits_nothing_is_said() -> None:
    quiet = {**RATES, "limited": [], "errors": []}
    for past in (PAST, {**PAST, "rate_limits": quiet}):
        assert "limits" not in text(view(REPLICA, past, default=healthy())["page"])


def test_before_anything_happened() -> None:
    quiet = {"pace": dict.fromkeys(("p50", "p99")) | {"per_second": 0.0, "calls": 0}, "events": []}
    said = text(view(REPLICA, quiet, default=healthy())["page"])
    assert "None since the start." in said
    assert "calls per second0.0" in said.replace("0.0calls per second", "calls per second0.0")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0184, "18 ms"), (0.9994, "999 ms"), (1.25, "1.2 s"), (None, "–")],  # noqa: RUF001
)
def test_durations(seconds: float | None, words: str) -> None:
    assert milliseconds(seconds) == words


def test_what_is_a_workers_own_is_said() -> None:
    alone, one_of_several = (
        view(default=healthy()),
        view(replace(REPLICA, worker=2), default=healthy()),
    )
    assert "Calls, timeline, events and totals are this replica's own." in alone["about"]
    assert one_of_several["replica"] == "gw-1, worker 2"
    assert "those of worker 2 alone; totals are those of all workers" in one_of_several["about"]
    assert "Totals of all workers since their start" in text(one_of_several["page"])


def test_the_key_changes_with_what_is_wrong_and_not_with_time() -> None:
    chart = held_off()
    later = replace(chart, now=chart.now + 5)
    assert view(default=chart)["key"] == view(default=later)["key"]
    assert view(default=chart) != view(default=later)
    assert view(default=chart)["key"] != view(default=healthy())["key"]
