"""Who uses a lane: calls by caller, of about the last minute."""

from collections.abc import Mapping
from typing import Final, NamedTuple

SPAN: Final = 60.0
"""Seconds: what is told is of the running span and the one before."""

MOST: Final = 1024
"""Callers that are counted one by one in a span; the others together."""

SHOWN: Final = 5

OTHERS: Final = "others"


class CallerUse(NamedTuple):
    """One caller's."""

    name: str
    sent: int
    refused: int
    waiting: int


class Use:
    """Moments are seconds on a clock that never goes back."""

    __slots__ = ("_before", "_current", "_span")

    def __init__(self) -> None:
        self._span = -1
        self._current: dict[str, list[int]] = {}
        self._before: dict[str, list[int]] = {}

    def sent(self, caller: str, now: float) -> None:
        self._of(caller, now)[0] += 1

    def refused(self, caller: str, now: float) -> None:
        self._of(caller, now)[1] += 1

    def most(self, now: float, waiting: Mapping[str, int]) -> list[CallerUse]:
        """Those that sent, or would send, the most; the first before all."""
        self._turn(now)
        found = [
            CallerUse(
                caller,
                sum(counts[caller][0] for counts in self._both if caller in counts),
                sum(counts[caller][1] for counts in self._both if caller in counts),
                waiting.get(caller, 0),
            )
            for caller in {*self._before, *self._current, *waiting}
        ]
        found.sort(key=lambda one: (-one.sent - one.refused - one.waiting, one.name))
        return found[:SHOWN]

    @property
    def _both(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        return self._before, self._current

    def _of(self, caller: str, now: float) -> list[int]:
        self._turn(now)
        current = self._current
        counts = current.get(caller)
        if counts is None:
            if len(current) >= MOST:
                caller = OTHERS
            counts = current.setdefault(caller, [0, 0])
        return counts

    def _turn(self, now: float) -> None:
        span = int(now // SPAN)
        if span != self._span:
            self._before = self._current if span == self._span + 1 else {}
            self._current = {}
            self._span = span
