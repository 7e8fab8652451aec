"""What is counted of each call: kept in plain numbers, and handed to the metrics in sums.

The library's own counters take a lock for each step, and a file where several processes count
together; for a call that would be seven such steps. So a call costs two look-ups here, and the sums
are settled when somebody wants to see them.
"""

import asyncio
import threading
from bisect import bisect_left
from collections.abc import Collection, Iterable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector

from gateway.core.routes import METHODS, OTHER
from gateway.reports import CallReport

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds. Zoom's API mostly answers in 50 to 500 ms; the longest call is ended by
`upstream.idle_timeout`."""

GATHER: Final = 0.005
"""Seconds that other processes are behind, at most, while calls are in hand here."""

UNKNOWN: Final = "unknown"
"""The account of a call that was refused before its account was known."""

Key = tuple[str, str, str, int]
"""Account, method, route and status."""


class _Times:
    """How long calls took, since they were settled last."""

    __slots__ = ("_histogram", "counts", "total")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def settle(self) -> None:
        # What the library's `observe` does, for many at once; it has no public way for that.
        self._histogram._sum.inc(self.total)  # noqa: SLF001
        self.total = 0.0
        buckets = self._histogram._buckets  # noqa: SLF001
        for place, count in enumerate(self.counts):
            if count:
                buckets[place].inc(count)
                self.counts[place] = 0


class Tally(Collector):
    """Belongs to one thread, that of the calls. What is `shared` with other processes is settled
    within `GATHER`, and at once when no call is in hand any more: another process may be asked, and
    this one be killed. For each call by itself, that would be a sixth of its cost.

    As a collector it stands before the metrics that it feeds, and shows nothing itself.
    """

    _requests: Counter
    _durations: Histogram
    _upstream: Histogram
    _inflight: Gauge

    def __init__(self, *, shared: bool = False) -> None:
        self._shared = shared
        self._due = False
        """A timer will settle."""
        self._in_hand = 0
        self._counts: dict[Key, int] = {}
        self._series: dict[Key, Counter] = {}
        self._times: dict[str, tuple[_Times, _Times]] = {}
        """By account: as callers saw the calls, and without waits for tokens."""
        self._thread = threading.get_ident()

    def feed(
        self, requests: Counter, durations: Histogram, upstream: Histogram, inflight: Gauge
    ) -> None:
        """These get the sums; the histograms have `BUCKETS`."""
        self._requests, self._inflight = requests, inflight
        self._durations, self._upstream = durations, upstream
        inflight.set(0)

    def prepare(self, account: str) -> None:
        """Show the account's times from the start."""
        if account not in self._times:
            self._times[account] = (
                _Times(self._durations.labels(account)),
                _Times(self._upstream.labels(account)),
            )

    def forget(self, accounts: Collection[str]) -> None:
        """Count for these no more."""
        self.settle()
        self._series = {key: one for key, one in self._series.items() if key[0] not in accounts}
        for name in accounts:
            self._times.pop(name, None)

    def began(self) -> None:
        self._in_hand += 1
        if self._shared and not self._due:
            self._settle_soon()

    def ended(self, report: CallReport) -> str:
        """Count a call; give the account that it is counted for."""
        self._in_hand -= 1
        account = report.account
        times = self._times.get(account)
        if times is None:
            self.prepare(account := UNKNOWN)
            times = self._times[UNKNOWN]
        key = (account, report.method, report.route, report.status)
        counts = self._counts
        counts[key] = counts.get(key, 0) + 1
        seen, sent = times
        took = report.duration
        seen.counts[bisect_left(BUCKETS, took)] += 1
        seen.total += took
        if took := report.upstream_duration:
            sent.counts[bisect_left(BUCKETS, took)] += 1
            sent.total += took
        if self._shared:
            if not self._in_hand:
                self.settle()
            elif not self._due:
                self._settle_soon()
        return account

    def _settle_soon(self) -> None:
        try:
            asyncio.get_running_loop().call_later(GATHER, self._settle_due)
        except RuntimeError:  # nothing runs that could come back to it
            self.settle()
        else:
            self._due = True

    def _settle_due(self) -> None:
        self._due = False
        self.settle()

    def settle(self) -> None:
        """Hand on what was counted. Only on the thread that it belongs to."""
        self._inflight.set(self._in_hand)
        counts, self._counts = self._counts, {}
        for key, count in counts.items():
            series = self._series.get(key)
            if series is None:
                account, method, route, status = key
                known = method if method in METHODS else OTHER
                series = self._requests.labels(account, known, route, status)
                self._series[key] = series
            series.inc(count)
        for account in {key[0] for key in counts}:
            for times in self._times[account]:
                times.settle()

    def collect(self) -> Iterable[Metric]:
        if threading.get_ident() == self._thread:
            self.settle()
        return ()
