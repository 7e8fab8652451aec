"""Metrics that are written on a thread of their own, without holding up the loop's.

A thread that only computes gives others their turn every 5 ms, and a call needs a dozen turns.
"""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.samples import Sample

SLICE = 50
"""Samples, some 10 µs each, that are written without a pause."""

PAUSE = 1e-4
"""Seconds."""


class Paced(CollectorRegistry):
    """What `registry` holds, for one who writes it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Metrics of this collection alone: nobody else has them."""
        for metric in self._registry.collect():
            metric.samples = _Samples(metric.samples)
            yield metric
            time.sleep(PAUSE)


class _Samples(list[Sample]):
    def __iter__(self) -> Iterator[Sample]:
        for number, sample in enumerate(super().__iter__(), 1):
            yield sample
            if number % SLICE == 0:
                time.sleep(PAUSE)
