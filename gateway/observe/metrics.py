"""Metrics for Prometheus, of this process or of all workers. `docs/metrics.md` explains each.

Labels stay few: methods and routes come from fixed tables, accounts from the configuration.
No metric holds a path, a query, a token or a secret.
"""

import os
import platform
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from gateway.core.diagnosis import Chart
from gateway.core.events import ForeignMint, Minted, MintFailed, RefusalCause, Refused, TokenEvent
from gateway.core.presence import Sighting
from gateway.core.token import Cause, SlotId
from gateway.observe.certificate_gauge import CertificateGauge
from gateway.observe.fleet_gauges import FleetGauges
from gateway.observe.limit_metrics import LimitMetrics
from gateway.observe.pace_metrics import PaceMetrics
from gateway.observe.paced import Paced
from gateway.observe.rate_metrics import RateMetrics
from gateway.observe.shared import Processes, Shared
from gateway.observe.tally import BUCKETS, UNKNOWN, Tally
from gateway.observe.token_gauges import TokenGauges
from gateway.reports import CallReport, ReplayOutcome

PREFIX: Final = "zoom_gateway"

SUCCESS: Final = "success"
FAILURE: Final = "failure"
"""Of reading TLS files, as is the one before."""

PREVIOUS_SECRET: Final = "previous_secret"  # noqa: S105  a label, no secret
"""The results of mints that succeeded; the others are the values of `MintFailure`."""

DENIED: Final = ("host", "origin", "rule", "default", "key")
"""Why the access policy refuses calls."""


class _Families:
    """The metrics that are counted as things happen. Without a registry, others collect them."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str) -> Histogram:
            return Histogram(
                f"{PREFIX}_{name}", text, ("account",), registry=registry, buckets=BUCKETS
            )

        self.requests = counter(
            "requests", "Calls answered.", "account", "method", "route", "status"
        )
        self.duration = histogram("request_duration_seconds", "Calls, as their callers saw them.")
        self.upstream = histogram("upstream_duration_seconds", "Calls, without waits for tokens.")
        self.inflight = Gauge(
            f"{PREFIX}_inflight_requests",
            "Calls being served.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.replays = counter("replays", "How refused calls ended.", "account", "outcome")
        self.mints = counter(
            "token_mints", "Mints tried.", "account", "app", "index", "reason", "result"
        )
        self.refusals = counter("token_refusals", "Refusals by Zoom.", "account", "cause")
        self.denied = counter("access_denied", "Calls that the access policy refused.", "reason")
        self.lacking = counter("scope_refusals", "Calls without their scope.", "account")
        self.lent = counter("real_tokens", "Real tokens given to callers.", "account")
        self.foreign = counter("token_foreign_mints", "Tokens others killed.", "account")
        self.handshakes = counter("tls_handshake_failures", "TLS handshakes that failed.")
        self.reloads = counter("tls_reloads", "Readings of changed TLS files.", "result")
        for result in (SUCCESS, FAILURE):
            self.reloads.labels(result)

    def of_accounts(self) -> Iterator[Counter | Histogram]:
        """Those whose first label is the account."""
        yield from (self.requests, self.replays, self.mints, self.refusals, self.lacking)
        yield from (self.lent, self.foreign, self.duration, self.upstream)


class Metrics:
    """Implements `Observer`. All metrics live in a registry of their own.

    `accounts` are the configured names and slots: what alerts watch is there for each from the
    start.
    `charts` gives the newest chart of each account and is called at every scrape, as is `wall`
    (seconds since the epoch). With `shared`, what is counted is counted and shown together with
    the other workers.
    """

    def __init__(
        self,
        accounts: Mapping[str, Iterable[SlotId]],
        charts: Callable[[], Mapping[str, Chart]],
        wall: Callable[[], float],
        version: str,
        shared: Shared | None = None,
    ) -> None:
        # One more series for each counter and histogram, and no alert needs it.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs
        self.registry = CollectorRegistry(auto_describe=False)
        counted = None if shared else self.registry
        self._shared = shared
        self._prepared: dict[str, list[SlotId]] = {}
        self._tally = Tally(shared=shared is not None)
        self.registry.register(self._tally)
        self._families = families = _Families(counted)
        self._tally.feed(families.requests, families.duration, families.upstream, families.inflight)
        self.limits = LimitMetrics(PREFIX, counted)
        self.pace = PaceMetrics(PREFIX, counted)
        self.rates = RateMetrics(PREFIX, counted)
        self._refusals: dict[tuple[str, RefusalCause], Counter] = {}
        self.prepare(accounts)
        Info(f"{PREFIX}_build", "What runs here.", registry=self.registry).info(
            {"version": version, "python": platform.python_version()}
        )
        self._charts = charts
        self._scraped: Mapping[str, Chart] | None = None
        """Those of the scrape that is being written."""
        self.registry.register(TokenGauges(PREFIX, self._charts_now, wall))
        if shared:
            self.registry.register(shared)
            self.registry.register(Processes(os.getppid(), shared.pids))
        else:
            ProcessCollector(registry=self.registry)
            GCCollector(registry=self.registry)

    def prepare(self, accounts: Mapping[str, Iterable[SlotId]]) -> None:
        """A rate over a series that is born with its first event misses that event."""
        families = self._families
        if self._shared is not None:
            self._shared.accounts = {*accounts, UNKNOWN}
        for reason in DENIED:
            families.denied.labels(reason)
        for account, slots in accounts.items():
            slots = [*slots]  # noqa: PLW2901  it may be read once alone
            if self._prepared.get(account) == slots:
                continue  # of a thousand, a reload mostly changes one
            self._prepared[account] = slots
            families.foreign.labels(account)
            families.lacking.labels(account)
            families.lent.labels(account)
            for outcome in ReplayOutcome:
                families.replays.labels(account, outcome.value)
            for cause in RefusalCause:
                families.refusals.labels(account, cause.value)
            for slot in slots:
                for reason in Cause:
                    families.mints.labels(account, slot.app, str(slot.index), reason.value, SUCCESS)
            self._tally.prepare(account)
            self.rates.prepare(account)

    def forget(self, accounts: Collection[str]) -> None:
        """These are not configured any more, and no call of them is in hand: their series end."""
        if not accounts:
            return
        for name in accounts:
            self._prepared.pop(name, None)
        self._tally.forget(accounts)
        self.rates.forget(accounts)
        if self._shared is not None:
            return
        for family in (*self._families.of_accounts(), *self.rates.of_accounts()):
            # The public way looks through all series for each account.
            series: Iterable[Sequence[str]] = [*family._metrics]  # noqa: SLF001
            for labels in series:
                if labels[0] in accounts:
                    family.remove(*labels)

    def show_fleet(self, sighting: Callable[[], Sighting]) -> None:
        """Tell of the other replicas, too, as they were seen last. At most once."""
        self.registry.register(FleetGauges(PREFIX, self._charts_now, sighting))

    def show_certificate(self, ends: Callable[[], float]) -> None:
        """Tell when the proxy port's certificate ends. At most once."""
        self.registry.register(CertificateGauge(PREFIX, ends))

    def tls_handshake_failed(self) -> None:
        self._families.handshakes.inc()

    def tls_reloaded(self, *, success: bool) -> None:
        self._families.reloads.labels(SUCCESS if success else FAILURE).inc()

    # Observer.

    def call_began(self, account: str) -> None:
        del account
        self._tally.began()

    def call_ended(self, report: CallReport) -> None:
        account = self._tally.ended(report)
        if report.denied:
            self._families.denied.labels(report.denied).inc()
        if report.lent is not None:
            self._families.lent.labels(report.lent[0]).inc()
        if report.lacking is not None:
            self._families.lacking.labels(account).inc()
        if report.outcome is not None:
            self._families.replays.labels(account, report.outcome.value).inc()
        if report.throttling is not None:
            self.rates.ended(account, report.throttling)

    def token_event(self, account: str, event: TokenEvent) -> None:
        families = self._families
        match event:
            case Refused():
                self._count_refusal(account, event.cause)
            case Minted():
                self._count_mint(
                    account, event, PREVIOUS_SECRET if event.previous_secret else SUCCESS
                )
            case MintFailed():
                self._count_mint(account, event, event.failure.value)
            case ForeignMint():
                families.foreign.labels(account).inc()
            case _:
                pass

    def _count_refusal(self, account: str, cause: RefusalCause) -> None:
        """The counter is looked up once: a dead token brings hundreds."""
        counter = self._refusals.get((account, cause))
        if counter is None:
            counter = self._families.refusals.labels(account, cause.value)
            self._refusals[account, cause] = counter
        counter.inc()

    def _count_mint(self, account: str, event: Minted | MintFailed, result: str) -> None:
        slot = event.slot
        labels = (account, slot.app, str(slot.index), event.cause.value, result)
        self._families.mints.labels(*labels).inc()

    # Readers.

    def refresh(self) -> None:
        """Set what is not told as it happens."""
        self.limits.refresh()
        self.rates.refresh()

    def scrape(self, accept: str | None) -> Callable[[], tuple[bytes, str]]:
        """Give what writes the metrics: to be called once, on any thread, but on one at a time.

        It gives the body and its Content-Type: OpenMetrics if `accept` asks for it, else text.
        """
        # Only the loop's own thread may make them.
        charts = self._charts()
        self.refresh()
        self._tally.settle()
        encode, content_type = choose_encoder(accept or "")

        def write() -> tuple[bytes, str]:
            self._scraped = charts
            try:
                return encode(Paced(self.registry)), content_type
            finally:
                self._scraped = None

        return write

    def _charts_now(self) -> Mapping[str, Chart]:
        return self._charts() if self._scraped is None else self._scraped
