"""Whose fault is a refusal? The one place that decides.

In order, the first that applies:

1. The call's token is not the active one: use the active one (somebody replaced it already).
2. Fresh tokens are being refused one after the other, and the hold-off has not passed: pass
   Zoom's answer on.
3. The endpoint is on trial or suspected, or the call is refused for the second time: ask a probe.
   It finds the token alive: the endpoint is at fault, and suspected; pass on. No verdict: pass on.
4. The token was never seen accepted, and two such were replaced at once already: begin the next
   hold-off, or, if this token's own hold-off has passed, go on. A spare that was accepted takes
   over meanwhile; without one, calls go on with this token, and Zoom's answer is passed on.
5. The token is at fault: set it aside. Switch to a spare and make its rotation due, or wait for
   a mint.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from types import MappingProxyType

from gateway.core import slots as machine
from gateway.core.account import (
    SUSPICION,
    SUSPICION_STEP,
    VERDICT_TIME,
    Account,
    Due,
    Holdoff,
    Incident,
    Outcome,
    accepted,
    explained,
    spare,
)
from gateway.core.backoff import FREE_FRESH_MINTS, holdoff
from gateway.core.events import (
    EndpointSuspected,
    HoldoffBegan,
    RefusalCause,
    Refused,
    Switched,
    TokenEvent,
)
from gateway.core.slots import Phase
from gateway.core.token import Cause, Token


class Finding(StrEnum):
    """A probe's verdict on the token of a refused call."""

    NONE = "not asked yet"
    ALIVE = "alive"
    DEAD = "dead"
    UNDECIDED = "no answer in time"


class Ruling(Enum):
    RETRY = auto()
    """A better token is active: send the call again with it."""
    WAIT = auto()
    """A better token is being minted: wait for it."""
    PROBE = auto()
    """Judge again with a probe's verdict."""
    PASS = auto()
    """Pass Zoom's answer on."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Zoom refused a call that was sent with the token of this generation."""

    generation: int
    endpoint: str
    second: bool = False
    """The same call was refused before, with another token."""
    finding: Finding = Finding.NONE
    expired: bool = False
    """Zoom says that the token's life is over."""
    jitter: float = 0.0
    """In [0, 1)."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows from a refusal."""

    account: Account
    ruling: Ruling
    events: tuple[TokenEvent, ...] = ()


def judge(account: Account, refusal: Refusal, now: float) -> Judgement:
    """Apply the rules above. The account has been advanced to `now`."""
    token = account.active
    if token is None or token.generation != refusal.generation:
        return _superseded(account, refusal, now)
    if _held_off(account, token, now):
        return _pass(account, refusal, RefusalCause.HOLDOFF)
    in_doubt = refusal.second or account.on_probation(refusal.endpoint, token.generation, now)
    if in_doubt and refusal.finding is Finding.NONE:
        return Judgement(_ask(account, refusal.endpoint, now), Ruling.PROBE)
    if refusal.finding is Finding.UNDECIDED:
        return _pass(account, refusal, RefusalCause.UNDECIDED)
    if refusal.finding is Finding.ALIVE:
        return _endpoint_at_fault(account, refusal, now)
    if _exhausted(account, token):
        return _begin_holdoff(account, refusal, token, now)
    return _token_at_fault(account, refusal, token, now)


def _ask(account: Account, endpoint: str, now: float) -> Account:
    if account.asked.get(endpoint, 0.0) > now + VERDICT_TIME / 2:
        return account  # hardly younger: not worth a write
    asked = MappingProxyType({**account.asked, endpoint: now + VERDICT_TIME})
    return replace(account, asked=asked)


def _pass(account: Account, refusal: Refusal, cause: RefusalCause) -> Judgement:
    return Judgement(account, Ruling.PASS, (_refused(refusal, cause),))


def _refused(refusal: Refusal, cause: RefusalCause) -> Refused:
    return Refused(refusal.generation, refusal.endpoint, cause)


def _superseded(account: Account, refusal: Refusal, now: float) -> Judgement:
    slot = machine.holding(account.slots, refusal.generation)
    if (
        slot is not None
        and slot.phase is Phase.SPARE
        and refusal.finding is not Finding.ALIVE
        and not account.on_probation(refusal.endpoint, refusal.generation, now)
    ):
        # A spare that was refused is no spare; should the endpoint be at fault, one is lost
        # until the next rotation, which costs less than a switch to a dead token.
        account = replace(account, slots=machine.refuse(account.slots, refusal.generation))
    ruling = Ruling.WAIT if account.active is None else Ruling.RETRY
    return Judgement(account, ruling, (_refused(refusal, RefusalCause.SUPERSEDED),))


def _held_off(account: Account, token: Token, now: float) -> bool:
    held = account.holdoff
    return held is not None and token.accepted_at is None and now < held.until


def _exhausted(account: Account, token: Token) -> bool:
    if token.accepted_at is not None or account.fresh < FREE_FRESH_MINTS:
        return False
    return account.holdoff is None or account.holdoff.generation != token.generation


def _begin_holdoff(account: Account, refusal: Refusal, token: Token, now: float) -> Judgement:
    seconds = holdoff(account.fresh, refusal.jitter)
    account = replace(account, holdoff=Holdoff(token.generation, now, now + seconds))
    began = HoldoffBegan(token.generation, now - token.issued_at, seconds)
    told = (_refused(refusal, RefusalCause.HOLDOFF), began)
    stand_in = spare(account, now)
    if stand_in is None or stand_in.token is None or stand_in.token.accepted_at is None:
        return Judgement(account, Ruling.PASS, told)
    account = replace(
        account,
        fresh=account.fresh + 1,
        slots=machine.refuse(account.slots, token.generation),
        due=Due(Cause.REFUSAL, now + seconds, refusal.endpoint),
    )
    return _switch(account, refusal, stand_in.token, told)


def _endpoint_at_fault(account: Account, refusal: Refusal, now: float) -> Judgement:
    account, events = suspect(account, refusal.generation, refusal.endpoint, now)
    return Judgement(account, Ruling.PASS, (_refused(refusal, RefusalCause.ENDPOINT), *events))


def suspect(account: Account, generation: int, endpoint: str, now: float) -> Outcome:
    """A probe found alive the token that this endpoint refuses."""
    account, events = accepted(account, generation, "", (), now)
    incident = account.incident
    if incident is not None and incident.endpoint == endpoint and not incident.confirmed:
        account = replace(account, incident=None)
    if account.suspects.get(endpoint, 0.0) > now + SUSPICION - SUSPICION_STEP:
        return account, events
    news = () if endpoint in account.suspects else (EndpointSuspected(endpoint, SUSPICION),)
    suspects = MappingProxyType({**account.suspects, endpoint: now + SUSPICION})
    return replace(account, suspects=suspects), (*events, *news)


def _token_at_fault(account: Account, refusal: Refusal, token: Token, now: float) -> Judgement:
    fresh = token.accepted_at is None
    cause = RefusalCause.FRESH if fresh else RefusalCause.TOKEN
    account = replace(
        account,
        fresh=account.fresh + fresh,
        incident=account.incident if fresh else _incident(account, refusal, token, now),
        slots=machine.refuse(account.slots, token.generation),
        due=Due(Cause.REFUSAL, now, refusal.endpoint),
    )
    told: tuple[TokenEvent, ...] = (_refused(refusal, cause),)
    stand_in = spare(account, now)
    if stand_in is None or stand_in.token is None:
        return Judgement(account, Ruling.WAIT, told)
    return _switch(account, refusal, stand_in.token, told)


def _switch(
    account: Account, refusal: Refusal, stand_in: Token, told: tuple[TokenEvent, ...]
) -> Judgement:
    account = replace(
        account,
        slots=machine.promote(account.slots, stand_in.slot),
        trials=_with(account.trials, refusal.endpoint, stand_in.generation),
    )
    switched = Switched(stand_in.generation, stand_in.slot)
    return Judgement(account, Ruling.RETRY, (*told, switched))


def _incident(account: Account, refusal: Refusal, token: Token, now: float) -> Incident:
    return Incident(
        token.generation,
        token.slot,
        refusal.endpoint,
        explained=refusal.expired or explained(account, token, now),
    )


def _with(trials: Mapping[str, int], endpoint: str, generation: int) -> Mapping[str, int]:
    return MappingProxyType({**trials, endpoint: generation})


def vindicate(account: Account, generation: int, finding: Finding, now: float) -> Outcome:
    """The token set aside could not be replaced, so a probe asked whether it is alive after all."""
    incident = account.incident
    if finding is Finding.DEAD and incident is not None and incident.generation == generation:
        return replace(account, incident=replace(incident, confirmed=True)), ()
    if finding is not Finding.ALIVE:
        return account, ()
    slots = machine.restore(account.slots, generation)
    if slots == account.slots:
        return account, ()
    due = account.due
    endpoint = due.endpoint if due else ""
    # What an operator asked for, too, is wanted all the same.
    wished = replace(due, endpoint="") if due and due.cause is Cause.REQUEST else None
    account = replace(account, slots=slots, due=wished)
    return suspect(account, generation, endpoint, now) if endpoint else (account, ())
