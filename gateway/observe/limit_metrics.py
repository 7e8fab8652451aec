"""The limits in force, how much of them is used, and how often each was reached."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric

from gateway.core.limits import Limits

NAMES: Final = tuple(one.name for one in fields(Limits))
"""Of the limits: their keys."""

_USED: Final = ("calls", "connections", "kept_memory", "kept_disk")
"""Limits of what there is at once; of several processes there is as much more."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has in use, in calls, connections and bytes."""

    calls: int = 0
    connections: int = 0
    kept_memory: int = 0
    kept_disk: int = 0


class LimitMetrics:
    """`now` gives what is in force and in use here, and how many processes have as much.

    It is asked whenever `refresh` is called.
    """

    def __init__(self, prefix: str, registry: CollectorRegistry | None) -> None:
        self._hits = Counter(
            f"{prefix}_limit_hits", "Limits reached.", ("limit",), registry=registry
        )
        self._limit = Gauge(
            f"{prefix}_limit",
            "Limits in force, of all processes.",
            ("limit",),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._connections = Gauge(
            f"{prefix}_open_connections",
            "Connections of callers.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._kept = Gauge(
            f"{prefix}_kept_bytes",
            "Bytes of bodies that are kept for being sent again.",
            ("place",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        # A rate over a series that is born with its first event misses that event.
        self._reached = {name: self._hits.labels(name).inc for name in NAMES}
        self._counts = dict.fromkeys(NAMES, 0)
        self.now: Callable[[], tuple[Limits, Usage, int]] = lambda: (Limits(), Usage(), 1)
        self.refresh()

    def reached(self, limit: str) -> None:
        self._reached[limit]()
        self._counts[limit] += 1

    def refresh(self) -> None:
        """Set the gauges: what they tell is not told as it happens."""
        limits, usage, processes = self.now()
        for name, value in asdict(limits).items():
            self._limit.labels(name).set(value * processes if name in _USED else value)
        self._connections.set(usage.connections)
        self._kept.labels("memory").set(usage.kept_memory)
        self._kept.labels("disk").set(usage.kept_disk)

    def status(self) -> dict[str, dict[str, Any]]:
        """For the status page: by limit its value, what is in use (None: nothing is) and hits."""
        limits, usage, _ = self.now()
        return told(limits, asdict(usage), self._counts)


def told(
    limits: Limits, used: Mapping[str, int], hits: Mapping[str, int], processes: int = 1
) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "limit": value * processes if name in _USED else value,
            "now": used.get(name),
            "hits": hits.get(name, 0),
        }
        for name, value in asdict(limits).items()
    }


def of_all(
    prefix: str, limits: Limits, families: Iterable[Metric], processes: int
) -> dict[str, dict[str, Any]]:
    """As `LimitMetrics.status`, of several processes together, from what they count together."""
    used = dict.fromkeys(_USED, 0)
    hits: dict[str, int] = {}
    single = {f"{prefix}_inflight_requests": "calls", f"{prefix}_open_connections": "connections"}
    for family in families:
        for sample in family.samples:
            if sample.name in single:
                used[single[sample.name]] += int(sample.value)
            elif sample.name == f"{prefix}_kept_bytes":
                used[f"kept_{sample.labels['place']}"] += int(sample.value)
            elif sample.name == f"{prefix}_limit_hits_total":
                hits[sample.labels["limit"]] = int(sample.value)
    return told(limits, used, hits, max(1, processes))
