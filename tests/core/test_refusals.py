import pytest

from gateway.core.diagnosis import Severity
from gateway.core.limits import Limits
from gateway.core.refusals import STEP, WINDOW, Refusals, diagnose_refusals


def looked(*seconds: tuple[int, int], start: float = 0.0) -> Refusals:
    """What comes of so many calls served, and refused, in one second after the other."""
    refusals, served, refused = Refusals(), 100, 50
    refusals.look(start, served, {"calls": refused, "connections": 0})
    for number, (well, ill) in enumerate(seconds, 1):
        served, refused = served + well, refused + ill
        refusals.look(start + number, served, {"calls": refused, "connections": 0})
    return refusals


@pytest.mark.parametrize(
    ("seconds", "since"),
    [
        ([], {}),
        ([(0, 0)] * 3, {}),
        ([(10, 1)] * 60, {}),
        ([(10, 10)] * 60, {}),
        ([(10, 11)] * 60, {"calls": 1.0}),
        ([(0, 0), (0, 1)], {"calls": 2.0}),
        # What was well before counts for a while, and so does what was not.
        ([(1, 0)] * 60 + [(0, 10)], {}),
        ([(1, 0)] * 60 + [(0, 10)] * 2, {"calls": 62.0}),
        ([(0, 1)] * 10 + [(20, 0)], {}),
        ([(0, 1)] + [(0, 0)] * int(WINDOW), {"calls": 1.0}),
        ([(0, 1)] + [(0, 0)] * int(WINDOW + STEP), {}),
    ],
)
def test_most_of_what_came_lately(seconds: list[tuple[int, int]], since: dict[str, float]) -> None:
    assert looked(*seconds).since == since


def test_each_limit_for_itself() -> None:
    refusals = Refusals()
    refusals.look(5.0, 0, {"calls": 0, "connections": 0})
    refusals.look(6.0, 3, {"calls": 2, "connections": 4})
    assert refusals.since == {"connections": 6.0}


def test_little_is_remembered() -> None:
    assert len(looked(*[(1, 1)] * 1000)._counts) <= WINDOW / STEP + 2


def test_it_is_told_since_when_and_what_to_do() -> None:
    assert diagnose_refusals({}, Limits()) == []
    calls, connections = diagnose_refusals({"calls": 7.0, "connections": 8.0}, Limits())
    assert (calls.code, calls.severity, calls.since) == ("calls_refused", Severity.ERROR, 7.0)
    assert "limits.calls allows (1,000)" in calls.sentence
    assert "raise limits.calls " in calls.advice
    assert (connections.code, connections.since) == ("connections_refused", 8.0)
    assert "limits.connections allows (10,000)" in connections.sentence
