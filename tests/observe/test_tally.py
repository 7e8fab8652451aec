"""When what is counted for several processes reaches those that all of them read."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.observe.tally import BUCKETS, Tally
from gateway.reports import CallReport
from tests.support.processes import eventually

REPORT = CallReport("id", "127.0.0.1", "default", "GET", "other", 200, 0.2, 0.1)


class Counted:
    def __init__(self, *, shared: bool) -> None:
        registry = CollectorRegistry()
        labels = ("account", "method", "route", "status")
        self.inflight = Gauge("inflight", "-", registry=registry)
        times = [
            Histogram(name, "-", ("account",), buckets=BUCKETS, registry=registry)
            for name in ("seen", "sent")
        ]
        self.tally = Tally(shared=shared)
        self.tally.feed(
            Counter("calls", "-", labels, registry=registry), times[0], times[1], self.inflight
        )
        self.tally.prepare("default")
        self._registry = registry

    def calls(self) -> float | None:
        found = {"account": "default", "method": "GET", "route": "other", "status": "200"}
        return self._registry.get_sample_value("calls_total", found)

    def in_hand(self) -> float | None:
        return self._registry.get_sample_value("inflight")


async def test_the_last_call_in_hand_settles_at_once() -> None:
    counted = Counted(shared=True)
    for _ in range(3):
        counted.tally.began()
    for _ in range(3):
        counted.tally.ended(REPORT)
    assert (counted.calls(), counted.in_hand()) == (3, 0)


async def test_while_calls_are_in_hand_it_is_settled_soon_and_again() -> None:
    counted = Counted(shared=True)
    for number in (1, 2):
        counted.tally.began()
        counted.tally.began()
        counted.tally.ended(REPORT)
        await eventually(lambda: counted.calls() == number, "it is counted")  # noqa: B023  within
        assert counted.in_hand() == number


async def test_calls_of_a_moment_are_settled_together(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(shared=True)
    settled: list[None] = []
    settle = counted.tally.settle
    monkeypatch.setattr(counted.tally, "settle", lambda: settled.append(settle()))
    for _ in range(11):
        counted.tally.began()
    for _ in range(10):
        counted.tally.ended(REPORT)
    assert settled == []
    await eventually(lambda: settled, "a settlement")
    await asyncio.sleep(0)
    assert (len(settled), counted.calls(), counted.in_hand()) == (1, 10, 1)


def test_where_no_loop_runs_each_step_is_settled() -> None:
    counted = Counted(shared=True)
    counted.tally.began()
    counted.tally.began()
    assert counted.in_hand() == 2
    counted.tally.ended(REPORT)
    assert counted.calls() == 1


async def test_alone_it_waits_for_who_wants_to_see() -> None:
    counted = Counted(shared=False)
    counted.tally.began()
    counted.tally.ended(REPORT)
    assert counted.calls() is None
    counted.tally.collect()
    assert counted.calls() == 1
