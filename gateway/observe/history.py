"""What happened to each account lately, for the status page: rates, a timeline, recent events."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from gateway.core.events import (
    LostMint,
    Minted,
    MintFailed,
    Refused,
    StoreDown,
    StoreUp,
    TokenEvent,
)
from gateway.core.pace import SPAN, Pace
from gateway.core.status import iso
from gateway.core.timeline import COLUMNS, STEP, Kind, Timeline
from gateway.observe.token_lines import line_of, refusals_line
from gateway.ports import Observer
from gateway.reports import CallReport, ReplayOutcome

MOST: Final = 50
"""Events that are kept for an account."""

NEAR: Final = 8
"""So many events back one of the same kind is looked for, to count it there."""

TOGETHER: Final = 600.0
"""Seconds within which events of the same kind are one entry with a count."""


@dataclass(slots=True)
class _Entry:
    """An event, and how often it came in a row."""

    first: float
    last: float
    count: int
    event: TokenEvent


class _Record:
    """One account's."""

    __slots__ = ("events", "pace", "timeline")

    def __init__(self, now: float) -> None:
        self.pace = Pace(now)
        self.timeline = Timeline(now)
        self.events: deque[_Entry] = deque(maxlen=MOST)


class History(Observer):
    """Implements `Observer`, for the configured accounts alone.

    An account costs nothing until something happens to it, then about 7 KB, and up to 12 KB more
    with all 50 events. With several workers each has its own, of the calls that it served.
    """

    def __init__(
        self, accounts: Iterable[str], now: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        """`now`: seconds on a clock that never goes back; `wall`: since the epoch."""
        self._now = now
        self._wall = wall
        self._records: dict[str, _Record | None] = dict.fromkeys(accounts)
        self.listener: Callable[[], None] | None = None
        """Told after every token event. Must not raise or wait."""

    def prepare(self, accounts: Iterable[str]) -> None:
        """The configuration is another: only these accounts are kept."""
        self._records = {name: self._records.get(name) for name in accounts}

    # Observer.

    def call_ended(self, report: CallReport) -> None:
        now = self._now()
        record = self._records.get(report.account) or self._record(report.account, now)
        if record is None:
            return
        record.pace.add(now, report.duration)
        record.timeline.add(now, Kind.CALLS)
        if report.outcome is not None:
            recovered = report.outcome is ReplayOutcome.RECOVERED
            record.timeline.add(now, Kind.RECOVERED if recovered else Kind.PASSED_ON)

    def token_event(self, account: str, event: TokenEvent) -> None:
        now = self._now()
        record = self._records.get(account) or self._record(account, now)
        if record is None:
            return
        kind = _COUNTED.get(type(event))
        if kind is not None:
            record.timeline.add(now, kind)
        _keep(record.events, event, now)
        if self.listener is not None:
            self.listener()

    def _record(self, account: str, now: float) -> _Record | None:
        """Make one for a configured account; None for any other."""
        if account not in self._records:
            return None
        record = self._records[account] = _Record(now)
        return record

    # Readers.

    def of(self, account: str) -> dict[str, Any]:
        """Give an account's part of `/status.json`, JSON-ready."""
        now = self._now()
        record = self._records.get(account) or _Record(now)
        reading, offset = record.pace.read(now), self._wall() - now
        return {
            "pace": {
                "seconds": SPAN,
                "calls": reading.calls,
                "per_second": round(reading.per_second, 2),
                "p50": _rounded(reading.p50),
                "p99": _rounded(reading.p99),
            },
            "timeline": {
                "step": STEP,
                "columns": COLUMNS,
                "kinds": [kind.name.lower() for kind in Kind],
                "rows": record.timeline.rows(now),
            },
            "events": [_told(entry, offset) for entry in _latest(record.events)],
        }


_COUNTED: Final[dict[type[TokenEvent], Kind]] = {
    Refused: Kind.REFUSALS,
    Minted: Kind.MINTS,
    MintFailed: Kind.MINT_FAILURES,
}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def _keep(events: deque[_Entry], event: TokenEvent, now: float) -> None:
    """A dead token brings hundreds of refusals, a store that flaps as many faults: they are one
    entry, and push nothing out.
    """
    kind = _alike(event)
    if kind is not None:
        for entry in islice(reversed(events), NEAR):
            if now - entry.last < TOGETHER and _alike(entry.event) == kind:
                entry.last, entry.count, entry.event = now, entry.count + 1, event
                return
    events.append(_Entry(now, now, 1, event))


def _alike(event: TokenEvent) -> object:
    """What events of one entry have in common; None: each is an entry of its own."""
    if isinstance(event, Refused):
        return event.cause
    if isinstance(event, MintFailed):
        return event.slot, event.failure
    if isinstance(event, LostMint):
        return type(event), event.slot
    if isinstance(event, StoreDown):
        return event
    if isinstance(event, StoreUp):
        return type(event)
    return None


def _latest(events: Iterable[_Entry]) -> list[_Entry]:
    """The latest first. Of the same moment, what was told later comes first."""
    latest = [*events][::-1]
    latest.sort(key=lambda entry: -entry.last)
    return latest


def _told(entry: _Entry, offset: float) -> dict[str, Any]:
    event = entry.event
    line = refusals_line(event.cause, entry.count) if isinstance(event, Refused) else line_of(event)
    return {
        "at": iso(entry.last + offset),
        "since": iso(entry.first + offset),
        "count": entry.count,
        "event": line.event if line else type(event).__name__,
        "level": line.level if line else "info",
        "message": line.message if line else "",
    }
