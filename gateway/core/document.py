"""An account's document as it is stored: JSON-ready, its times in the store's seconds.

Format 1. A reader refuses a higher number, a field, a phase or a cause that it does not know, and
leaves the document untouched: a newer gateway wrote it. Later versions may add to `ext` what older
ones may carry along unread. `docs/upgrades.md` has the rules.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from gateway.core.account import (
    SUSPICION,
    VERDICT_TIME,
    Account,
    Due,
    Holdoff,
    Incident,
    Minting,
    Stranger,
)
from gateway.core.backoff import JITTER_SHARE, LONGEST_HOLDOFF, RETRY_AFTER_CAP, Budget
from gateway.core.errors import StoreContentError, StoreFormatError
from gateway.core.known_fields import DEEPEST, nests_deeper, unknown_field
from gateway.core.secret import Secret
from gateway.core.slots import Phase, Slot
from gateway.core.token import Cause, SlotId, Token

FORMAT: Final = 1

LONGEST_LIFE: Final = 366 * 86400.0
"""Seconds. Zoom's tokens live an hour; anything is possible but this."""

MOST: Final = 2**53
"""No counter is larger: metrics are floats, and one that does not fit would end a whole scrape."""

_UNREADABLE: Final = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
)

_UNSENDABLE: Final = re.compile(r"[^\x21-\x7e]")

Document = dict[str, Any]

Identities = Mapping[SlotId, str]
"""The configured slots, in order, each with a fingerprint of its account and client id: a token
minted for another client under the same name is not ours."""


def encode(account: Account, identities: Identities, delta: float) -> Document:
    """`delta` is what turns the account's times into the store's."""

    def at(moment: float | None) -> float | None:
        return None if moment is None else moment + delta

    return {
        "format": FORMAT,
        "epoch": account.epoch,
        "generation": account.generation,
        "rotate_at": at(account.rotate_at),
        "due": _encode_due(account.due, at),
        "slots": [
            *(_encode_slot(slot, identities[slot.id], at) for slot in account.slots),
            *(_encode_slot(slot, whose, at) for (_, whose), slot in _aside(account)),
        ],
        "trials": dict(account.trials),
        "suspects": {key: at(until) for key, until in account.suspects.items()},
        "asked": {key: at(until) for key, until in account.asked.items()},
        "fresh": account.fresh,
        "holdoff": _encode_holdoff(account.holdoff, at),
        "budget": {"level": account.budget.level, "at": at(account.budget.at)},
        "minting": _encode_minting(account.minting, at),
        "lost": [{**_slot_id(slot), "at": at(moment)} for slot, moment in account.lost.items()],
        "apart": [
            {"slots": [_slot_id(slot) for slot in sorted(pair)], "apart": apart}
            for pair, apart in account.apart.items()
        ],
        "incident": _encode_incident(account.incident, at),
        "ext": dict(account.ext),
    }


def _aside(account: Account) -> list[tuple[Stranger, Slot]]:
    """The strangers. One active token is enough: who knows theirs as well would find two. Who
    knows only theirs promotes it again.
    """
    demoted = account.active is not None
    return [
        (name, replace(slot, phase=Phase.SPARE) if demoted and slot.phase is Phase.ACTIVE else slot)
        for name, slot in account.strangers.items()
    ]


At = Callable[[float | None], float | None]


def _slot_id(slot: SlotId) -> Document:
    return {"app": slot.app, "index": slot.index}


def _encode_due(due: Due | None, at: At) -> Document | None:
    if due is None:
        return None
    return {"cause": due.cause.value, "at": at(due.at), "endpoint": due.endpoint}


def _encode_holdoff(held: Holdoff | None, at: At) -> Document | None:
    if held is None:
        return None
    return {
        "generation": held.generation,
        "since": at(held.since),
        "until": at(held.until),
    }


def _encode_minting(minting: Minting | None, at: At) -> Document | None:
    if minting is None:
        return None
    return {
        **_slot_id(minting.slot),
        "since": at(minting.since),
        "fence": minting.fence,
        "holder": minting.holder,
        "cause": minting.cause.value,
    }


def _encode_incident(incident: Incident | None, at: At) -> Document | None:
    if incident is None:
        return None
    return {
        **_slot_id(incident.slot),
        "generation": incident.generation,
        "endpoint": incident.endpoint,
        "explained": incident.explained,
        "confirmed": incident.confirmed,
        "until": at(incident.until),
    }


def _encode_slot(slot: Slot, identity: str, at: At) -> Document:
    return {
        **_slot_id(slot.id),
        "identity": identity,
        "phase": slot.phase.name.lower(),
        "token": _encode_token(slot.token, at),
        "barred": slot.barred,
        "failures": slot.failures,
        "retry_at": at(slot.retry_at),
    }


def _encode_token(token: Token | None, at: At) -> Document | None:
    if token is None:
        return None
    return {
        "value": token.value.reveal(),
        "generation": token.generation,
        "issued_at": at(token.issued_at),
        "expires_at": at(token.expires_at),
        "cause": token.cause.value,
        "minter": token.minter,
        "scope": token.scope,
        "api_url": token.api_url,
        "accepted_at": at(token.accepted_at),
        "previous_secret": token.previous_secret,
    }


def decode(document: Document, identities: Identities, delta: float) -> Account:
    """Read a stored document; `delta` turns the store's times into the replica's.

    Slots that are new in the configuration are empty; those of other configurations are kept
    apart, if there is something to know of them. Raises StoreContentError, naming the field that
    is missing, and never shows a value; StoreFormatError for what a newer gateway wrote.
    """
    written = document.get("format")
    if not isinstance(written, int) or written < 1:
        raise StoreContentError("the stored document has no valid field 'format'")
    if written > FORMAT:
        raise _newer(f"has format {written}, this gateway reads up to {FORMAT}")
    if (field := unknown_field(document)) is not None:
        raise _newer(f"has the field '{field}', which this gateway does not know")
    try:
        return _decode(document, identities, delta)
    except _UNREADABLE as problem:
        # The text of a ValueError may quote a value, which may be a token.
        field = str(problem) if isinstance(problem, KeyError) else type(problem).__name__
        raise StoreContentError(f"the stored document cannot be read: {field}") from None


def _newer(what: str) -> StoreFormatError:
    return StoreFormatError(
        f"the stored document {what}: a newer gateway wrote it; upgrade this one, or use another "
        "store (store.url)"
    )


def clamp(account: Account, now: float) -> Account:
    """Bring in what a store's clock that was set back would put off beyond all measure."""
    longest = RETRY_AFTER_CAP * (1 + JITTER_SHARE)
    held, due = account.holdoff, account.due
    return replace(
        account,
        slots=tuple(
            replace(slot, retry_at=min(slot.retry_at, now + longest)) for slot in account.slots
        ),
        suspects=MappingProxyType(
            {key: min(until, now + SUSPICION) for key, until in account.suspects.items()}
        ),
        asked=MappingProxyType(
            {key: min(until, now + VERDICT_TIME) for key, until in account.asked.items()}
        ),
        lost=MappingProxyType({slot: min(at, now) for slot, at in account.lost.items()}),
        holdoff=held and replace(held, until=min(held.until, now + LONGEST_HOLDOFF)),
        due=due and replace(due, at=min(due.at, now + LONGEST_HOLDOFF)),
        budget=replace(account.budget, at=min(account.budget.at, now)),
    )


def _decode(document: Document, identities: Identities, delta: float) -> Account:
    def at(moment: Any) -> float:
        return _finite(moment) + delta

    stored = {(_id(raw), str(raw["identity"])): raw for raw in document["slots"]}
    own = {slot: stored.pop((slot, identity), None) for slot, identity in identities.items()}
    slots = tuple(
        Slot(slot) if raw is None else _decode_slot(slot, raw, at) for slot, raw in own.items()
    )
    strangers = {
        name: _decode_slot(name[0], raw, at)
        for name, raw in stored.items()
        if raw["token"] or raw["failures"] or raw["barred"]
    }
    known = {slot for slot, raw in own.items() if raw is not None}
    # Not those of another client under a name of ours.
    known |= {slot for slot, _ in strangers if slot not in own}
    if sum(slot.phase is Phase.ACTIVE for slot in slots) > 1:
        raise StoreContentError("the stored document cannot be read: two tokens are active")
    return Account(
        epoch=str(document["epoch"]),
        slots=slots,
        strangers=MappingProxyType(strangers),
        generation=_count(document["generation"]),
        rotate_at=None if document["rotate_at"] is None else at(document["rotate_at"]),
        due=_decode_due(document["due"], at),
        trials=MappingProxyType({str(k): _count(v) for k, v in document["trials"].items()}),
        suspects=MappingProxyType({str(k): at(v) for k, v in document["suspects"].items()}),
        asked=MappingProxyType({str(k): at(v) for k, v in document["asked"].items()}),
        fresh=_count(document["fresh"]),
        holdoff=_decode_holdoff(document["holdoff"], at),
        budget=Budget(_finite(document["budget"]["level"]), at(document["budget"]["at"])),
        minting=_decode_minting(document["minting"], known, at),
        lost=MappingProxyType(
            {_id(raw): at(raw["at"]) for raw in document["lost"] if _id(raw) in known}
        ),
        apart=MappingProxyType(_decode_apart(document["apart"], known)),
        incident=_decode_incident(document["incident"], at),
        ext=MappingProxyType(_extension(document.get("ext", {}))),
    )


Moment = Callable[[Any], float]


def _text(raw: Any) -> str:
    """Whatever else became a text might be sent to Zoom."""
    if not isinstance(raw, str):
        raise TypeError
    return raw


def _flag(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise TypeError
    return raw


def _extension(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise TypeError
    if nests_deeper(raw):
        raise _newer(f"has additions of more than {DEEPEST} levels, which this gateway cannot keep")
    return raw


def _cause(raw: Any) -> Cause:
    text = _text(raw)
    if text not in set(Cause):
        raise _newer("has a cause of a mint that this gateway does not know")
    return Cause(text)


def _finite(raw: Any) -> float:
    """JSON as Python reads it has infinities and NaN: a token with such a life would never end."""
    number = float(raw)
    if not math.isfinite(number):
        raise ValueError
    return number


def _count(raw: Any) -> int:
    number = int(raw)
    if not 0 <= number <= MOST:
        raise ValueError
    return number


def _id(raw: Document) -> SlotId:
    return SlotId(str(raw["app"]), int(raw["index"]))


_PHASES: Final = {phase.name.lower(): phase for phase in Phase}


def _decode_slot(slot: SlotId, raw: Document, at: Moment) -> Slot:
    token = None if raw["token"] is None else _decode_token(slot, raw["token"], at)
    phase = _PHASES.get(_text(raw["phase"]))
    if phase is None:
        raise _newer(f"has a phase in slot {slot} that this gateway does not know")
    if (token is None) is not (phase is Phase.EMPTY):
        raise StoreContentError(
            f"the stored document cannot be read: slot {slot} must be empty if and only if it "
            "holds no token"
        )
    return Slot(
        slot, phase, token, str(raw["barred"]), _count(raw["failures"]), at(raw["retry_at"])
    )


def _decode_token(slot: SlotId, raw: Document, at: Moment) -> Token:
    value = _text(raw["value"])
    if _UNSENDABLE.search(value) or not value:
        raise StoreContentError("the stored document holds a token that no header can carry")
    issued_at, expires_at = at(raw["issued_at"]), at(raw["expires_at"])
    if not 0 < expires_at - issued_at <= LONGEST_LIFE:
        raise StoreContentError("the stored document holds a token whose life makes no sense")
    return Token(
        value=Secret(value),
        slot=slot,
        generation=_count(raw["generation"]),
        issued_at=issued_at,
        expires_at=expires_at,
        cause=_cause(raw["cause"]),
        minter=str(raw["minter"]),
        scope=str(raw["scope"]),
        api_url=None if raw["api_url"] is None else str(raw["api_url"]),
        accepted_at=None if raw["accepted_at"] is None else at(raw["accepted_at"]),
        previous_secret=_flag(raw["previous_secret"]),
    )


def _decode_due(raw: Document | None, at: Moment) -> Due | None:
    return None if raw is None else Due(_cause(raw["cause"]), at(raw["at"]), str(raw["endpoint"]))


def _decode_holdoff(raw: Document | None, at: Moment) -> Holdoff | None:
    return (
        None
        if raw is None
        else Holdoff(_count(raw["generation"]), at(raw["since"]), at(raw["until"]))
    )


def _decode_minting(raw: Document | None, known: set[SlotId], at: Moment) -> Minting | None:
    if raw is None or _id(raw) not in known:
        return None
    return Minting(
        _id(raw), at(raw["since"]), str(raw["fence"]), str(raw["holder"]), _cause(raw["cause"])
    )


def _decode_apart(raw: list[Document], known: set[SlotId]) -> dict[frozenset[SlotId], bool]:
    pairs = ((frozenset(_id(slot) for slot in one["slots"]), bool(one["apart"])) for one in raw)
    return {pair: apart for pair, apart in pairs if pair <= known}


def _decode_incident(raw: Document | None, at: Moment) -> Incident | None:
    return (
        None
        if raw is None
        else Incident(
            _count(raw["generation"]),
            _id(raw),
            str(raw["endpoint"]),
            explained=bool(raw["explained"]),
            confirmed=bool(raw["confirmed"]),
            until=None if raw["until"] is None else at(raw["until"]),
        )
    )
