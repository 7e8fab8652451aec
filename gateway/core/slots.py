"""The slot machine: every transition of a token's place in its account.

The rules, which the table and the functions below it keep:

1. At most one token of an account is *active*: the one that new calls get.
2. A minted token is active at once. If the one before it is of another slot it becomes the
   *spare*: good for calls in flight, and at hand if the active one is refused. If it is of the
   same slot it is gone, because a mint in a slot may kill the slot's older token.
3. A refusal sets a token *aside*; a token set aside is given to nobody. Only a probe that finds
   it alive puts it back, and only while no other token is active.
4. Only a spare is promoted, and only while no token is active.
5. A token whose life is over leaves its slot *empty*.

Everything that may change a phase lives in this file; what is not in the table is an error of
the gateway and raises `IllegalTransitionError`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.core.token import SlotId, Token


class Phase(StrEnum):
    EMPTY = "empty"
    ACTIVE = "active"
    SPARE = "spare"
    ASIDE = "set aside"


class Event(StrEnum):
    PUBLISH = "a token is minted in this slot"
    DEMOTE = "a token minted in another slot takes over"
    PROMOTE = "the active token is gone, this one takes over"
    REFUSE = "Zoom refuses the token"
    RESTORE = "a probe finds the token alive"
    EXPIRE = "the token's life is over"


TABLE: Final = MappingProxyType(
    {
        (Phase.EMPTY, Event.PUBLISH): Phase.ACTIVE,
        (Phase.ACTIVE, Event.PUBLISH): Phase.ACTIVE,
        (Phase.ACTIVE, Event.DEMOTE): Phase.SPARE,
        (Phase.ACTIVE, Event.REFUSE): Phase.ASIDE,
        (Phase.ACTIVE, Event.EXPIRE): Phase.EMPTY,
        (Phase.SPARE, Event.PUBLISH): Phase.ACTIVE,
        (Phase.SPARE, Event.PROMOTE): Phase.ACTIVE,
        (Phase.SPARE, Event.REFUSE): Phase.ASIDE,
        (Phase.SPARE, Event.EXPIRE): Phase.EMPTY,
        (Phase.ASIDE, Event.PUBLISH): Phase.ACTIVE,
        (Phase.ASIDE, Event.RESTORE): Phase.ACTIVE,
        (Phase.ASIDE, Event.EXPIRE): Phase.EMPTY,
    }
)


class IllegalTransitionError(Exception):
    """A defect of the gateway: no input may cause it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot: its token's phase, and whether Zoom grants mints in it.

    `barred` is Zoom's own sentence once it refused the slot's index; empty otherwise.
    `failures` counts the failed mints in a row; none is tried before `retry_at`.
    """

    id: SlotId
    phase: Phase = Phase.EMPTY
    token: Token | None = None
    barred: str = ""
    failures: int = 0
    retry_at: float = 0.0


Slots = tuple[Slot, ...]


def _step(slot: Slot, event: Event, token: Token | None) -> Slot:
    try:
        phase = TABLE[slot.phase, event]
    except KeyError:
        raise IllegalTransitionError(f"{slot.id} is {slot.phase.value}: {event.value}") from None
    return replace(slot, phase=phase, token=token)


def _update(slots: Slots, changed: Slot) -> Slots:
    return tuple(changed if slot.id == changed.id else slot for slot in slots)


def active(slots: Slots) -> Slot | None:
    return next((slot for slot in slots if slot.phase is Phase.ACTIVE), None)


def holding(slots: Slots, generation: int) -> Slot | None:
    """The slot that holds the token of that generation, in whatever phase."""
    return next((s for s in slots if s.token and s.token.generation == generation), None)


def publish(slots: Slots, token: Token) -> Slots:
    """Rule 2."""
    former = active(slots)
    if former is not None and former.id != token.slot:
        slots = _update(slots, _step(former, Event.DEMOTE, former.token))
    target = next(slot for slot in slots if slot.id == token.slot)
    target = replace(target, failures=0, retry_at=0.0, barred="")
    return _update(slots, _step(target, Event.PUBLISH, token))


def refuse(slots: Slots, generation: int) -> Slots:
    """Rule 3. Slots that do not hold the token, or hold it set aside already, stay as they are."""
    slot = holding(slots, generation)
    if slot is None or slot.phase is Phase.ASIDE:
        return slots
    return _update(slots, _step(slot, Event.REFUSE, slot.token))


def restore(slots: Slots, generation: int) -> Slots:
    """Rule 3. Nothing happens if another token is active, or this one is not set aside."""
    slot = holding(slots, generation)
    if slot is None or slot.phase is not Phase.ASIDE or active(slots) is not None:
        return slots
    return _update(slots, _step(slot, Event.RESTORE, slot.token))


def spare(slots: Slots, now: float, among: Iterable[SlotId]) -> Slot | None:
    """The usable spare that lives longest."""
    wanted = frozenset(among)
    found = [
        (slot.token.expires_at, slot)
        for slot in slots
        if slot.phase is Phase.SPARE and slot.token and slot.id in wanted and slot.token.usable(now)
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def promote(slots: Slots, slot_id: SlotId) -> Slots:
    """Rule 4."""
    if active(slots) is not None:
        raise IllegalTransitionError(f"{slot_id} cannot be promoted: another token is active")
    slot = next(slot for slot in slots if slot.id == slot_id)
    return _update(slots, _step(slot, Event.PROMOTE, slot.token))


def expire(slots: Slots, now: float) -> Slots:
    """Rule 5. A token leaves the active phase when no new call may get it any more."""
    for slot in slots:
        token = slot.token
        if token is None:
            continue
        over = token.usable_until if slot.phase is Phase.ACTIVE else token.expires_at
        if now >= over:
            slots = _update(slots, _step(slot, Event.EXPIRE, None))
    return slots
