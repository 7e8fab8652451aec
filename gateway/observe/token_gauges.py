"""What is known of the tokens at the moment of a scrape."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.core.diagnosis import Chart


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
        healthy = not any(chart.store_problem for chart in charts.values())
        yield GaugeMetricFamily(f"{self._prefix}_store_up", "1: the store works.", value=healthy)


def _usable(chart: Chart, _: float) -> float:
    return chart.account.usable(chart.now) is not None


def _expires_at(chart: Chart, wall: float) -> float:
    token = chart.account.active
    return wall + token.expires_at - chart.now if token else 0.0


def _generation(chart: Chart, _: float) -> float:
    return chart.account.generation


def _holdoff(chart: Chart, _: float) -> float:
    held = chart.account.holdoff
    return max(0.0, held.until - chart.now) if held else 0.0


_GAUGES: tuple[tuple[str, str, Callable[[Chart, float], float]], ...] = (
    ("token_usable", "1: calls get a token.", _usable),
    ("token_expires_at_seconds", "When the active token expires, since the epoch.", _expires_at),
    ("token_generation", "The newest token's generation.", _generation),
    ("token_holdoff_seconds", "Seconds in which refusals cause no mint.", _holdoff),
)
