"""Limits and errors in words."""

from typing import Any

import pytest

from gateway.core.posture import Mark
from gateway.core.rate_words import Fact, facts


def part(**changes: Any) -> dict[str, Any]:
    quiet = {"seconds": 600, "limits": [], "used": [], "limited": [], "errors_high": False}
    errors = [{"minutes": 60, "requests": 0, "errors": 0, "ratio": 0.0}]
    return {**quiet, "errors": errors, **changes}


def used(category: str = "light", **more: Any) -> dict[str, Any]:
    callers = [{"caller": "crm", "count": 1900}, {"caller": "10.1.4.17", "count": 100}]
    return {"category": category, "count": 2000, "callers": callers, **more}


def limit(kind: str, of: int | None, left: int | None, category: str = "light") -> dict[str, Any]:
    at = "2027-01-15T08:00:01Z"
    return {"category": category, "type": kind, "limit": of, "remaining": left, "at": at}


def told(**changes: Any) -> list[Fact]:
    return list(facts(part(**changes)))


def test_of_nothing_nothing_is_said() -> None:
    assert told() == []


def test_who_calls_how_often_and_what_is_left() -> None:
    limits = [limit("daily", 6000, 5893), limit("per_second", 30, 12), limit("unknown", None, 5)]
    assert told(used=[used()], limits=limits) == [
        Fact(
            "light",
            "2,000 calls in 10 min (crm 1,900, 10.1.4.17 100); 5,893 of 6,000 left of the day at "
            "08:00:01; 12 of 30 left of the second at 08:00:01; 5 left of a limit at 08:00:01",
        )
    ]


def test_categories_come_in_their_order() -> None:
    found = told(used=[used("unknown"), used("heavy"), used("light")])
    assert [one.name for one in found] == ["light", "heavy", "unknown"]


@pytest.mark.parametrize(
    ("kind", "words", "mark"),
    [
        ("per_second", "for the second", Mark.WARNING),
        ("per_minute", "for the minute", Mark.WARNING),
        ("daily", "for the day", Mark.ERROR),
        ("per_user", "for a user's day", Mark.WARNING),
        ("concurrent", "for calls at once", Mark.WARNING),
        ("unknown", "for an unknown limit", Mark.WARNING),
    ],
)
def test_429s_stand_out_with_those_who_meet_them(kind: str, words: str, mark: Mark) -> None:
    (found,) = told(limited=[used(type=kind)])
    assert found.text == "no calls"
    assert found.trouble == f"2,000 × 429 {words}"  # noqa: RUF001
    assert (found.mark, found.who) == (mark, "crm 1,900, 10.1.4.17 100")


@pytest.mark.parametrize(
    ("one", "low"),
    [
        (limit("daily", 6000, 600), True),
        (limit("daily", 6000, 601), False),
        (limit("daily", 6000, None), False),
        (limit("daily", None, 0), False),
        (limit("per_second", 30, 0), False),
    ],
)
def test_little_that_is_left_of_a_day_stands_out(one: dict[str, Any], *, low: bool) -> None:
    (found,) = told(limits=[one])
    assert found.trouble == ("little is left of the day" if low else "")
    assert found.mark is (Mark.WARNING if low else Mark.OK)


def test_errors_are_a_share_of_what_was_asked() -> None:
    errors = [
        {"minutes": 60, "requests": 1200, "errors": 300, "ratio": 0.25},
        {"minutes": 10, "requests": 0, "errors": 0, "ratio": 0.0},
    ]
    text = "300 of 1,200 requests (25.0 %) in 60 min; 0 of 0 requests (0.0 %) in 10 min"
    assert told(errors=errors) == [Fact("errors", text)]
    assert told(errors=errors, errors_high=True) == [Fact("errors", text, "too many", Mark.WARNING)]
