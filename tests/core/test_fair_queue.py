from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.core.fair_queue import FairQueue


def test_each_caller_has_its_turn_before_any_has_its_next() -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(5):
        assert queue.put("flood", number)
    assert queue.put("polite", 10)
    assert [queue.take() for _ in range(4)] == [
        ("flood", 0),
        ("polite", 10),
        ("flood", 1),
        ("flood", 2),
    ]
    assert (len(queue), queue.of("flood"), queue.of("polite")) == (2, 2, 0)


def test_a_moment_can_be_for_one_caller() -> None:
    queue: FairQueue[int] = FairQueue()
    queue.put("a", 1)
    queue.put("b", 2)
    assert queue.take("b") == ("b", 2)
    assert queue.take("b") == ("a", 1)
    assert queue.take() is None


def test_it_is_bounded() -> None:
    queue: FairQueue[int] = FairQueue(per_caller=2, callers=2)
    assert [queue.put("a", number) for number in range(3)] == [True, True, False]
    assert queue.put("b", 10)
    assert not queue.put("c", 20)
    assert queue.waiting() == {"a": 2, "b": 1}


def test_who_leaves_waits_no_more() -> None:
    queue: FairQueue[int] = FairQueue()
    queue.put("a", 1)
    queue.put("a", 2)
    assert queue.remove("a", 1)
    assert not queue.remove("a", 1)
    assert not queue.remove("b", 1)
    assert queue.remove("a", 2)
    assert (len(queue), queue.waiting()) == (0, {})


class Turns(RuleBasedStateMachine):
    """Nobody waits for more than a turn of each caller that waited when it came to the front of
    its own, and all that wait all the time get as many turns, but for one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[int] = FairQueue(per_caller=5, callers=4)
        self.model: dict[str, deque[int]] = {}
        self.passed: dict[str, Counter[str]] = {}
        """By caller that waits: turns of others since it waits, or had its own."""
        self.number = 0

    @rule(caller=st.sampled_from("abcdef"))
    def put(self, caller: str) -> None:
        self.number += 1
        own = self.model.get(caller, deque())
        fits = len(own) < 5 and (caller in self.model or len(self.model) < 4)
        assert self.queue.put(caller, self.number) == fits
        if fits:
            own.append(self.number)
            self.model[caller] = own
            self.passed.setdefault(caller, Counter())

    @rule()
    def take(self) -> None:
        taken = self.queue.take()
        if taken is None:
            assert not self.model
            return
        caller, item = taken
        assert self.model[caller].popleft() == item
        self.passed.pop(caller)
        for counts in self.passed.values():
            counts[caller] += 1
            assert max(counts.values()) <= 1
        if self.model[caller]:
            self.passed[caller] = Counter()
        else:
            del self.model[caller]

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.model:
            caller = data.draw(st.sampled_from(sorted(self.model)))
            item = data.draw(st.sampled_from(list(self.model[caller])))
            assert self.queue.remove(caller, item)
            self.model[caller].remove(item)
            if not self.model[caller]:
                del self.model[caller]
                del self.passed[caller]

    @invariant()
    def it_holds_what_was_put(self) -> None:
        assert self.queue.waiting() == {one: len(own) for one, own in self.model.items()}
        assert len(self.queue) == sum(map(len, self.model.values()))


TestTurns = Turns.TestCase


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_nothing_is_lost(callers: list[str]) -> None:
    queue: FairQueue[int] = FairQueue()
    for number, caller in enumerate(callers):
        queue.put(caller, number)
    taken = [queue.take() for _ in callers]
    assert sorted((item, caller) for caller, item in filter(None, taken)) == list(
        enumerate(callers)
    )
