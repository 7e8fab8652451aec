from typing import Any

from gateway.core.pace_words import pace_facts
from gateway.core.posture import Mark

CALLERS = [
    {"name": "reports", "sent": 1200, "refused": 7, "waiting": 64},
    {"name": "10.0.0.7", "sent": 3, "refused": 0, "waiting": 0},
]


def lane(**changes: Any) -> dict[str, Any]:
    return {"calls": 20, "seconds": 1.0, "used": 0.5, "waiting": 0, "callers": []} | changes


def test_a_lane_says_what_is_used_of_it_and_by_whom() -> None:
    (fact,) = pace_facts({"light": lane(callers=CALLERS, used=0.984, waiting=65)})
    assert fact.name == "light, paced"
    assert fact.text == (
        "98% of 20 calls a second used by the fleet;"
        " here: reports 1,200 (64 waiting, 7 refused), 10.0.0.7 3"
    )
    assert (fact.trouble, fact.mark) == ("65 wait", Mark.WARNING)


def test_a_lane_that_is_free() -> None:
    facts = list(pace_facts({"light": lane(calls=1), "resource-intensive": lane(seconds=60.0)}))
    assert [fact.text for fact in facts] == [
        "50% of 1 call a second used by the fleet",
        "50% of 20 calls a minute used by the fleet",
    ]
    assert {(fact.trouble, fact.mark) for fact in facts} == {("", Mark.OK)}


def test_who_waits_a_moment_is_no_warning() -> None:
    (fact,) = pace_facts({"light": lane(waiting=1)})
    assert (fact.trouble, fact.mark) == ("1 wait", Mark.OK)
