"""What is known of the tokens at the moment of a scrape."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.core.diagnosis import Chart
from gateway.core.errors import NEEDS_OPERATOR
from gateway.core.slots import Phase, Slot

OVERDUE: Final = 60.0
"""Seconds after its next mint was due in which a slot that failed still counts as failing. Later
than that nobody tries it any more, because a mint in another slot succeeded."""

_SLOT: Final = ("account", "app", "index")


class TokenGauges(Collector):
    """Reads the charts at every scrape, so that no gauge grows old between two events."""

    def __init__(
        self,
        prefix: str,
        charts: Callable[[], Mapping[str, Chart]],
        wall: Callable[[], float],
    ) -> None:
        self._prefix = prefix
        self._charts = charts
        self._wall = wall

    def collect(self) -> Iterator[GaugeMetricFamily]:
        charts, wall = self._charts(), self._wall()
        for name, text, read in _GAUGES:
            family = GaugeMetricFamily(f"{self._prefix}_{name}", text, labels=("account",))
            for account, chart in charts.items():
                family.add_metric((account,), read(chart, wall))
            yield family
        for name, text, read_slot in _SLOT_GAUGES:
            family = GaugeMetricFamily(f"{self._prefix}_{name}", text, labels=_SLOT)
            for account, chart in charts.items():
                for slot in chart.account.slots:
                    family.add_metric(_labels(account, slot), read_slot(slot, chart, wall))
            yield family
        yield self._phases(charts)
        healthy = not any(chart.store_problem for chart in charts.values())
        yield GaugeMetricFamily(f"{self._prefix}_store_up", "1: the store works.", value=healthy)

    def _phases(self, charts: Mapping[str, Chart]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            f"{self._prefix}_slot_phase", "1: the slot is in this phase.", labels=(*_SLOT, "phase")
        )
        for account, chart in charts.items():
            for slot in chart.account.slots:
                for phase in Phase:
                    labels = (*_labels(account, slot), phase.name.lower())
                    family.add_metric(labels, slot.phase is phase)
        return family


def _labels(account: str, slot: Slot) -> tuple[str, str, str]:
    return account, slot.id.app, str(slot.id.index)


def _usable(chart: Chart, _: float) -> float:
    return chart.account.usable(chart.now) is not None


def _expires_at(chart: Chart, wall: float) -> float:
    token = chart.account.active
    return wall + token.expires_at - chart.now if token else 0.0


def _rotates_at(chart: Chart, wall: float) -> float:
    at = chart.account.rotate_at
    return 0.0 if at is None or chart.account.active is None else wall + at - chart.now


def _generation(chart: Chart, _: float) -> float:
    return chart.account.generation


def _holdoff(chart: Chart, _: float) -> float:
    held = chart.account.holdoff
    return max(0.0, held.until - chart.now) if held else 0.0


def _fresh_refused(chart: Chart, _: float) -> float:
    return chart.account.holdoff is not None


def _credentials_refused(chart: Chart, _: float) -> float:
    failed = chart.mint_failed
    return failed is not None and failed[1].failure in NEEDS_OPERATOR


def _previous_secret(chart: Chart, _: float) -> float:
    return chart.previous_secret


def _mint_budget(chart: Chart, _: float) -> float:
    return chart.account.budget.filled(chart.now).level


_GAUGES: tuple[tuple[str, str, Callable[[Chart, float], float]], ...] = (
    ("token_usable", "1: calls get a token.", _usable),
    ("token_expires_at_seconds", "When the active token expires, since the epoch.", _expires_at),
    ("token_rotates_at_seconds", "When its rotation is due, since the epoch.", _rotates_at),
    ("token_generation", "The newest token's generation.", _generation),
    ("token_holdoff_seconds", "Seconds in which refusals cause no mint.", _holdoff),
    ("token_fresh_refused", "1: Zoom refuses tokens that it has just issued.", _fresh_refused),
    ("token_credentials_refused", "1: Zoom refuses the credentials.", _credentials_refused),
    ("token_previous_secret", "1: Zoom takes only the previous secret.", _previous_secret),
    ("token_mint_budget", "Mints that refusals may cause at once.", _mint_budget),
)


def _slot_expires_at(slot: Slot, chart: Chart, wall: float) -> float:
    return wall + slot.token.expires_at - chart.now if slot.token else 0.0


def _slot_failures(slot: Slot, chart: Chart, _: float) -> float:
    failing = not slot.barred and chart.now < slot.retry_at + OVERDUE
    return slot.failures if failing else 0.0


def _slot_out(slot: Slot, _: Chart, __: float) -> float:
    return bool(slot.barred)


_SLOT_GAUGES: tuple[tuple[str, str, Callable[[Slot, Chart, float], float]], ...] = (
    ("slot_expires_at_seconds", "When its token expires, since the epoch.", _slot_expires_at),
    ("slot_mint_failures", "Mints that failed in a row.", _slot_failures),
    ("slot_out", "1: Zoom does not grant it.", _slot_out),
)
