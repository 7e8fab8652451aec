"""Zoom's rate limits and errors as metrics, by account."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from gateway.core.rate_use import RateUse
from gateway.core.ratelimit import Told
from gateway.reports import Throttling

SUCCESS: Final = "success"
FAILURE: Final = "failure"
"""Of answers: 4xx and 5xx are failures."""

LIMIT_LABELS: Final = ("account", "category", "type")


class RateMetrics:
    """`uses` and `told` give what is known; they are asked whenever `refresh` is called."""

    def __init__(self, prefix: str, registry: CollectorRegistry | None) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(
                f"{prefix}_ratelimit_{name}",
                text,
                LIMIT_LABELS,
                registry=registry,
                multiprocess_mode="livemostrecent",
            )

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{prefix}_{name}", text, labels, registry=registry)

        self._limited = counter("ratelimited", "429s by Zoom.", *LIMIT_LABELS)
        self._retries = counter(
            "ratelimit_retries",
            "How limited calls that were to be retried ended.",
            "account",
            "outcome",
        )
        self._answers = counter("zoom_answers", "Answers of Zoom.", "account", "result")
        self._limit = gauge("limit", "Limits, as Zoom told them last.")
        self._remaining = gauge("remaining", "What is left of limits, as Zoom told it last.")
        self._at = gauge("told_at_seconds", "When Zoom told of limits last, since the epoch.")
        self.uses: Callable[[], Iterable[tuple[str, RateUse]]] = tuple
        self.told: Callable[[], Iterable[tuple[str, Told, float]]] = tuple
        self._counted: dict[str, tuple[int, int]] = {}
        """By account: requests and errors that the counters have."""
        self._shown: dict[tuple[str, str, str], float] = {}
        """When what the gauges show was told."""

    def prepare(self, account: str) -> None:
        """Show what alerts watch from the start."""
        for result in (SUCCESS, FAILURE):
            self._answers.labels(account, result)

    def of_accounts(self) -> Iterator[Counter | Gauge]:
        """Those whose first label is the account: all."""
        yield from (self._limited, self._retries, self._answers)
        yield from (self._limit, self._remaining, self._at)

    def forget(self, accounts: Collection[str]) -> None:
        """What these had counted so far is settled."""
        self._counted = {one: had for one, had in self._counted.items() if one not in accounts}
        self._shown = {one: at for one, at in self._shown.items() if one[0] not in accounts}

    def ended(self, account: str, throttling: Throttling) -> None:
        """A call met a rate limit."""
        for found in throttling.seen:
            self._limited.labels(account, found.category, found.kind.value).inc()
        if throttling.outcome is not None:
            self._retries.labels(account, throttling.outcome.value).inc()

    def refresh(self) -> None:
        """Tell what is not told as it happens."""
        for account, use in self.uses():
            requests, errors = self._counted.get(account, (0, 0))
            if use.requests == requests:
                continue
            if use.requests < requests:
                # The account was away meanwhile, and counts anew.
                requests = errors = 0
            good, bad = use.requests - use.errors - (requests - errors), use.errors - errors
            self._answers.labels(account, SUCCESS).inc(good)
            self._answers.labels(account, FAILURE).inc(bad)
            self._counted[account] = use.requests, use.errors
        for account, found, at in self.told():
            labels = (account, str(found.category), found.kind.value)
            if abs(at - self._shown.get(labels, 0.0)) > _SAME:
                self._shown[labels] = at
                if found.limit is not None:
                    self._limit.labels(*labels).set(found.limit)
                if found.remaining is not None:
                    self._remaining.labels(*labels).set(found.remaining)
                self._at.labels(*labels).set(at)


_SAME: Final = 0.001
"""Seconds by which two readings of two clocks disagree about one moment."""
