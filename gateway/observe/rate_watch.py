"""What Zoom's rate limits and errors do to each account's calls, as this process sees them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.core.diagnosis import Chart
from gateway.core.events import TokenEvent
from gateway.core.rate_use import RECENT, STEP, WINDOWS, Errors, RateUse, Used
from gateway.core.ratelimit import UNKNOWN_CATEGORY, Kind, Told, told
from gateway.core.status import iso
from gateway.ports import Observer
from gateway.reports import CallReport

CATEGORY: Final = b"x-ratelimit-category"
TYPE: Final = b"x-ratelimit-type"

_FAILED: Final = 400

_GONE: Final = 499
"""The gateway's own: Zoom knows no such status."""

_LIMITS: Final = 16
"""Limits that are told of an account, at most: there are four categories and some kinds."""

Header = tuple[Mapping[bytes, bytes], str | None, float]
"""What an answer told, the operation's category, and when it came."""


class _Account:
    __slots__ = ("told", "use")

    def __init__(self, now: float) -> None:
        self.use = RateUse(now)
        self.told: dict[tuple[object, object], Header] = {}
        """By category and kind as Zoom spells them: read when somebody wants to know."""


class RateWatch(Observer):
    """Implements `Observer`, for the configured accounts alone.

    `turned` is told of an account whose error ratio is high now, and of one whose is no longer
    (None). With several workers each has its own, of the calls that it served.
    """

    def __init__(
        self,
        accounts: Iterable[str],
        now: Callable[[], float],
        wall: Callable[[], float],
        turned: Callable[[str, Errors | None], None],
    ) -> None:
        """`now`: seconds on a clock that never goes back; `wall`: since the epoch."""
        self._now = now
        self._wall = wall
        self._turned = turned
        self._accounts: dict[str, _Account | None] = dict.fromkeys(accounts)

    def prepare(self, accounts: Iterable[str]) -> None:
        """The configuration is another: only these accounts are kept."""
        self._accounts = {name: self._accounts.get(name) for name in accounts}

    # Observer.

    def call_ended(self, report: CallReport) -> None:
        if not report.upstream_duration:
            return
        now = self._now()
        account = self._accounts.get(report.account) or self._first(report.account, now)
        if account is None:
            return
        turned = account.use.sent(now, report.who, report.category)
        if report.status >= _FAILED or report.throttling is not None or report.replays:
            _count(account.use, report)
        if report.told is not None:
            _keep(account, report.told, report.category, now)
        if turned:
            self._judge(report.account, account.use, now)

    def token_event(self, account: str, event: TokenEvent) -> None: ...

    def _first(self, name: str, now: float) -> _Account | None:
        if name not in self._accounts:
            return None
        account = self._accounts[name] = _Account(now)
        return account

    def _judge(self, name: str, use: RateUse, now: float) -> Errors | None:
        before = use.high
        found = use.judge(now)
        if use.high is not before:
            self._turned(name, found)
        return found

    # Readers.

    def marked(self, charts: dict[str, Chart]) -> dict[str, Chart]:
        """Say in the charts, by account, whose error ratio is high."""
        now = self._now()
        for name, use in self.uses():
            errors = self._judge(name, use, now)
            if errors is not None and name in charts:
                charts[name] = replace(charts[name], errors=errors)
        return charts

    def uses(self) -> Iterator[tuple[str, RateUse]]:
        """Of the accounts that were used."""
        return ((name, one.use) for name, one in self._accounts.items() if one is not None)

    def told(self) -> Iterator[tuple[str, Told, float]]:
        """By account: what Zoom's answers told last of each limit, and when, since the epoch."""
        offset = self._wall() - self._now()
        for name, account in self._accounts.items():
            if account is not None:
                for found, at in _read(account):
                    yield name, found, at + offset

    def of(self, name: str) -> dict[str, Any]:
        """Give an account's part of `/status.json`, JSON-ready."""
        now = self._now()
        account = self._accounts.get(name) or _Account(now)
        use, offset = account.use, self._wall() - now
        return {
            "rate_limits": {
                "seconds": RECENT * STEP,
                "limits": [_limit(found, at + offset) for found, at in _read(account)],
                "used": [
                    {"category": category, **_used(used)}
                    for category, used in use.used(now).items()
                ],
                "limited": [
                    {"category": category, "type": kind.value, **_used(used)}
                    for (category, kind), used in use.refused(now).items()
                ],
                "errors": [_errors(use.ratio(now, one.minutes)) for one in WINDOWS],
                "errors_high": use.high,
            }
        }


def _count(use: RateUse, report: CallReport) -> None:
    """What Zoom refused of a call, be it that the caller saw it or not."""
    again, limited = report.replays, report.throttling
    if limited is not None:
        again += limited.retries
        for found in limited.seen:
            use.limited(report.who, found)
    # What the gateway answered itself is no error of Zoom's.
    last = report.status >= _FAILED and report.status != _GONE and not report.error
    use.failed(again + last, again)


def _keep(
    account: _Account, header: Mapping[bytes, bytes], category: str | None, now: float
) -> None:
    key = (header.get(CATEGORY, category), header.get(TYPE))
    if key not in account.told and len(account.told) >= _LIMITS:
        account.told.clear()
    account.told[key] = header, category, now


def _read(account: _Account) -> list[tuple[Told, float]]:
    """What was told of each limit, the newest of those that are spelled in several ways."""
    found: dict[tuple[str | None, Kind], tuple[Told, float]] = {}
    for header, category, at in sorted(account.told.values(), key=lambda one: one[2]):
        one = told(header)
        one = one._replace(category=one.category or category or UNKNOWN_CATEGORY)
        found[one.category, one.kind] = one, at
    return [found[key] for key in sorted(found, key=str)]


def _limit(found: Told, at: float) -> dict[str, Any]:
    return {
        "category": found.category,
        "type": found.kind.value,
        "limit": found.limit,
        "remaining": found.remaining,
        "at": iso(at),
    }


def _used(used: Used) -> dict[str, Any]:
    callers = [{"caller": who, "count": count} for who, count in used.callers]
    return {"count": used.total, "callers": callers}


def _errors(found: Errors) -> dict[str, Any]:
    return {
        "minutes": found.minutes,
        "requests": found.requests,
        "errors": found.errors,
        "ratio": round(found.ratio, 4),
    }
