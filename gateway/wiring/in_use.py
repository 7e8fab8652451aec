"""The limits in force, and how much of them is in use."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from gateway.core.diagnosis import Diagnosis
from gateway.core.limits import Limits
from gateway.core.posture import LimitStatus
from gateway.core.refusals import Refusals, diagnose_refusals
from gateway.observe.limit_metrics import LimitMetrics, Usage, of_all
from gateway.observe.metrics import PREFIX
from gateway.observe.shared import Shared
from gateway.web.meters import Meters
from gateway.wiring.lines import Lines

_PUBLISHED: Final = 1.0
"""Seconds between two times that a worker tells the others what it has in use."""


class InUse:
    """Of this process, or with `shared` of all workers.

    `limits` gives those in force, `calls` how many calls of this process have ended; `publish`
    shows others what this process has in use.
    """

    def __init__(
        self,
        metrics: LimitMetrics,
        lines: Lines,
        shared: Shared | None,
        limits: Callable[[], Limits],
        calls: Callable[[], int],
        publish: Callable[[], None],
    ) -> None:
        self.meters = Meters(self._reached, lines.descriptors_exhausted)
        self._metrics = metrics
        self._lines = lines
        self._shared = shared
        self._limits = limits
        self._calls = calls
        self._show = publish
        self._refusals = Refusals()
        self._publishing: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Keep what is told to others up to date. Call it inside the running loop."""
        self._metrics.now = self._now
        self._publish()

    def close(self) -> None:
        if self._publishing is not None:
            self._publishing.cancel()

    def status(self) -> Mapping[str, LimitStatus]:
        """By the limit's key."""
        if self._shared is None:
            told = self._metrics.status()
        else:
            self._metrics.refresh()
            told = of_all(PREFIX, self._limits(), self._shared.collect(), self._processes)
        return {name: LimitStatus(**one) for name, one in told.items()}

    def diagnoses(self, wall: float) -> list[Diagnosis]:
        """What is wrong with it in this process, `wall` seconds after the epoch."""
        now = time.monotonic()
        since = {limit: wall - (now - began) for limit, began in self._refusals.since.items()}
        return diagnose_refusals(since, self._limits())

    @property
    def _processes(self) -> int:
        return 1 if self._shared is None else max(1, len(self._shared.pids()))

    def _now(self) -> tuple[Limits, Usage, int]:
        meters = self.meters
        usage = Usage(meters.calls, meters.connections, meters.kept_memory, meters.kept_disk)
        return self._limits(), usage, self._processes

    def _reached(self, limit: str) -> None:
        self._metrics.reached(limit)
        self._lines.limit_reached(limit, getattr(self._limits(), limit))

    def _publish(self) -> None:
        """What a worker has in use is seen by whoever is asked for the metrics of all."""
        self._show()
        refused = self.meters.refused
        self._refusals.look(time.monotonic(), self._calls() - refused["calls"], refused)
        self._publishing = asyncio.get_running_loop().call_later(_PUBLISHED, self._publish)
