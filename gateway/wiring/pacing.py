"""Pacing by the settings: the store of the schedule, and a pacer for each account that has one."""

from collections.abc import Callable, Iterator
from typing import Any

from gateway.clock import SystemClock
from gateway.core.errors import StoreError
from gateway.core.plans import Plan
from gateway.core.presence import Sighting
from gateway.observe.pace_metrics import PaceMetrics
from gateway.ports import Clock, RateStore
from gateway.settings import Settings
from gateway.settings.changes import same_store
from gateway.settings.pace import plan_of
from gateway.stores.file_rates import FileRates
from gateway.stores.rates import MemoryRates
from gateway.web.pacing import PaceHooks, PaceParts, Pacer
from gateway.wiring.lines import Lines
from gateway.wiring.store import redis_options

_Terms = tuple[Plan, float]
"""The plan of an account, and how long its calls wait."""


class Pacing:
    """What `former` had for the same settings goes on as it is."""

    def __init__(
        self,
        settings: Settings,
        replica: str,
        clock: Clock,
        hooks: PaceHooks,
        former: "Pacing | None" = None,
    ) -> None:
        self.settings = settings
        self.terms = dict(_terms(settings))
        self._sighting: Callable[[], Sighting] = Sighting
        self.store: RateStore | None = None
        kept = former if former and same_store(former.settings, settings) else None
        if self.terms:
            self.store = (kept.store if kept else None) or _store(settings)
        self.pacers: dict[str, Pacer] = {}
        for name, (plan, wait) in self.terms.items():
            if kept and kept.terms.get(name) == (plan, wait):
                self.pacers[name] = kept.pacers[name]
            elif self.store is not None:
                parts = PaceParts(
                    name,
                    replica,
                    plan,
                    wait,
                    self.store,
                    clock,
                    lambda: _place(replica, self._sighting()),
                    hooks,
                )
                self.pacers[name] = Pacer(parts)

    def sees(self, sighting: Callable[[], Sighting]) -> None:
        """Know from now on which replicas there are."""
        self._sighting = sighting

    def of(self, account: str) -> dict[str, Any]:
        """Give an account's part of `/status.json`, JSON-ready; nothing if it is not paced."""
        pacer = self.pacers.get(account)
        return {} if pacer is None else {"pacing": pacer.status()}


def pace_hooks(
    metrics: PaceMetrics, lines: Lines, failed: Callable[[StoreError], None]
) -> PaceHooks:
    return PaceHooks(metrics.waited, metrics.refused, metrics.used, failed, lines.defect)


def _place(replica: str, sighting: Sighting) -> tuple[int, int]:
    """Its place among all that are known, from 0, and how many those are."""
    names = sorted({replica, *(one.name for one in sighting.replicas)})
    return names.index(replica), len(names)


def _terms(settings: Settings) -> Iterator[tuple[str, _Terms]]:
    usual = settings.ratelimit
    for name, account in settings.accounts.items():
        own = account.ratelimit
        plan = plan_of(usual.pace if own.pace is None else own.pace)
        if plan is not None:
            yield name, (plan, own.pace_wait or usual.pace_wait)


def _store(settings: Settings) -> RateStore:
    options = redis_options(settings.store)
    if options is not None:
        # Only who uses Redis loads its client.
        from gateway.stores.redis import RedisStore  # noqa: PLC0415
        from gateway.stores.redis_rates import RedisRates  # noqa: PLC0415

        return RedisRates(RedisStore(options))
    directory = settings.store.directory
    return MemoryRates(SystemClock()) if directory is None else FileRates(directory)
