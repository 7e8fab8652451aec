"""What a replica says of itself: readiness, and the snapshot behind `/status.json`.

Everything here comes from charts, which hold tokens; nothing that leaves here does.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from gateway.core.account import Account, Holdoff, Minting
from gateway.core.backoff import Budget
from gateway.core.diagnosis import Chart, Diagnosis, Severity, diagnose
from gateway.core.history import newest
from gateway.core.lacks import told_lacks
from gateway.core.posture import Posture, told
from gateway.core.presence import Sighting
from gateway.core.slots import Phase, Slot
from gateway.core.token import Token

_Named = TypeVar("_Named")

_SECONDS_MATTER: Final = 120
"""Seconds: a shorter span is told in seconds."""

_LAST_MOMENT: Final = 253_402_300_799.0
"""Seconds since the epoch: 9999-12-31T23:59:59Z, the last that `datetime` knows."""

_UNITS: Final = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"))


class State(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    """Calls are taken, but somebody must act, or will have to."""
    UNREADY = "unready"
    """No call should be sent here: not ready yet, or stopping."""


class AccountState(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    """Calls succeed, but somebody must act, or will have to."""
    FAILING = "failing"
    """Calls fail."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether calls should come here, and why not."""

    ready: bool
    """Whether `/readyz` answers 200."""
    state: State
    reasons: tuple[str, ...]
    """Sentences, the worst first; empty when all is well."""
    worst: tuple[str | None, Diagnosis] | None = field(default=None, compare=False)
    """The fault that the first sentence is about, if it is one, and the account, if it is one's."""


@dataclass(frozen=True, slots=True)
class Replica:
    """This process."""

    name: str
    version: str
    pid: int
    started: float
    """When it began, on the clock that charts use."""
    sighting: Sighting = field(default_factory=Sighting)
    """All replicas, itself included, as it saw them last."""
    worker: int | None = None
    """Its number, if several processes are one gateway."""
    posture: Posture | None = None
    """How it is guarded; None: not to be told."""


class ReadinessGate:
    """Shut until every account was tried once and one has a token; then open until draining.

    A later fault does not shut it: a fault at Zoom must not take all replicas away.
    """

    def __init__(self) -> None:
        self._opened = False
        self._draining = False

    def drain(self) -> None:
        """Shut it for good: the replica stops."""
        self._draining = True

    def look(
        self,
        charts: Mapping[str, Chart],
        tried: Collection[str],
        served: Collection[str] = (),
        own: Sequence[Diagnosis] = (),
    ) -> Readiness:
        """Judge, by account name, from the charts and the names of the accounts tried once.

        `served`: those that had a usable token, even if nobody looked while they had it. `own`:
        what is wrong with the gateway itself, which makes it degraded, never unready.
        """
        if not self._opened:
            self._opened = all(name in tried for name in charts) and (
                bool(served) or any(chart.account.usable(chart.now) for chart in charts.values())
            )
        faults = _worst(charts, own)
        reasons = [
            f"Account {name}: {one.sentence}" if name and len(charts) > 1 else one.sentence
            for name, one in faults
        ]
        worst = next(iter(faults), None)
        # Most have no token either, which says it already.
        said = {name for name, _ in faults}
        untried = [
            f"Account {name}: no mint was tried yet."
            for name in charts
            if name not in tried and name not in said
        ]
        if self._draining:
            stopping = "The gateway is stopping: send new calls elsewhere."
            return Readiness(ready=False, state=State.UNREADY, reasons=(stopping, *reasons))
        if not self._opened:
            return Readiness(
                ready=False, state=State.UNREADY, reasons=(*reasons, *untried), worst=worst
            )
        state = State.DEGRADED if reasons else State.OK
        return Readiness(ready=True, state=state, reasons=tuple(reasons), worst=worst)


def _worst(
    charts: Mapping[str, Chart], own: Sequence[Diagnosis]
) -> list[tuple[str | None, Diagnosis]]:
    """Everything that is worth acting on, with its account, the worst of all first."""
    severities = list(Severity)
    found: list[tuple[str | None, Diagnosis]] = [
        (name, one)
        for name, chart in charts.items()
        for one in diagnose(chart)
        if one.severity is not Severity.NOTICE
    ]
    found += [(None, one) for one in own]
    found.sort(key=lambda entry: severities.index(entry[1].severity))
    return found


def headline(readiness: Readiness) -> str:
    """One sentence for people."""
    if not readiness.reasons:
        return "All is well: calls get a token." if readiness.ready else "Not ready yet."
    first, more = readiness.reasons[0], len(readiness.reasons) - 1
    text = first if readiness.ready else f"Not ready: {first}"
    return f"{text} ({more} more below.)" if more else text


def mood(status: Mapping[str, Any]) -> str:
    """The state of a snapshot in one word for people: a replica is ready while calls fail, too."""
    failing = any(one["state"] == AccountState.FAILING for one in status["accounts"])
    state = str(status["state"])
    return AccountState.FAILING.value if failing and state == State.DEGRADED else state


def snapshot(  # noqa: PLR0913  each is told of
    charts: Mapping[str, Chart],
    readiness: Readiness,
    replica: Replica,
    now: float,
    wall: float,
    totals: Mapping[str, Mapping[str, int]] | None = None,
    *,
    most: int | None = None,
) -> dict[str, Any]:
    """Give the body of `/status.json`, JSON-ready.

    `now` is on the charts' clock, `wall` in seconds since the epoch. `totals` holds, by
    account, what this replica has counted. Moments become ISO 8601 in UTC; ages and the
    like are seconds. With `most`, so many accounts are told of in full, the worst first, and of the
    others no more than what is wrong: with a thousand accounts that is what takes the time.
    """
    found = {name: diagnose(chart) for name, chart in charts.items()}
    full = set(worst_first(found, lambda name: _account_state(found[name]).value)[:most])
    return {
        "state": readiness.state.value,
        "ready": readiness.ready,
        "sentence": headline(readiness),
        "reasons": list(readiness.reasons),
        "headline": _headline(charts, readiness, wall),
        "at": iso(wall),
        "replica": {
            "name": replica.name,
            "version": replica.version,
            "pid": replica.pid,
            "worker": replica.worker,
            "uptime": round(now - replica.started, 3),
        },
        "accounts": [
            {
                **_wrong(name, found[name], wall - chart.now),
                **(_account(chart, wall, (totals or {}).get(name, {})) if name in full else {}),
            }
            for name, chart in charts.items()
        ],
        "fleet": _fleet(replica.sighting, replica.name),
        **({} if replica.posture is None else told(replica.posture)),
    }


def _headline(
    charts: Mapping[str, Chart], readiness: Readiness, wall: float
) -> dict[str, Any] | None:
    """What the first sentence is about; None if that is no fault."""
    if readiness.worst is None:
        return None
    name, one = readiness.worst
    # The gateway's own moments are seconds since the epoch already.
    offset = 0.0 if name is None else wall - charts[name].now
    return {"account": name, **_diagnosis(one, offset)}


def _fleet(sighting: Sighting, own: str) -> dict[str, Any]:
    return {
        "seen": None if sighting.age is None else round(sighting.age, 3),
        "replicas": [
            {
                "name": one.name,
                "version": one.version,
                "address": one.address,
                "since": iso(one.since),
                "seen": round(one.age + (sighting.age or 0.0), 3),
                "generations": dict(one.generations),
                "this": one.name == own,
            }
            for one in sighting.replicas
        ],
    }


def iso(wall: float) -> str:
    """Give seconds since the epoch as `2026-01-31T12:00:00Z`.

    Moments before 1970 and after 9999 become those ends: no number may cost the whole page.
    """
    # In this order, because both leave their first argument if the second is not a number.
    within = round(min(_LAST_MOMENT, max(0.0, wall)))
    # Many times faster than `strftime`: a status with many accounts has thousands of moments.
    return f"{datetime.fromtimestamp(within, UTC).isoformat()[:19]}Z"


def span(seconds: float) -> str:
    """Give a duration as people read it: `90 s`, `54 min`, `2 h 5 min`, `3 d`."""
    whole = max(0, round(seconds))
    if whole < _SECONDS_MATTER:
        return f"{whole} s"
    for size, unit, part, part_unit in _UNITS:
        if whole >= size:
            more = whole % size // part
            return f"{whole // size} {unit}" + (f" {more} {part_unit}" if more else "")
    return f"{round(whole / 60)} min"


def worst_first(names: Iterable[_Named], state: Callable[[_Named], str]) -> list[_Named]:
    """In the order in which people are to see them; else as they were."""
    order = [one.value for one in reversed(AccountState)]
    return sorted(names, key=lambda name: order.index(state(name)))


def _wrong(name: str, found: list[Diagnosis], offset: float) -> dict[str, Any]:
    return {
        "name": name,
        "state": _account_state(found).value,
        "diagnoses": [_diagnosis(one, offset) for one in found],
    }


def _account(chart: Chart, wall: float, totals: Mapping[str, int]) -> dict[str, Any]:
    account, offset = chart.account, wall - chart.now
    token = account.usable(chart.now)
    return {
        "generation": token.generation if token else None,
        "newest_generation": account.generation,
        "slots": [_slot(slot, chart, offset) for slot in account.slots],
        "last_mint": _last_mint(account, chart.now, offset),
        "minting": None if account.minting is None else _minting(account.minting, offset),
        "holdoff": None if account.holdoff is None else _holdoff(account.holdoff, chart, offset),
        "suspects": [
            {"endpoint": key, "until": iso(until + offset), "remaining": _left(until, chart.now)}
            for key, until in sorted(account.suspects.items())
            if until > chart.now
        ],
        "budget": {
            "left": max(0, int(account.budget.filled(chart.now).level)),
            "burst": int(Budget.BURST),
        },
        "missing_scopes": told_lacks(chart.lacks, lambda moment: iso(moment + offset)),
        "totals": dict(totals),
    }


def _last_mint(account: Account, now: float, offset: float) -> dict[str, Any] | None:
    """Who minted last, and why; None if no token of that mint is left."""
    token = newest(account)
    if token is None:
        return None
    return {
        "app": token.slot.app,
        "index": token.slot.index,
        "generation": token.generation,
        "cause": token.cause.value,
        "minter": token.minter,
        "at": iso(token.issued_at + offset),
        "age": round(now - token.issued_at, 3),
    }


def _minting(minting: Minting, offset: float) -> dict[str, Any]:
    return {
        "app": minting.slot.app,
        "index": minting.slot.index,
        "cause": minting.cause.value,
        "holder": minting.holder,
        "since": iso(minting.since + offset),
    }


def _holdoff(held: Holdoff, chart: Chart, offset: float) -> dict[str, Any]:
    return {
        "generation": held.generation,
        "since": iso(held.since + offset),
        "until": iso(held.until + offset),
        "remaining": _left(held.until, chart.now),
    }


def _left(until: float, now: float) -> float:
    """Give the seconds left, never below 0."""
    return round(max(0.0, until - now), 3)


def _account_state(found: list[Diagnosis]) -> AccountState:
    severities = {one.severity for one in found}
    if Severity.ERROR in severities:
        return AccountState.FAILING
    return AccountState.DEGRADED if Severity.WARNING in severities else AccountState.OK


def _diagnosis(one: Diagnosis, offset: float) -> dict[str, Any]:
    return {
        "code": one.code,
        "severity": one.severity.value,
        "sentence": one.sentence,
        "advice": one.advice,
        "since": None if one.since is None else iso(one.since + offset),
        "cause": one.cause,
    }


def _slot(slot: Slot, chart: Chart, offset: float) -> dict[str, Any]:
    rotates = chart.account.rotate_at if slot.phase is Phase.ACTIVE else None
    return {
        "app": slot.id.app,
        "index": slot.id.index,
        "phase": slot.phase.value,
        "barred": slot.barred,
        "refused": _refused(slot, chart.account.holdoff),
        "failures": slot.failures,
        "retry_in": _left(slot.retry_at, chart.now) if slot.failures else None,
        "rotates_at": None if rotates is None else iso(rotates + offset),
        "rotates_in": None if rotates is None else _left(rotates, chart.now),
        "token": None if slot.token is None else _token(slot.token, chart.now, offset),
    }


def _refused(slot: Slot, held: Holdoff | None) -> bool:
    """Whether calls are sent with a token that Zoom refuses, because no mint would help."""
    token = slot.token
    if held is None or token is None or slot.phase is not Phase.ACTIVE:
        return False
    return token.generation >= held.generation and token.accepted_at is None


def _token(token: Token, now: float, offset: float) -> dict[str, Any]:
    """Give all of a token but its value, scopes and URL."""
    return {
        "generation": token.generation,
        "minted": iso(token.issued_at + offset),
        "age": round(now - token.issued_at, 3),
        "lifetime": round(token.lifetime, 3),
        "expires": iso(token.expires_at + offset),
        "expires_in": _left(token.expires_at, now),
        "cause": token.cause.value,
        "minter": token.minter,
        "accepted": token.accepted_at is not None,
    }
