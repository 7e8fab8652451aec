"""What this replica sees of the others, at the moment of a scrape."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.core.diagnosis import Chart
from gateway.core.presence import Sighting


class FleetGauges(Collector):
    """Compares this replica's tokens with those that the others of its store said they use.

    Only replicas of one store are compared, whatever else is scraped beside them.
    """

    def __init__(
        self,
        prefix: str,
        charts: Callable[[], Mapping[str, Chart]],
        sighting: Callable[[], Sighting],
    ) -> None:
        self._prefix = prefix
        self._charts = charts
        self._sighting = sighting

    def collect(self) -> Iterator[GaugeMetricFamily]:
        charts, sighting = self._charts(), self._sighting()
        yield GaugeMetricFamily(
            f"{self._prefix}_store_replicas",
            "Replicas that the store knew last.",
            value=len(sighting.replicas),
        )
        family = GaugeMetricFamily(
            f"{self._prefix}_token_lag",
            "Generations behind the other replicas.",
            labels=("account",),
        )
        for account, chart in charts.items():
            family.add_metric((account,), _lag(account, chart, sighting))
        yield family


def _lag(account: str, chart: Chart, sighting: Sighting) -> float:
    token = chart.account.usable(chart.now)
    if token is None:
        return 0.0  # that is told by another gauge
    seen = (one.generations.get(account, 0) for one in sighting.replicas)
    return max(0, max(seen, default=0) - token.generation)
