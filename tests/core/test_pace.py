"""Calls per second and percentiles, from counters of a fixed size."""

import random

import pytest

from gateway.core.pace import BOUNDS, BUCKET, KEPT, SPAN, Pace


def steady(per_second: int, seconds: int, took: float = 0.1, start: float = 1000.0) -> Pace:
    pace = Pace(start)
    for number in range(per_second * seconds):
        pace.add(start + number / per_second, took)
    return pace


def test_nothing_happened() -> None:
    reading = Pace(1000.0).read(1000.0)
    assert (reading.calls, reading.per_second, reading.p50, reading.p99) == (0, 0.0, None, None)


@pytest.mark.parametrize("now", [1200.0, 1203.0, 1209.9])
def test_the_rate_is_that_of_the_last_minute(now: float) -> None:
    pace = steady(20, 200)
    for number in range(int((now - 1200.0) * 20)):
        pace.add(1200.0 + number / 20, 0.1)
    reading = pace.read(now)
    assert reading.per_second == pytest.approx(20, rel=0.01)
    assert reading.calls == pytest.approx(20 * (SPAN + now % BUCKET), abs=2)


def test_a_young_one_counts_from_its_beginning() -> None:
    assert steady(20, 5).read(1005.0).per_second == pytest.approx(20)
    assert steady(20, 1).read(1000.0).per_second == 20.0  # never over less than a second


def test_what_is_older_than_the_window_is_forgotten() -> None:
    pace = steady(20, 10)
    assert pace.read(1000.0 + SPAN + BUCKET - 0.1).calls == 200
    assert pace.read(1000.0 + SPAN + BUCKET).calls == 0
    pace.add(1e6, 0.1)
    assert pace.read(1e6).calls == 1


def test_percentiles_are_near_the_true_ones() -> None:
    chance = random.Random(7)
    times = sorted(chance.lognormvariate(-2, 0.8) for _ in range(5000))
    pace = Pace(1000.0)
    for took in times:
        pace.add(1001.0, took)
    reading = pace.read(1002.0)
    assert reading.p50 == pytest.approx(times[2500], rel=0.2)
    assert reading.p99 == pytest.approx(times[4950], rel=0.2)


@pytest.mark.parametrize(
    ("took", "low", "high"),
    [(0.0, 0.0, BOUNDS[0]), (BOUNDS[3], BOUNDS[2], BOUNDS[3]), (1e9, BOUNDS[-1], BOUNDS[-1])],
)
def test_a_time_lies_within_its_bounds(took: float, low: float, high: float) -> None:
    pace = Pace(1000.0)
    pace.add(1000.0, took)
    reading = pace.read(1000.0)
    assert reading.p50 is not None
    assert low <= reading.p50 <= high


def test_its_size_is_fixed() -> None:
    pace = steady(50, 300)
    assert len(pace._counts) == KEPT * (len(BOUNDS) + 1)
