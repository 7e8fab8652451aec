"""When to mint next and in which slot, and what a mint changes.

- No usable token: mint now, whatever the reason the last one is gone.
- A mint is due (a refusal switched to a spare, or an operator asked): mint now.
- Rotation, at half of the life, into another slot: make before break. With nowhere else to mint,
  at nine tenths of it, in the token's own slot: that mint may break calls in flight.
- A mint that a refusal causes waits for its turn of the budget, and a moment by chance.
- A slot that failed waits for its backoff; one that Zoom refuses is out while another works.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

from gateway.core import slots as machine
from gateway.core.account import (
    Account,
    Due,
    Minting,
    Outcome,
    alternatives,
    linked,
    may_kill,
)
from gateway.core.backoff import mint_pause
from gateway.core.errors import MAY_HAVE_MINTED, MintError, MintFailure
from gateway.core.events import LostMint, Minted, MintFailed, SlotOut, SlotsLinked, TokenEvent
from gateway.core.history import newest
from gateway.core.slots import Phase, Slot
from gateway.core.token import Cause, Grant, SlotId, Token

EARLY: Final = 0.5
"""The share of its life after which a token is rotated into another slot."""

LATE: Final = 0.9
"""The same, if the mint may kill it."""

LONGEST_MINT: Final = 15.0
"""Seconds after which a mint in progress is taken for one whose replica died."""

ASKED_PAUSE: Final = 5.0
"""Seconds from one mint that an operator asked for to the next: each may kill the token that calls
in flight, and their replays, were sent with. A loop of requests must be no storm."""

SPREAD: Final = 5.0
"""Seconds after the rotation time within which each replica tries."""

SPREAD_SHARE: Final = 0.02
"""The spread is never more than this share of the life."""

APART: Final = 0.25
"""Of a mint: up to so much more than one must be in the budget, by chance, so that a mint comes up
to half a second late. Two fleets that share an app would keep step: each would kill the other's
token just when its calls are sent again."""

_APP_WIDE: Final = frozenset(
    {MintFailure.INVALID_CLIENT, MintFailure.INVALID_ACCOUNT, MintFailure.RATE_LIMITED}
)
_SLOT_ONLY: Final = frozenset({MintFailure.INVALID_INDEX, MintFailure.REFUSED})


@dataclass(frozen=True, slots=True)
class Course:
    """The replica's part in it. `rotate_at`: a share of the life, None for the rules above.
    `jitter` in [0, 1) spreads the replicas' tries.
    """

    rotate_at: float | None = None
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Mint:
    """Mint a token for a slot."""

    slot: SlotId
    cause: Cause


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do before `until`."""

    until: float


Step = Mint | Rest


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operator's wish for a new token leads to."""

    began: bool
    """False: one was on its way already, and nothing was changed."""
    wait: float
    """Seconds until it is tried: the last mints failed, or the budget is spent."""
    store_down: bool = False
    """It is not minted before the store can be used."""


def next_step(account: Account, course: Course, now: float) -> Step:
    """What the minter does next. The account has been advanced to `now`."""
    token = account.active
    due = account.due
    if token is None:
        return _mint(account, _missing(account), now, account.slots)
    ends = _stand_in_ends(account, token)
    if ends <= now:
        own = [slot for slot in account.slots if slot.id == token.slot]
        return _mint(account, Cause.ROTATION, now, own)
    if due is not None and due.at <= now:
        return _mint(account, due.cause, now, account.slots)
    start = min(ends, rotation_start(account, token, course))
    if start <= now:
        return _rotate(account, token, course, now)
    return Rest(min(start, due.at) if due else start)


def _stand_in_ends(account: Account, token: Token) -> float:
    """When a token that stands in for younger ones, refused from their first call on, is renewed.

    The stored rotation time is the youngest's, and what is due goes into its slot.
    """
    stands_in = token.generation != account.generation and account.fresh > 0
    return token.issued_at + token.lifetime * LATE if stands_in else math.inf


def _missing(account: Account) -> Cause:
    if account.due is not None:
        return account.due.cause
    return Cause.EXPIRY if account.generation else Cause.START


def rotation_start(account: Account, token: Token, course: Course) -> float:
    """When this replica tries: the stored time, spread, and before new calls go without."""
    at = account.rotate_at
    if at is None:
        at = token.issued_at + token.lifetime * _share(account, token.slot, course)
    at += min(SPREAD, token.lifetime * SPREAD_SHARE) * course.jitter
    return min(at, token.usable_until)


def _share(account: Account, slot_id: SlotId, course: Course) -> float:
    if course.rotate_at is not None:
        return course.rotate_at
    return EARLY if alternatives(account, slot_id) else LATE


def _rotate(account: Account, token: Token, course: Course, now: float) -> Step:
    others = alternatives(account, token.slot)
    if any(slot.retry_at <= now for slot in others):
        return _mint(account, Cause.ROTATION, now, others)
    share = LATE if others or course.rotate_at is None else course.rotate_at
    late = token.issued_at + token.lifetime * share
    if now >= late:
        return _mint(account, Cause.ROTATION, now, account.slots)
    return Rest(min([late, *(slot.retry_at for slot in others)]))


def _mint(account: Account, cause: Cause, now: float, among: tuple[Slot, ...] | list[Slot]) -> Step:
    candidates = [slot for slot in among if not slot.barred]
    if not candidates or (account.active is None and all(slot.failures for slot in candidates)):
        # Nothing else is left, and what Zoom refused may be cured there: try, slowly.
        candidates = list(account.slots)
    ready = [slot for slot in candidates if slot.retry_at <= now]
    if not ready:
        return Rest(min(slot.retry_at for slot in candidates))
    if cause is Cause.REFUSAL:
        turn = account.budget.turn(now, APART * _chance(account))
        if turn > now:
            return Rest(turn)
    return Mint(_best(account, ready).id, cause)


def _chance(account: Account) -> float:
    """In [0, 1): the same for all replicas of a fleet until there is another token."""
    name = f"{account.epoch} {account.generation}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(name, digest_size=4).digest()) / 2**32


def _best(account: Account, ready: list[Slot]) -> Slot:
    """The slot whose mint does least harm; after a switch, the one that was set aside."""
    holder = machine.active(account.slots)
    aside_first = holder is not None

    def harm(slot: Slot) -> tuple[bool, int, int]:
        near = holder is not None and linked(account, slot.id, holder.id)
        if slot.phase in (Phase.EMPTY, Phase.ASIDE):
            rank = int((slot.phase is Phase.EMPTY) is aside_first)
        else:
            rank = 2 if slot.phase is Phase.SPARE else 3
        return near, rank, slot.token.generation if slot.token else 0

    return min(ready, key=harm)


def begin(account: Account, minting: Minting, now: float) -> Outcome:
    """A mint is about to be asked for. One that was left unfinished is a lost one."""
    account, events = abandon(account)
    if minting.cause is Cause.REFUSAL:
        account = replace(account, budget=account.budget.drawn(now))
    incident = account.incident
    mine = incident is not None and may_kill(account, minting.slot, incident.slot)
    if incident is not None and mine and incident.until is None:
        account = replace(account, incident=replace(incident, until=now))
    return replace(account, minting=minting), events


def abandon(account: Account) -> Outcome:
    """The mint in progress will not be published."""
    left = account.minting
    if left is None:
        return account, ()
    # As of its beginning: it explains no death of the token that is minted in its stead.
    lost = _note_lost(account.lost, left.slot, left.since)
    return replace(account, minting=None, lost=lost), (LostMint(left.slot),)


def lost(account: Account, minting: Minting, now: float) -> Outcome:
    """This mint happened, but its token came too late to be published."""
    left = account.minting
    if left is not None and left.fence == minting.fence:
        account = replace(account, minting=None)
    noted = _note_lost(account.lost, minting.slot, now)
    return replace(account, lost=noted), (LostMint(minting.slot),)


def _note_lost(lost: Mapping[SlotId, float], slot: SlotId, now: float) -> Mapping[SlotId, float]:
    return MappingProxyType({**lost, slot: now})


@dataclass(frozen=True, slots=True)
class Publication:
    """A minted token on its way into the document. `started`: when the request was sent."""

    grant: Grant
    slot: SlotId
    cause: Cause
    minter: str
    started: float


def publish(account: Account, news: Publication, course: Course, now: float) -> Outcome:
    """The token becomes the active one, and names itself by the next generation."""
    token = _token(account, news)
    due = account.due
    trials = {due.endpoint: token.generation} if due is not None and due.endpoint else {}
    account = replace(
        account,
        slots=machine.publish(account.slots, token),
        generation=token.generation,
        due=None,
        minting=None,
        trials=MappingProxyType(trials),
    )
    share = _share(account, token.slot, course)
    account = replace(account, rotate_at=token.issued_at + token.lifetime * share)
    minted = Minted(
        token.slot,
        news.cause,
        token.generation,
        token.lifetime,
        news.grant.previous_secret,
        now - news.started,
    )
    return account, (minted,)


def _token(account: Account, news: Publication) -> Token:
    return Token(
        value=news.grant.value,
        slot=news.slot,
        generation=account.generation + 1,
        issued_at=news.started,
        expires_at=news.started + news.grant.lifetime,
        cause=news.cause,
        minter=news.minter,
        scope=news.grant.scope,
        api_url=news.grant.api_url,
        previous_secret=news.grant.previous_secret,
    )


def failed(
    account: Account,
    mint: Mint,
    error: MintError,
    jitter: float,
    now: float,
    since: float | None = None,
) -> Outcome:
    """A mint, begun at `since`, failed: no token is lost, the next try waits, a refused index is
    out.
    """
    hit = next(slot for slot in account.slots if slot.id == mint.slot)
    failures = hit.failures + 1
    pause = mint_pause(error.failure, failures, error.retry_after, jitter)
    barred = str(error) if error.failure is MintFailure.INVALID_INDEX else ""
    account = replace(
        account,
        minting=None,
        slots=tuple(
            replace(slot, failures=failures, retry_at=now + pause, barred=slot.barred or barred)
            if slot.id == mint.slot or (not barred and _concerns(error.failure, hit, slot))
            else slot
            for slot in account.slots
        ),
    )
    took = 0.0 if since is None else now - since
    told: list[TokenEvent] = [
        MintFailed(mint.slot, mint.cause, error.failure, str(error), pause, took)
    ]
    if barred:
        account = replan(account)
        told.append(SlotOut(mint.slot, barred))
    if error.failure in MAY_HAVE_MINTED:
        account = replace(account, lost=_note_lost(account.lost, mint.slot, now))
        told.append(LostMint(mint.slot))
    return account, tuple(told)


def _concerns(failure: MintFailure, hit: Slot, other: Slot) -> bool:
    """Whether a failure in one slot says that a mint in another would fail as well."""
    if failure in _SLOT_ONLY:
        return False
    return hit.id.app == other.id.app if failure in _APP_WIDE else True


def relate(account: Account, older: SlotId, newer: SlotId, *, alive: bool) -> Outcome:
    """A probe, sent after a mint in `newer`, told whether the token of `older` lives on."""
    pair = frozenset((older, newer))
    account = replace(account, apart=MappingProxyType({**account.apart, pair: alive}))
    if alive:
        return account, ()
    return replan(account), (SlotsLinked((older, newer)),)


def to_compare(account: Account, before: Token | None, minted: SlotId) -> bool:
    """Whether to probe `before`, the active token when the mint in `minted` began.

    Only a token that was accepted can be seen to have died, and one look settles it.
    """
    if before is None or before.accepted_at is None or before.slot == minted:
        return False
    return before.slot.app == minted.app and frozenset((before.slot, minted)) not in account.apart


def replan(account: Account) -> Account:
    """The slots to rotate into changed: the stored rotation time with them."""
    token = account.active
    if token is None or account.rotate_at is None or alternatives(account, token.slot):
        return account
    late = token.issued_at + token.lifetime * LATE
    # In the store's time and back it is another number, which is not worth a write.
    if account.rotate_at > late - token.lifetime * SPREAD_SHARE:
        return account
    return replace(account, rotate_at=late)


def begun(account: Account, now: float) -> Outcome:
    """A replica starts, or credentials changed: what an operator may have cured is tried again."""
    slots = tuple(
        replace(slot, barred="", failures=0, retry_at=min(slot.retry_at, now))
        for slot in account.slots
    )
    return replace(account, slots=slots), ()


def request(account: Account, now: float) -> Account:
    """An operator asked for a new token: it waits for no budget.

    If a refusal had made one due already, its endpoint stays the one to blame. If nothing had, it
    waits if the newest token was asked for a moment ago.
    """
    if account.due is not None:
        return replace(account, due=Due(Cause.REQUEST, now, account.due.endpoint))
    last = newest(account)
    if last is not None and last.cause is Cause.REQUEST:
        now += min(ASKED_PAUSE, max(0.0, last.issued_at + ASKED_PAUSE - now))
    return replace(account, due=Due(Cause.REQUEST, now))


def under_way(account: Account, now: float) -> bool:
    """Whether there is nothing to ask for: it was asked for, or a mint is in progress."""
    minting = account.minting is not None and now - account.minting.since < LONGEST_MINT
    return minting or (account.due is not None and account.due.cause is Cause.REQUEST)
