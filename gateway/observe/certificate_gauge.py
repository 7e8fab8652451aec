"""When the certificate of the proxy port ends, at the moment of a scrape."""

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class CertificateGauge(Collector):
    """Seconds since the epoch, as `ends` gives them."""

    def __init__(self, prefix: str, ends: Callable[[], float]) -> None:
        self._prefix = prefix
        self._ends = ends

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(
            f"{self._prefix}_tls_certificate_expires_at_seconds",
            "When the proxy port's certificate expires.",
            value=self._ends(),
        )
