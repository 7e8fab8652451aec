"""An account's document: all that its replicas share, as one frozen value.

Every function that changes it is pure and returns a new one with the events that tell of it.
Times are seconds on one clock: the replica's own in memory, the store's in the store.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from gateway.core import slots as machine
from gateway.core.backoff import Budget
from gateway.core.events import ForeignMint, HoldoffEnded, TokenEvent
from gateway.core.slots import Phase, Slot, Slots
from gateway.core.token import Cause, SlotId, Token

SUSPICION: Final = 600.0
"""Seconds in which an endpoint that refuses a living token is judged by a probe."""

LATE_MINT: Final = 30.0
"""Seconds in which a lost mint may still come about at Zoom, and kill a token minted after it."""

FAILURES_KEPT: Final = 3600.0
"""Seconds after its next try was due in which a slot that others no longer try is remembered."""

SUSPICION_STEP: Final = 5.0
"""Seconds by which a suspicion must grow to be worth a write."""

VERDICT_TIME: Final = 2.0
"""Seconds within which a probe's verdict has come, or will not."""

Refusals = tuple[tuple[int, float], ...]
"""Generations with which one call was refused, and when."""

Pair = frozenset[SlotId]

Stranger = tuple[SlotId, str]
"""A slot that is not configured here, and whose it is: see `gateway.core.document.Identities`."""


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Due:
    """A mint that is wanted now: a refusal or an operator asked for it."""

    cause: Cause
    at: float
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Holdoff:
    """Refusals of fresh tokens cause no mint before `until`."""

    generation: int
    """The token whose refusal began it."""
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Minting:
    """A mint in progress. Found without its holder, it is a lost mint."""

    slot: SlotId
    since: float
    fence: str
    """Names the lease; empty if the mint happened without one."""
    holder: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Incident:
    """An accepted token was refused before its time; why is being found out."""

    generation: int
    slot: SlotId
    endpoint: str
    explained: bool
    """A mint of our own may have killed it."""
    confirmed: bool = False
    """It is dead, not merely refused by one endpoint."""
    until: float | None = None
    """When a mint of our own began that may kill it: later refusals of it prove nothing."""


@dataclass(frozen=True, slots=True)
class Account:
    """What all replicas know of an account's tokens."""

    epoch: str
    """Random; new when the document is made anew."""
    slots: Slots
    """In the configuration's order."""
    strangers: Mapping[Stranger, Slot] = field(default_factory=_nothing)
    """What replicas with another configuration hold here: kept for them, and used for nothing."""
    generation: int = 0
    """Of the newest published token."""
    rotate_at: float | None = None
    due: Due | None = None
    trials: Mapping[str, int] = field(default_factory=_nothing)
    """Endpoint: the generation that its refusal brought about, and it has not accepted yet."""
    suspects: Mapping[str, float] = field(default_factory=_nothing)
    """Endpoint: until when its refusals are judged by a probe."""
    asked: Mapping[str, float] = field(default_factory=_nothing)
    """Endpoint: until when a probe's verdict on it is awaited. A sibling resource that accepts the
    token meanwhile ends the trial, but answers no question about this one."""
    fresh: int = 0
    """Mints in a row for tokens that were refused and never seen accepted."""
    holdoff: Holdoff | None = None
    budget: Budget = field(default_factory=Budget)
    minting: Minting | None = None
    lost: Mapping[SlotId, float] = field(default_factory=_nothing)
    """Slot: when a mint of ours there may have happened without its token reaching us."""
    apart: Mapping[Pair, bool] = field(default_factory=_nothing)
    """Two slots of an app: True if a mint in one was seen to leave the other's token alive,
    False if it killed it. Absent: not known yet."""
    incident: Incident | None = None
    ext: Mapping[str, Any] = field(default_factory=_nothing, repr=False)
    """What later versions add; carried along, and never read."""

    @property
    def active(self) -> Token | None:
        slot = machine.active(self.slots)
        return slot.token if slot else None

    def usable(self, now: float) -> Token | None:
        """The token for a new call."""
        token = self.active
        return token if token is not None and token.usable(now) else None

    def on_probation(self, endpoint: str, generation: int, now: float) -> bool:
        """Refusals by this endpoint prove nothing: it is on trial, asked about or suspected."""
        until = max(self.suspects.get(endpoint, 0.0), self.asked.get(endpoint, 0.0))
        return self.trials.get(endpoint) == generation or until > now


def takes_previous_secret(account: Account) -> bool:
    """Whether the newest token of one of the apps was minted with its previous client secret."""
    newest: dict[str, Token] = {}
    for slot in account.slots:
        token, known = slot.token, newest.get(slot.id.app)
        if token is not None and (known is None or token.generation > known.generation):
            newest[slot.id.app] = token
    return any(token.previous_secret for token in newest.values())


Outcome = tuple[Account, tuple[TokenEvent, ...]]
Change = Callable[[Account, float], Outcome]
"""A change as a value: applied to the local copy at once, and again to a newer document if
the store's copy moved on meanwhile."""


def linked(account: Account, one: SlotId, other: SlotId) -> bool:
    """True if a mint in one of the two slots is known to kill the token of the other."""
    return one == other or account.apart.get(frozenset((one, other))) is False


def may_kill(account: Account, minted: SlotId, victim: SlotId) -> bool:
    """True unless a mint in `minted` is known to leave the token of `victim` alive."""
    if minted.app != victim.app:
        return False
    return minted == victim or account.apart.get(frozenset((minted, victim))) is not True


def alternatives(account: Account, slot_id: SlotId) -> list[Slot]:
    """Slots in which a mint leaves the token of `slot_id` alive, as far as is known."""
    return [s for s in account.slots if not s.barred and not linked(account, s.id, slot_id)]


def _outlived(account: Account, slot: Slot) -> bool:
    """A younger token of a linked slot has killed this one's."""
    return any(
        other.token and slot.token and other.token.generation > slot.token.generation
        for other in account.slots
        if other.id != slot.id and linked(account, other.id, slot.id)
    )


def spare(account: Account, now: float) -> Slot | None:
    """A token of another slot that has not expired and was not refused."""
    if not any(slot.phase is Phase.SPARE for slot in account.slots):
        return None
    among = [slot.id for slot in account.slots if not _outlived(account, slot)]
    return machine.spare(account.slots, now, among)


def advance(account: Account, now: float) -> Account:
    """What time alone changes: lives and suspicions end, a spare steps in for an expired token."""
    slots = machine.expire(account.slots, now)
    if slots != account.slots:
        account = replace(account, slots=slots)
    if not all(_lives(slot, now) for slot in account.strangers.values()):
        living = {name: slot for name, slot in account.strangers.items() if _lives(slot, now)}
        account = replace(account, strangers=MappingProxyType(living))
    suspects, asked = _lasting(account.suspects, now), _lasting(account.asked, now)
    if suspects is not account.suspects or asked is not account.asked:
        account = replace(account, suspects=suspects, asked=asked)
    if machine.active(account.slots) is None:
        stand_in = spare(account, now)
        if stand_in is not None:
            account = replace(account, slots=machine.promote(account.slots, stand_in.id))
    return account


def _lives(stranger: Slot, now: float) -> bool:
    """Its token, or the memory of its failures."""
    if stranger.token is not None:
        return now < stranger.token.expires_at
    return now < stranger.retry_at + FAILURES_KEPT


def _lasting(until: Mapping[str, float], now: float) -> Mapping[str, float]:
    if not until or min(until.values()) > now:
        return until
    return MappingProxyType({key: moment for key, moment in until.items() if moment > now})


def _mark_accepted(slots: Slots, generation: int, now: float) -> Slots:
    return tuple(
        replace(slot, token=replace(slot.token, accepted_at=now))
        if slot.token and slot.token.generation == generation and slot.token.accepted_at is None
        else slot
        for slot in slots
    )


def accepted(
    account: Account, generation: int, endpoint: str, refused: Refusals, now: float
) -> Outcome:
    """Zoom accepted a call with this token, after it had refused it with those in `refused`."""
    if not worth_noting(account, generation, endpoint, refused):
        return account, ()
    events: list[TokenEvent] = []
    account = replace(account, slots=_mark_accepted(account.slots, generation, now))
    if account.trials.get(endpoint) == generation:
        trials = {key: value for key, value in account.trials.items() if key != endpoint}
        account = replace(account, trials=MappingProxyType(trials))
    if generation == account.generation:
        if account.holdoff is not None:
            events.append(HoldoffEnded(generation))
        account = replace(account, fresh=0, holdoff=None)
    account, told = _close_incident(account, generation, refused)
    return account, (*events, *told)


def worth_noting(account: Account, generation: int, endpoint: str, refused: Refusals) -> bool:
    """False for nearly every call: nothing in the document would change. Cheap."""
    slot = machine.holding(account.slots, generation)
    if slot is None or slot.token is None:
        return False
    return (
        slot.token.accepted_at is None
        or account.trials.get(endpoint) == generation
        or (account.incident is not None and account.incident.confirmed)
        or (generation == account.generation and (account.fresh > 0 or bool(account.holdoff)))
        or bool(refused)
    )


def _close_incident(account: Account, generation: int, refused: Refusals) -> Outcome:
    """The same call, refused with one token and accepted with another, proves a death.

    Not so if it was refused after the mint that replaced the token had begun: that may have
    killed it under the calls in flight.
    """
    incident = account.incident
    if incident is None or incident.generation == generation:
        return account, ()
    before = math.inf if incident.until is None else incident.until
    proof = any(dead == incident.generation and at <= before for dead, at in refused)
    if not incident.confirmed and not proof:
        return account, ()
    foreign = () if incident.explained else (ForeignMint(incident.generation, incident.slot),)
    return replace(account, incident=None), foreign


def explained(account: Account, token: Token, now: float) -> bool:
    """True if a mint of our own may have killed this token."""
    lost = any(
        (at > token.issued_at or now - at < LATE_MINT) and may_kill(account, slot, token.slot)
        for slot, at in account.lost.items()
    )
    under_way = account.minting is not None and may_kill(account, account.minting.slot, token.slot)
    newer = any(
        other.token is not None
        and other.token.generation > token.generation
        and may_kill(account, other.id, token.slot)
        for other in (*account.slots, *account.strangers.values())
    )
    return lost or under_way or newer


def empty(epoch: str, slot_ids: tuple[SlotId, ...], now: float) -> Account:
    """A document with no token in it."""
    return Account(epoch, tuple(Slot(slot) for slot in slot_ids), budget=Budget(at=now))


def token_phase(account: Account, generation: int) -> Phase:
    slot = machine.holding(account.slots, generation)
    return slot.phase if slot else Phase.EMPTY
