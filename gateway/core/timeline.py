"""What happened in each minute of the last hours: counters in a ring, of a fixed size."""

from array import array
from enum import IntEnum
from typing import Final

STEP: Final = 60.0
"""Seconds of a column."""

COLUMNS: Final = 180
"""So many are kept: three hours, in which a token of an hour is rotated several times."""


class Kind(IntEnum):
    """What is counted; the names are those of `/status.json`."""

    CALLS = 0
    RECOVERED = 1
    """Calls that were refused, sent again and not refused any more."""
    PASSED_ON = 2
    """Calls whose refusal, or failed replay, the caller saw."""
    REFUSALS = 3
    MINTS = 4
    MINT_FAILURES = 5


_WIDTH: Final = len(Kind)


class Timeline:
    """One account's: 4.3 KB. Moments are seconds on a clock that never goes back."""

    __slots__ = ("_column", "_counts", "_end", "_start")

    def __init__(self, now: float) -> None:
        self._counts = array("I", bytes(4 * COLUMNS * _WIDTH))
        self._begin(int(now // STEP))

    def add(self, now: float, kind: Kind) -> None:
        if now >= self._end:
            self._turn(int(now // STEP))
        self._counts[self._start + kind] += 1

    def rows(self, now: float) -> list[list[int]]:
        """The minutes in which something happened, the oldest first: how many minutes ago each
        was, and a count for each `Kind`.
        """
        newest = int(now // STEP)
        if newest > self._column:
            self._turn(newest)
        found = []
        for ago in range(COLUMNS - 1, -1, -1):
            start = (newest - ago) % COLUMNS * _WIDTH
            counts = self._counts[start : start + _WIDTH].tolist()
            if any(counts):
                found.append([ago, *counts])
        return found

    def _turn(self, column: int) -> None:
        """Empty the columns that begin anew."""
        for number in range(max(self._column + 1, column - COLUMNS + 1), column + 1):
            start = number % COLUMNS * _WIDTH
            self._counts[start : start + _WIDTH] = array("I", bytes(4 * _WIDTH))
        self._begin(column)

    def _begin(self, column: int) -> None:
        self._column = column
        self._start = column % COLUMNS * _WIDTH
        self._end = (column + 1) * STEP
