"""How many calls there are now, and how long they take: counters in a ring, of a fixed size.

A ring of seven buckets of 10 s, each with a histogram whose bounds lie a factor of 1.41 apart:
percentiles are read from it, within some tenths of the true value. It takes about 1 KB, however
many calls there are, and a call costs two comparisons and an increment.
"""

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

BUCKET: Final = 10.0
"""Seconds of a bucket."""

KEPT: Final = 7
"""Buckets: the one that is being filled, and the minute before it."""

SPAN: Final = BUCKET * (KEPT - 1)
"""Seconds that a reading looks back on, beside the bucket that is being filled."""

BOUNDS: Final = tuple(0.001 * 2 ** (step / 2) for step in range(33))
"""Seconds: from 1 ms to a bit more than a minute."""

_BINS: Final = len(BOUNDS) + 1


@dataclass(frozen=True, slots=True)
class Reading:
    """Of the last minute."""

    calls: int
    per_second: float
    p50: float | None
    """Seconds; None without a call."""
    p99: float | None


class Pace:
    """One account's. Moments are seconds on a clock that never goes back."""

    __slots__ = ("_bucket", "_counts", "_end", "_first", "_start")

    def __init__(self, now: float) -> None:
        self._counts = array("I", bytes(4 * KEPT * _BINS))
        self._first = now
        self._begin(int(now // BUCKET))

    def add(self, now: float, seconds: float) -> None:
        """A call ended that took so long."""
        if now >= self._end:
            self._turn(int(now // BUCKET))
        self._counts[self._start + bisect_left(BOUNDS, seconds)] += 1

    def read(self, now: float) -> Reading:
        bucket = int(now // BUCKET)
        if bucket > self._bucket:
            self._turn(bucket)
        bins = [sum(self._counts[at::_BINS]) for at in range(_BINS)]
        calls = sum(bins)
        covered = min(now - self._first, SPAN + now % BUCKET)
        return Reading(
            calls, calls / max(1.0, covered), _percentile(bins, 0.5), _percentile(bins, 0.99)
        )

    def _turn(self, bucket: int) -> None:
        """Empty the buckets that begin anew."""
        for number in range(max(self._bucket + 1, bucket - KEPT + 1), bucket + 1):
            start = number % KEPT * _BINS
            self._counts[start : start + _BINS] = array("I", bytes(4 * _BINS))
        self._begin(bucket)

    def _begin(self, bucket: int) -> None:
        self._bucket = bucket
        self._start = bucket % KEPT * _BINS
        self._end = (bucket + 1) * BUCKET


def _percentile(bins: list[int], share: float) -> float | None:
    """Linear within the bin that holds it."""
    wanted, below = share * sum(bins), 0
    for at, count in enumerate(bins):
        if count and below + count >= wanted:
            low = BOUNDS[at - 1] if at else 0.0
            high = BOUNDS[min(at, len(BOUNDS) - 1)]
            return low + (high - low) * (wanted - below) / count
        below += count
    return None
