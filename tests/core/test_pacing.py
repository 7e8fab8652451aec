from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.fair_queue import FairQueue
from gateway.core.pacing import LATE, MOST_STOCK, Lane, Refusal
from gateway.core.plans import Limit, Pool
from gateway.core.rate_book import PERIOD, Book, Share

NOW = 1000.0
EPOCH = 1_790_000_000.0
"""The store's time at NOW."""


def lane(calls: int = 20, pool: Pool | None = None, **bounds: int) -> Lane[int]:
    return Lane(Limit(calls, 1.0), pool, FairQueue(**bounds))


def fed(one: Lane[int], share: Share) -> Lane[int]:
    one.take(share, NOW - EPOCH)
    return one


class TestCalls:
    def test_without_a_moment_none_goes(self) -> None:
        assert not lane().go(NOW)

    def test_with_one_in_advance_a_call_goes_at_once(self) -> None:
        one = fed(lane(), Share(stock=(EPOCH + 0.3, EPOCH + 0.3)))
        assert one.go(NOW)
        assert not one.go(NOW + 0.31)
        assert one.ask(NOW + 0.31).unused == (EPOCH + 0.3,)

    def test_none_goes_before_those_that_wait(self) -> None:
        one = fed(lane(), Share(stock=(EPOCH + 0.3,)))
        assert one.wait("a", 1, NOW) is None
        assert not one.go(NOW)
        assert one.ready(NOW) == [("a", 1)]

    def test_a_call_goes_when_its_moment_has_come(self) -> None:
        one = lane()
        one.wait("a", 1, NOW)
        one.wait("b", 2, NOW)
        assert one.next() is None
        fed(one, Share(((EPOCH + 0.2, "b"), (EPOCH + 0.1, "a"))))
        assert one.next() == pytest.approx(NOW + 0.1)
        assert one.ready(NOW + 0.05) == []
        assert one.ready(NOW + 0.15) == [("a", 1)]
        assert one.ready(NOW + 0.25) == [("b", 2)]

    def test_a_moment_is_first_of_all_that_callers(self) -> None:
        one = lane()
        one.wait("flood", 1, NOW)
        one.wait("polite", 2, NOW)
        fed(one, Share(((EPOCH, "polite"), (EPOCH + 0.001, "gone"))))
        assert one.ready(NOW + 0.01) == [("polite", 2), ("flood", 1)]

    def test_one_that_comes_too_late_to_be_used_is_lost(self) -> None:
        one = lane()
        one.wait("a", 1, NOW)
        fed(one, Share(((EPOCH, "a"),)))
        assert one.ready(NOW + LATE + 0.01) == []

    def test_who_leaves_gives_its_turn_to_the_next(self) -> None:
        one = lane()
        one.wait("a", 1, NOW)
        one.give_back(NOW)
        assert one.ready(NOW) == [("a", 1)]

    def test_one_caller_cannot_fill_the_memory(self) -> None:
        one = lane(per_caller=2)
        assert [one.wait("a", number, NOW) for number in range(2)] == [None, None]
        refused = one.wait("a", 3, NOW)
        assert refused is not None
        assert refused.reason == "full"
        assert refused.seconds == pytest.approx(2 / 20)
        assert one.wait("b", 4, NOW) is None

    def test_the_wait_is_longer_the_more_wait_before(self) -> None:
        one = lane(calls=1)
        assert one.expected("a") == 1.0
        for number in range(5):
            one.wait("a", number, NOW)
        one.wait("b", 10, NOW)
        assert (one.expected("a"), one.expected("b"), one.expected("c")) == (6.0, 3.0, 2.0)
        fed(one, Share(behind=60, per_second=1.0))
        assert one.expected("c") == pytest.approx(20.0)


class TestZoomsAnswers:
    def test_a_lower_limit_counts_and_a_higher_does_not(self) -> None:
        one = lane()
        found = []
        for calls in (30, 0, 12, 12, 15, 30):
            one.told(calls)
            found.append(one.ask(NOW).limit)
        assert [limit.calls for limit in found] == [20, 20, 12, 12, 15, 20]

    def test_429s_and_the_days_calls_are_told_once(self) -> None:
        one = lane()
        one.throttled()
        one.throttled()
        one.spent(77)
        one.spent(70)
        assert one.ask(NOW)[-2:] == (2, 70)
        assert one.ask(NOW)[-2:] == (0, 0)

    def test_after_the_last_call_of_a_day_none_waits(self) -> None:
        one = lane(pool=Pool("day", 5))
        one.close(NOW + 60)
        one.close(NOW + 50)
        assert one.wait("a", 1, NOW) == Refusal("day", 60.0)
        assert (one.shut(NOW), one.shut(NOW + 60)) == (True, False)
        assert one.shut_for(NOW + 10) == Refusal("day", 50.0)
        assert one.shut_for(NOW + 70).seconds == 0
        fed(one, Share(stock=(EPOCH + 100,)))
        assert (one.go(NOW + 59), one.go(NOW + 60)) == (False, True)

    def test_the_store_says_when_the_day_is_over(self) -> None:
        one = fed(lane(pool=Pool("day", 5)), Share(opens=EPOCH + 30))
        assert one.shut(NOW + 29)
        assert not one.shut(NOW + 31)


class TestAsking:
    def test_an_idle_lane_asks_for_nothing(self) -> None:
        one = lane()
        before = one.active
        one.go(NOW)
        assert (before, one.active) == (False, True)
        asked = one.ask(NOW)
        assert (asked.stock, asked.wants) == (2, {})
        turns = 0
        while one.active:
            turns += 1
            one.ask(NOW + turns * PERIOD)
        assert turns < 15

    def test_it_wants_what_waits_and_has_no_moment(self) -> None:
        one = lane()
        for number in range(4):
            one.wait("a", number, NOW)
        one.wait("b", 10, NOW)
        assert one.ask(NOW).wants == {"a": 4, "b": 1}
        assert one.ask(NOW).stock == 0
        fed(one, Share(((EPOCH + 0.1, "a"), (EPOCH + 0.2, "b"))))
        assert one.ask(NOW).wants == {"a": 3}
        # One that is meant for who has left is there for another.
        fed(one, Share(((EPOCH + 0.3, "gone"),)))
        assert one.ask(NOW).wants == {"a": 2}

    def test_it_asks_for_no_more_than_it_needs(self) -> None:
        one = fed(lane(), Share(stock=(EPOCH + 0.3,)))
        for _ in range(3):
            one.go(NOW)
        assert one.ask(NOW).stock == 6
        for _ in range(1000):
            one.go(NOW)
        assert one.ask(NOW).stock == MOST_STOCK

    def test_what_the_store_says_is_shown(self) -> None:
        one = fed(lane(), Share(used=0.5, behind=3, per_second=19.0))
        assert (one.used, one.behind) == (0.5, 3)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["call", "call", "call", "pass", "leave"]),
        st.integers(0, 2),
        st.sampled_from("abc"),
        st.floats(0.0, 0.05),
    ),
    max_size=150,
)


class _Fleet:
    """Three replicas and their store, in a time of their own."""

    def __init__(self, limit: Limit) -> None:
        self.book = Book()
        self.now = NOW
        self.lanes: list[Lane[int]] = [Lane(limit, None, FairQueue()) for _ in range(3)]
        self.asked = [0.0] * 3
        self.departed: list[float] = []
        self.served: Counter[str] = Counter()
        self.waiting: dict[int, tuple[int, str, float]] = {}
        self.number = 0

    def call(self, replica: int, caller: str) -> None:
        self.number += 1
        if self.lanes[replica].go(self.now):
            self.departed.append(self.now)
        elif self.lanes[replica].wait(caller, self.number, self.now) is None:
            self.waiting[self.number] = (replica, caller, self.now)

    def leave(self, replica: int) -> None:
        for number, (at, caller, _) in list(self.waiting.items()):
            if at == replica:
                assert self.lanes[at].queue.remove(caller, number)
                del self.waiting[number]
                return

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 0.005)
            for number, one in enumerate(self.lanes):
                for caller, item in one.ready(self.now):
                    self.departed.append(self.now)
                    self.served[caller] += 1
                    del self.waiting[item]
                if one.active and self.now >= self.asked[number] + PERIOD:
                    self.asked[number] = self.now
                    asks = {"light": one.ask(self.now)}
                    at = self.now - NOW + EPOCH
                    share = self.book.exchange(str(number), asks, at)["light"]
                    one.take(share, NOW - EPOCH)


@settings(max_examples=60)
@given(st.sampled_from([1, 4, 20]), STEPS)
def test_no_window_has_more_than_the_limit_and_all_that_wait_go(calls: int, steps: Any) -> None:
    fleet = _Fleet(Limit(calls, 1.0))
    for what, replica, caller, seconds in steps:
        if what == "call":
            fleet.call(replica, caller)
        elif what == "leave":
            fleet.leave(replica)
        else:
            fleet.pass_time(seconds * 10)
        fleet.pass_time(seconds)
    waiting = len(fleet.waiting)
    fleet.pass_time(1.3 * waiting / calls + 3.0)
    assert not fleet.waiting
    for first, after in zip(fleet.departed, fleet.departed[calls:], strict=False):
        # A replica looks every 5 ms here.
        assert after - first >= 1.0 - 0.005


def test_a_flooding_caller_waits_longer_than_the_others() -> None:
    fleet = _Fleet(Limit(20, 1.0))
    for number in range(60):
        fleet.call(number % 3, "flood")
    fleet.pass_time(0.5)
    fleet.call(0, "polite")
    fleet.call(1, "modest")
    before = fleet.served["flood"]
    fleet.pass_time(0.45)
    assert fleet.served["polite"] == fleet.served["modest"] == 1
    assert fleet.served["flood"] - before <= 9
