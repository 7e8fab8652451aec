"""The slot machine: its table row by row, its rules one by one, and both against chance."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from gateway.core import slots as machine
from gateway.core.slots import Event, IllegalTransitionError, Phase, Slot, Slots
from gateway.core.token import SlotId
from tests.core.strategies import A0, A1, B0, a_token, lifetimes, quarters, slot_lists

ROWS = [
    (Phase.EMPTY, Event.PUBLISH, Phase.ACTIVE),
    (Phase.ACTIVE, Event.PUBLISH, Phase.ACTIVE),
    (Phase.ACTIVE, Event.DEMOTE, Phase.SPARE),
    (Phase.ACTIVE, Event.REFUSE, Phase.ASIDE),
    (Phase.ACTIVE, Event.EXPIRE, Phase.EMPTY),
    (Phase.SPARE, Event.PUBLISH, Phase.ACTIVE),
    (Phase.SPARE, Event.PROMOTE, Phase.ACTIVE),
    (Phase.SPARE, Event.REFUSE, Phase.ASIDE),
    (Phase.SPARE, Event.EXPIRE, Phase.EMPTY),
    (Phase.ASIDE, Event.PUBLISH, Phase.ACTIVE),
    (Phase.ASIDE, Event.RESTORE, Phase.ACTIVE),
    (Phase.ASIDE, Event.EXPIRE, Phase.EMPTY),
]

FORBIDDEN = sorted(
    set(itertools.product(Phase, Event)) - {(phase, event) for phase, event, _ in ROWS}
)


def in_phase(phase: Phase, slot: SlotId = A0, generation: int = 1) -> Slot:
    return Slot(slot, phase, None if phase is Phase.EMPTY else a_token(generation, slot))


@pytest.mark.parametrize(("before", "event", "after"), ROWS)
def test_each_row_of_the_table_leads_where_it_says(
    before: Phase, event: Event, after: Phase
) -> None:
    token = None if after is Phase.EMPTY else a_token(2)
    assert machine._step(in_phase(before), event, token) == Slot(A0, after, token)


@pytest.mark.parametrize(("phase", "event"), FORBIDDEN)
def test_what_is_not_in_the_table_is_an_error_that_names_slot_phase_and_event(
    phase: Phase, event: Event
) -> None:
    with pytest.raises(IllegalTransitionError) as caught:
        machine._step(in_phase(phase), event, None)
    assert str(caught.value) == f"a/0 is {phase.value}: {event.value}"


def test_the_table_has_no_row_but_these() -> None:
    assert dict(machine.TABLE) == {(phase, event): after for phase, event, after in ROWS}


class TestPublish:
    def test_a_token_of_another_slot_demotes_the_active_one(self) -> None:
        slots = machine.publish((in_phase(Phase.ACTIVE), Slot(A1)), a_token(2, A1))
        assert [slot.phase for slot in slots] == [Phase.SPARE, Phase.ACTIVE]
        assert slots[0].token == a_token(1)

    def test_a_token_of_the_same_slot_replaces_the_active_one(self) -> None:
        slots = machine.publish((in_phase(Phase.ACTIVE), Slot(A1)), a_token(2))
        assert slots == (Slot(A0, Phase.ACTIVE, a_token(2)), Slot(A1))

    @pytest.mark.parametrize("phase", [Phase.EMPTY, Phase.SPARE, Phase.ASIDE])
    def test_it_is_active_at_once_whatever_its_slot_held(self, phase: Phase) -> None:
        (slot,) = machine.publish((in_phase(phase),), a_token(2))
        assert slot == Slot(A0, Phase.ACTIVE, a_token(2))

    def test_a_slot_that_mints_again_is_forgiven(self) -> None:
        ill = Slot(A0, barred="no", failures=3, retry_at=9.0)
        assert machine.publish((ill,), a_token(1)) == (Slot(A0, Phase.ACTIVE, a_token(1)),)

    def test_the_failures_of_other_slots_stay(self) -> None:
        ill = Slot(A1, barred="no", failures=3, retry_at=9.0)
        assert machine.publish((Slot(A0), ill), a_token(1))[1] == ill


class TestRefuse:
    @pytest.mark.parametrize("phase", [Phase.ACTIVE, Phase.SPARE])
    def test_the_token_is_set_aside(self, phase: Phase) -> None:
        assert machine.refuse((in_phase(phase), Slot(A1)), 1) == (in_phase(Phase.ASIDE), Slot(A1))

    def test_a_token_that_no_slot_holds_changes_nothing(self) -> None:
        slots = (in_phase(Phase.ACTIVE), Slot(A1))
        assert machine.refuse(slots, 7) is slots

    def test_a_token_that_is_set_aside_already_changes_nothing(self) -> None:
        slots = (in_phase(Phase.ASIDE),)
        assert machine.refuse(slots, 1) is slots


class TestRestore:
    def test_a_token_set_aside_is_active_again(self) -> None:
        assert machine.restore((in_phase(Phase.ASIDE),), 1) == (in_phase(Phase.ACTIVE),)

    @pytest.mark.parametrize("phase", [Phase.ACTIVE, Phase.SPARE])
    def test_a_token_that_is_not_set_aside_stays_as_it_is(self, phase: Phase) -> None:
        slots = (in_phase(phase),)
        assert machine.restore(slots, 1) is slots

    def test_it_does_not_compete_with_an_active_token(self) -> None:
        slots = (in_phase(Phase.ASIDE), in_phase(Phase.ACTIVE, A1, 2))
        assert machine.restore(slots, 1) is slots

    def test_a_token_that_no_slot_holds_changes_nothing(self) -> None:
        slots = (in_phase(Phase.ASIDE),)
        assert machine.restore(slots, 7) is slots


class TestSpare:
    def test_of_two_the_one_that_lives_longest_is_taken(self) -> None:
        first = Slot(A0, Phase.SPARE, a_token(1, A0, life=900))
        second = Slot(A1, Phase.SPARE, a_token(2, A1, life=1800))
        assert machine.spare((first, second), 0.0, [A0, A1]) == second
        assert machine.spare((second, first), 0.0, [A0, A1]) == second

    def test_only_slots_asked_for_count(self) -> None:
        slots = (in_phase(Phase.SPARE), in_phase(Phase.SPARE, A1, 2))
        assert machine.spare(slots, 0.0, [A0]) == slots[0]
        assert machine.spare(slots, 0.0, []) is None

    def test_one_that_is_about_to_expire_is_none(self) -> None:
        slots = (in_phase(Phase.SPARE),)
        assert machine.spare(slots, 3539.75, [A0]) == slots[0]
        assert machine.spare(slots, 3540.0, [A0]) is None

    @pytest.mark.parametrize("phase", [Phase.EMPTY, Phase.ACTIVE, Phase.ASIDE])
    def test_no_other_phase_is_a_spare(self, phase: Phase) -> None:
        assert machine.spare((in_phase(phase),), 0.0, [A0]) is None


class TestPromote:
    def test_a_spare_takes_over(self) -> None:
        slots = (Slot(A0), in_phase(Phase.SPARE, A1))
        assert machine.promote(slots, A1) == (Slot(A0), in_phase(Phase.ACTIVE, A1))

    def test_never_while_another_token_is_active(self) -> None:
        slots = (in_phase(Phase.ACTIVE), in_phase(Phase.SPARE, A1, 2))
        with pytest.raises(IllegalTransitionError, match="a/1 cannot be promoted"):
            machine.promote(slots, A1)

    @pytest.mark.parametrize("phase", [Phase.EMPTY, Phase.ASIDE])
    def test_nothing_but_a_spare(self, phase: Phase) -> None:
        with pytest.raises(IllegalTransitionError):
            machine.promote((in_phase(phase),), A0)


class TestExpire:
    def test_the_active_token_goes_when_no_new_call_may_get_it(self) -> None:
        slots = (in_phase(Phase.ACTIVE),)
        assert machine.expire(slots, 3539.75) == slots
        assert machine.expire(slots, 3540.0) == (Slot(A0),)

    @pytest.mark.parametrize("phase", [Phase.SPARE, Phase.ASIDE])
    def test_others_go_when_their_life_is_over(self, phase: Phase) -> None:
        slots = (in_phase(phase),)
        assert machine.expire(slots, 3599.75) == slots
        assert machine.expire(slots, 3600.0) == (Slot(A0),)

    def test_an_empty_slot_stays_empty_and_keeps_its_backoff(self) -> None:
        slots = (Slot(A0, failures=2, retry_at=5.0), in_phase(Phase.ACTIVE, A1))
        assert machine.expire(slots, 9999.0) == (Slot(A0, failures=2, retry_at=5.0), Slot(A1))


def test_a_token_is_found_in_whatever_phase() -> None:
    slots = (in_phase(Phase.ASIDE), in_phase(Phase.SPARE, A1, 2), Slot(B0))
    assert machine.holding(slots, 1) == slots[0]
    assert machine.holding(slots, 2) == slots[1]
    assert machine.holding(slots, 3) is None
    assert machine.active(slots) is None


class SlotMachine(RuleBasedStateMachine):
    """Anything that may happen to the slots of an account, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.slots: Slots = ()
        self.now = 0.0
        self.generation = 0
        self.aside: set[int] = set()
        """Set aside and not restored since."""

    @initialize(ids=slot_lists)
    def begin(self, ids: tuple[SlotId, ...]) -> None:
        self.slots = tuple(Slot(slot) for slot in ids)

    def phases(self) -> dict[SlotId, Phase]:
        return {slot.id: slot.phase for slot in self.slots}

    def others_stay(self, before: Slots, touched: set[SlotId]) -> None:
        for old, new in zip(before, self.slots, strict=True):
            assert old.id == new.id
            assert old == new or old.id in touched

    @rule(which=st.integers(0, 3), life=lifetimes)
    def publish(self, which: int, life: float) -> None:
        before = self.slots
        slot = before[which % len(before)]
        former = machine.active(before)
        self.generation += 1
        token = a_token(self.generation, slot.id, self.now, life)
        self.slots = machine.publish(before, token)
        newest = machine.active(self.slots)
        assert newest is not None
        assert newest.token == token
        if former is not None and former.id != slot.id:
            assert self.slots[before.index(former)] == replace(former, phase=Phase.SPARE)
        self.others_stay(before, {slot.id} | ({former.id} if former else set()))

    @rule(back=st.integers(-1, 5))
    def refuse(self, back: int) -> None:
        before, generation = self.slots, self.generation - back
        self.slots = machine.refuse(before, generation)
        holder = machine.holding(before, generation)
        if holder is not None:
            self.aside.add(generation)
            assert self.phases()[holder.id] is Phase.ASIDE
        self.others_stay(before, {holder.id} if holder else set())

    @rule(back=st.integers(-1, 5))
    def restore(self, back: int) -> None:
        before, generation = self.slots, self.generation - back
        holder = machine.holding(before, generation)
        self.slots = machine.restore(before, generation)
        if holder and holder.phase is Phase.ASIDE and machine.active(before) is None:
            self.aside.discard(generation)
            assert machine.active(self.slots) == replace(holder, phase=Phase.ACTIVE)
        else:
            assert self.slots is before

    @rule()
    def step_in(self) -> None:
        """What happens when the active token is gone: the best spare takes over, if there is."""
        found = machine.spare(self.slots, self.now, [slot.id for slot in self.slots])
        if found is not None and machine.active(self.slots) is None:
            self.slots = machine.promote(self.slots, found.id)
            promoted = machine.active(self.slots)
            assert promoted is not None
            assert promoted.token == found.token

    @rule(which=st.integers(0, 3))
    def promote_blindly(self, which: int) -> None:
        before = self.slots
        slot = before[which % len(before)]
        if machine.active(before) is None and slot.phase is Phase.SPARE:
            self.slots = machine.promote(before, slot.id)
        else:
            with pytest.raises(IllegalTransitionError):
                machine.promote(before, slot.id)

    @rule(seconds=quarters)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        before = self.slots
        self.slots = machine.expire(before, self.now)
        for old, new in zip(before, self.slots, strict=True):
            assert new == old or (new.phase, new.token) == (Phase.EMPTY, None)
            if old.token and old.token.usable(self.now):
                assert new == old
        held = machine.active(self.slots)
        assert held is None or (held.token is not None and held.token.usable(self.now))

    @invariant()
    def at_most_one_token_is_active(self) -> None:
        assert list(self.phases().values()).count(Phase.ACTIVE) <= 1

    @invariant()
    def a_slot_is_empty_if_and_only_if_it_holds_no_token(self) -> None:
        for slot in self.slots:
            assert (slot.phase is Phase.EMPTY) is (slot.token is None)

    @invariant()
    def every_token_is_in_its_own_slot_and_no_generation_twice(self) -> None:
        tokens = [slot.token for slot in self.slots if slot.token]
        assert all(slot.token.slot == slot.id for slot in self.slots if slot.token)
        assert len({token.generation for token in tokens}) == len(tokens)

    @invariant()
    def a_token_set_aside_is_neither_active_nor_a_spare(self) -> None:
        for slot in self.slots:
            if slot.token and slot.token.generation in self.aside:
                assert slot.phase is Phase.ASIDE


TestSlotMachine = SlotMachine.TestCase
