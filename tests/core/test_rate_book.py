import json
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.plans import Limit, Pool
from gateway.core.rate_book import (
    AHEAD,
    DAY,
    GONE,
    HORIZON,
    LEAST_SLACK,
    MOST_CALLERS,
    MOST_SLACK,
    PERIOD,
    SLACK,
    TOLD,
    Ask,
    Book,
    Share,
    decode,
)

NOW = 1_790_000_000.0
TWENTY = Limit(20, 1.0)


def asked(
    book: Book, replica: str, now: float, wants: Mapping[str, int] | None = None, **more: Any
) -> Share:
    ask = Ask(more.pop("limit", TWENTY), wants=wants or {}, **more)
    return book.exchange(replica, {"light": ask}, now)["light"]


def again(book: Book) -> Book:
    """As a store gives it back."""
    return decode(json.loads(json.dumps(book.encode())))


def moments(share: Share) -> list[float]:
    return [at for at, _ in share.moments]


class TestMoments:
    def test_the_first_are_at_once(self) -> None:
        share = asked(Book(), "one", NOW, {"a": 3})
        assert all(at - NOW < 1e-3 and caller == "a" for at, caller in share.moments)
        assert len(share.moments) == 3
        assert (share.used, share.behind) == (3 / 20, 0)

    def test_then_they_come_evenly_and_not_too_far_ahead(self) -> None:
        share = asked(Book(), "one", NOW, {"a": 30})
        times = moments(share)
        assert sum(at - NOW < 1e-3 for at in times) == 5
        later = times[4:]
        for before, after in pairwise(later):
            assert after - before == pytest.approx((1 + SLACK) / 20, abs=1e-3)
        assert times[-1] <= NOW + TOLD
        assert share.behind > 0
        assert share.per_second == pytest.approx(20 / (1 + SLACK), rel=0.01)

    def test_a_replica_is_told_of_the_others_as_time_goes_on(self) -> None:
        book, sent, now = Book(), 0, NOW
        for _ in range(50):
            share = asked(book, "one", now, {"a": 300})
            sent += len(share.moments)
            now += PERIOD
        assert sent == pytest.approx(5 + 4.9 * 20 / (1 + SLACK), abs=3)

    def test_one_that_wants_no_more_takes_none_from_the_others(self) -> None:
        book = Book()
        asked(book, "one", NOW, {"a": 30})
        assert asked(book, "one", NOW + 0.05).moments == []
        assert asked(book, "two", NOW + PERIOD, {"b": 2}).moments
        assert again(book).encode() == book.encode()

    def test_moments_that_nobody_heard_of_become_anothers_whose_turn_it_is(self) -> None:
        book = Book()
        limit = Limit(100, 1.0)
        asked(book, "one", NOW, {"flood": 300}, limit=limit)
        found: list[tuple[float, str]] = []
        for number in range(1, 11):
            now = NOW + number * PERIOD
            asked(book, "one", now, {"flood": 300}, limit=limit)
            found += asked(book, "two", now + 0.02, {"polite": 1}, limit=limit).moments
        assert len(found) >= 8
        assert {caller for _, caller in found} == {"polite"}
        # Before those that the other has heard of are over.
        assert min(at for at, _ in found) <= NOW + PERIOD + HORIZON

    def test_a_replica_that_is_gone_wants_nothing(self) -> None:
        book = Book()
        asked(book, "one", NOW, {"a": 1000})
        assert asked(book, "two", NOW + GONE + 0.1, {"b": 1}).behind == 0

    def test_a_moment_soon_goes_to_who_hears_of_it_in_time(self) -> None:
        book = Book()
        limit = Limit(4, 1.0)
        asked(book, "one", NOW, {"a": 10}, limit=limit)
        share = asked(book, "two", NOW + 0.2, {"b": 10}, limit=limit)
        assert {caller for _, caller in share.moments} <= {"b"}

    def test_the_callers_that_are_named_are_bounded(self) -> None:
        book = Book()
        asked(book, "one", NOW, {f"caller-{n}": 1 for n in range(3 * MOST_CALLERS)})
        wants = book.encode()["lanes"]["light"][3]["one"][1]
        assert len(wants) <= MOST_CALLERS
        assert asked(book, "one", NOW + 1, {"a": 0}).moments == []


class TestInAdvance:
    def test_a_replica_gets_some_for_its_next_calls(self) -> None:
        share = asked(Book(), "one", NOW, stock=4)
        assert share.stock == pytest.approx([NOW + AHEAD] * 4, abs=1e-3)
        assert share.moments == []

    def test_not_all_of_the_limit(self) -> None:
        book = Book()
        assert len(asked(book, "one", NOW, stock=100).stock) == 15
        assert asked(book, "two", NOW, stock=100).stock == []

    def test_not_while_somebody_waits(self) -> None:
        book = Book()
        asked(book, "one", NOW, {"a": 100})
        assert asked(book, "two", NOW, stock=1).stock == []

    def test_what_was_not_used_is_given_back(self) -> None:
        book = Book()
        pool = Pool("day", 100)
        share = asked(book, "one", NOW, stock=15, pool=pool)
        back = asked(book, "one", NOW + 0.1, unused=tuple(share.stock), pool=pool)
        assert back.used == 0
        assert book.encode()["days"]["day"][1] == 0
        asked(book, "one", NOW + 0.1, unused=(NOW - 50, NOW + 50), pool=pool)
        assert asked(book, "one", NOW + 0.1, stock=1, pool=None, unused=(NOW + 9,)).stock


class TestSlack:
    def test_429s_make_it_grow_and_calls_that_pass_shrink_it(self) -> None:
        book = Book()
        first = asked(book, "one", NOW).per_second
        assert asked(book, "one", NOW, throttled=1).per_second < first
        assert asked(book, "one", NOW, throttled=1000).per_second == pytest.approx(
            20 / (1 + MOST_SLACK)
        )
        now = NOW
        for _ in range(10_000):
            now += 1.0
            asked(book, "one", now, {"a": 5})
        assert asked(book, "one", now).per_second == pytest.approx(20 / (1 + LEAST_SLACK))


class TestDays:
    POOL = Pool("heavy and resource-intensive", 3)

    def test_a_day_ends_and_the_next_begins(self) -> None:
        book = Book()
        share = asked(book, "one", NOW, {"a": 5}, pool=self.POOL)
        midnight = (NOW // DAY + 1) * DAY
        assert (len(share.moments), share.opens) == (3, midnight)
        assert asked(book, "one", midnight - 1, {"a": 5}, pool=self.POOL).moments == []
        later = asked(book, "one", midnight + 1, {"a": 2}, pool=self.POOL)
        assert (len(later.moments), later.opens) == (2, None)

    def test_lanes_share_it(self) -> None:
        book = Book()
        asks = {name: Ask(TWENTY, self.POOL, {"a": 2}) for name in ("heavy", "phone.heavy")}
        shares = book.exchange("one", asks, NOW)
        assert [len(share.moments) for share in shares.values()] == [2, 1]

    def test_what_zoom_says_of_it_counts(self) -> None:
        assert asked(Book(), "one", NOW, {"a": 5}, pool=self.POOL, spent=3).opens is not None

    def test_unused_moments_are_not_counted(self) -> None:
        book = Book()
        asked(book, "one", NOW, {"a": 20}, pool=Pool("day", 1000))
        asked(book, "one", NOW + 0.01, pool=Pool("day", 1000))
        day = book.encode()["days"]["day"][1]
        assert day == len(book.encode()["lanes"]["light"][0])


class TestKept:
    def test_it_is_the_same_after_the_store(self) -> None:
        book, other = Book(), Book()
        for turn in range(40):
            wants = {"a": turn % 7, "b": 3}
            now = NOW + turn * 0.07
            replica = f"replica-{turn % 3}"
            first = asked(book, replica, now, wants, stock=turn % 4, pool=Pool("day", 99))
            assert first == asked(other, replica, now, wants, stock=turn % 4, pool=Pool("day", 99))
            other = again(other)

    @pytest.mark.parametrize(
        "raw",
        [
            None,
            [],
            {"lanes": {"light": [1, 2]}, "days": {}},
            {"lanes": {"light": [["x"], 0, 0, {}, {}, 0]}, "days": {}},
            {"lanes": {"light": [[1e999], 0, 0, {}, {}, 0]}, "days": {}},
            {"lanes": {"light": [[], 0, 0, {"one": [1, {"a": 1}, []]}, {}, 0]}, "days": {}},
            {"lanes": {}, "days": {"day": [1]}},
            {"lanes": {}},
        ],
    )
    def test_what_is_none_is_an_empty_one(self, raw: object) -> None:
        assert decode(raw).encode() == Book().encode()

    def test_a_clock_that_is_set_back_holds_nobody_up(self) -> None:
        book = Book()
        asked(book, "one", NOW + 5000, {"a": 100})
        assert (
            asked(book, "one", NOW, {"a": 1}).moments
            or asked(book, "one", NOW + 1.1, {"a": 1}).moments
        )

    def test_it_can_begin_late(self) -> None:
        book = Book()
        book.begin("light", Limit(1, 2.0), NOW + 0.1)
        share = asked(book, "one", NOW, {"a": 1}, limit=Limit(1, 2.0))
        assert moments(share) == pytest.approx([NOW + 0.1], abs=1e-3)


LIMITS = st.sampled_from([Limit(1, 1.0), Limit(4, 1.0), Limit(20, 1.0), Limit(10, 60.0)])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["one", "two", "three"]),
        st.dictionaries(st.sampled_from("abcd"), st.integers(1, 30), max_size=3),
        st.integers(0, 8),
        st.floats(0, 0.4),
        st.floats(0, 1),
        st.integers(0, 1),
    ),
    max_size=60,
)


def _run(limit: Limit, steps: Any) -> tuple[list[float], Counter[str], Book, float]:
    """Departures as late as they may be for what is given in advance, or as early."""
    book, now = Book(), NOW
    left: list[float] = []
    served: Counter[str] = Counter()
    for replica, wants, stock, pause, part, throttled in steps:
        now += pause
        share = asked(book, replica, now, wants, stock=stock, limit=limit, throttled=throttled)
        left += [at for at, _ in share.moments]
        served.update(caller for _, caller in share.moments)
        left += [now + part * (end - now) for end in share.stock]
        book = again(book)
    return sorted(left), served, book, now


@settings(max_examples=150)
@given(LIMITS, STEPS)
def test_there_are_never_more_than_the_limit_in_any_window(limit: Limit, steps: Any) -> None:
    left = _run(limit, steps)[0]
    window = limit.seconds * (1 + LEAST_SLACK)
    for first, after in zip(left, left[limit.calls :], strict=False):
        assert after - first >= window - 1e-3


@settings(max_examples=60)
@given(LIMITS.filter(lambda limit: limit.seconds == 1.0), STEPS)
def test_nothing_is_wasted_while_somebody_waits(limit: Limit, steps: Any) -> None:
    """From any state on: what wants all gets all of it, but for the slack."""
    _, _, book, now = _run(limit, steps)
    # What the others wanted, and what was given in advance, is over by then.
    now += GONE + AHEAD + 1.3
    sent: list[float] = []
    for _ in range(70):
        now += PERIOD
        sent += moments(asked(book, "busy", now, {"z": 1000}, limit=limit))
    lost = 2 + limit.calls * HORIZON
    assert len(sent) >= 7 * limit.calls / (1 + MOST_SLACK) - lost


@settings(max_examples=60)
@given(st.integers(1, 5), st.integers(2, 6), st.integers(2, 40))
def test_all_that_wait_get_the_same_wherever_they_wait(
    replicas: int, callers: int, calls: int
) -> None:
    """The caller 0 waits at every replica, the others at one each."""
    book, served = Book(), Counter[str]()
    for turn in range(40 * replicas):
        number = turn % replicas
        wants = {"0": 50} | {str(n): 5 for n in range(1, callers) if n % replicas == number}
        share = asked(
            book, str(number), NOW + turn * PERIOD / replicas, wants, limit=Limit(calls, 1.0)
        )
        # The first to come had nobody beside it for a while.
        if turn >= 10 * replicas:
            served.update(caller for _, caller in share.moments)
        book = again(book)
    counts = [served[str(number)] for number in range(callers)]
    # Rounds that are under way, and moments that a replica would have heard of too late.
    assert max(counts) - min(counts) <= 4, served
