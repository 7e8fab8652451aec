"""What pacing does to calls, for Prometheus."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

REASONS: Final = ("late", "full", "day")
"""Why a call got no turn."""


class PaceMetrics:
    """`category` is the lane: a category, or that of a product with limits of its own."""

    def __init__(self, prefix: str, registry: CollectorRegistry | None) -> None:
        labels = ("account", "category")
        self._waits = Histogram(
            f"{prefix}_pace_wait_seconds",
            "Waits of calls for their turn within Zoom's rate limits.",
            labels,
            registry=registry,
            buckets=_BUCKETS,
        )
        self._refused = Counter(
            f"{prefix}_pace_refused",
            "Calls whose turn did not come in time.",
            (*labels, "reason"),
            registry=registry,
        )
        self._used = Gauge(
            f"{prefix}_pace_used_ratio",
            "The share of a limit that the fleet uses.",
            labels,
            registry=registry,
            multiprocess_mode="livemax",
        )

    def waited(self, account: str, lane: str, seconds: float) -> None:
        self._waits.labels(account, lane).observe(seconds)

    def refused(self, account: str, lane: str, reason: str) -> None:
        self._refused.labels(account, lane, reason).inc()

    def used(self, account: str, lane: str, share: float) -> None:
        self._used.labels(account, lane).set(share)
