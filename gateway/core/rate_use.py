"""How one account's calls fare with Zoom, minute by minute: who makes them, what Zoom refuses.

Zoom may disable an app with "a high error-to-request ratio" and does not say what is high. What is
taken for it here is well above what lost meetings and the odd 429 amount to.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeVar

from gateway.core.ratelimit import UNKNOWN_CATEGORY, Kind, Limited

K = TypeVar("K")

STEP: Final = 60.0
"""Seconds that are counted together."""

HOUR: Final = 60
RECENT: Final = 10
"""Minutes that are looked back on, beside the one that runs. Callers are known of the latter."""

SHOWN: Final = 5
"""Callers that are named, those with most calls; the others are one."""

OTHERS: Final = "others"

_KEPT: Final = 64
"""Callers and categories that are told apart in a minute: many must not fill the memory."""


class Window(NamedTuple):
    """From so many requests on, the ratio is high if this share of them failed."""

    minutes: int
    requests: int
    ratio: float


WINDOWS: Final = (Window(HOUR, 100, 0.2), Window(RECENT, 50, 0.5))
"""A fault that lasts, and one that begins."""

_LOWER: Final = 0.75
"""A ratio that was high is so until it is below this share of what makes it so."""


class Errors(NamedTuple):
    """Requests that Zoom answered, and those among them that it answered with 4xx or 5xx."""

    minutes: int
    requests: int
    errors: int

    @property
    def ratio(self) -> float:
        return self.errors / self.requests if self.requests else 0.0


class _Minute:
    __slots__ = ("errors", "limited", "number", "requests", "used")

    def __init__(self, number: int) -> None:
        self.number = number
        self.requests = self.errors = 0
        self.used: dict[tuple[str, str | None], int] = {}
        """Calls by caller and category."""
        self.limited: dict[tuple[str, str, Kind], int] = {}
        """429s, by caller, category and kind."""


class RateUse:
    """One account's. Moments are seconds on a clock that never goes back.

    A few hundred bytes, and up to 200 KiB with dozens of callers.
    """

    __slots__ = ("_minute", "_minutes", "_turns", "errors", "high", "requests")

    def __init__(self, now: float) -> None:
        self._minutes: deque[_Minute] = deque(maxlen=HOUR + 1)
        self._begin(int(now // STEP))
        self.requests = self.errors = 0
        """Since the start."""
        self.high = False
        """What `judge` said last."""

    def _begin(self, number: int) -> None:
        self._minute = _Minute(number)
        self._minutes.append(self._minute)
        self._turns = (number + 1) * STEP
        for minute in self._minutes:
            if minute.number < number - RECENT:
                minute.used, minute.limited = {}, {}

    def sent(self, now: float, who: str, category: str | None) -> bool:
        """A call went to Zoom and was answered; tell whether it is the first of its minute."""
        turned = now >= self._turns
        if turned:
            self._begin(int(now // STEP))
        minute = self._minute
        minute.requests += 1
        self.requests += 1
        key, used = (who, category), minute.used
        if key in used:
            used[key] += 1
        else:
            _first(used, key, (OTHERS, category))
        return turned

    def failed(self, errors: int, more: int) -> None:
        """Of the call that was `sent` last: Zoom's errors, and how often more it was sent."""
        minute = self._minute
        minute.errors += errors
        minute.requests += more
        self.errors += errors
        self.requests += more

    def limited(self, who: str, found: Limited) -> None:
        """A 429, of the call that was `sent` last."""
        key, counts = (who, found.category, found.kind), self._minute.limited
        if key in counts:
            counts[key] += 1
        else:
            _first(counts, key, (OTHERS, found.category, found.kind))

    # Readers.

    def _since(self, now: float, minutes: int) -> Iterable[_Minute]:
        first = int(now // STEP) - minutes
        return (minute for minute in self._minutes if minute.number >= first)

    def ratio(self, now: float, minutes: int) -> Errors:
        """Of the running minute and so many before it."""
        found = list(self._since(now, minutes))
        return Errors(minutes, sum(one.requests for one in found), sum(one.errors for one in found))

    def judge(self, now: float) -> Errors | None:
        """What is high, if something is: the hour's before that of the last minutes."""
        share = _LOWER if self.high else 1.0
        for window in WINDOWS:
            found = self.ratio(now, window.minutes)
            if found.requests >= window.requests and found.ratio >= share * window.ratio:
                self.high = True
                return found
        self.high = False
        return None

    def used(self, now: float) -> dict[str, "Used"]:
        """Of the last minutes, by category: how many calls, and who made them."""
        counts: dict[str, Counter[str]] = {}
        for minute in self._since(now, RECENT):
            for (who, category), count in minute.used.items():
                counts.setdefault(category or UNKNOWN_CATEGORY, Counter())[who] += count
        return {category: _used(callers) for category, callers in sorted(counts.items())}

    def refused(self, now: float) -> dict[tuple[str, Kind], "Used"]:
        """429s of the last minutes by category and kind: how many, and whose."""
        counts: dict[tuple[str, Kind], Counter[str]] = {}
        for minute in self._since(now, RECENT):
            for (who, category, kind), count in minute.limited.items():
                counts.setdefault((category, kind), Counter())[who] += count
        return {what: _used(callers) for what, callers in sorted(counts.items())}


class Used(NamedTuple):
    """How many, and by whom: the first few, the most before all."""

    total: int
    callers: tuple[tuple[str, int], ...]


def _used(callers: Mapping[str, int]) -> Used:
    named = sorted(
        ((who, count) for who, count in callers.items() if who != OTHERS),
        key=lambda one: (-one[1], one[0]),
    )
    total = sum(callers.values())
    rest = total - sum(count for _, count in named[:SHOWN])
    return Used(total, (*named[:SHOWN], *(((OTHERS, rest),) if rest else ())))


def _first(counts: dict[K, int], key: K, others: K) -> None:
    """Count what was not met yet in this minute."""
    if len(counts) >= _KEPT:
        key = others
    counts[key] = counts.get(key, 0) + 1
