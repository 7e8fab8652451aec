"""What the soak saw: samples over time, a summary, and both as files."""

import csv
import json
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from tests.support.outside import slope

WARM_UP: Final = 0.25
"""The share of a run that is no measure of growth: caches and pools fill."""

VALLEY: Final = 0.1
"""The share of samples that lie in a valley."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`at` in seconds since the start, latencies in milliseconds, memory in MiB."""

    at: float
    calls_per_second: float
    p50: float
    p99: float
    rss: float
    descriptors: int
    files: int
    """Descriptors that are no sockets."""
    threads: int
    inflight: float


@dataclass
class Record:
    """A run. `wrong` holds a line for each call whose answer is not right."""

    samples: list[Sample] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    """Seconds, of calls that nothing but the gateway makes slow."""
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def warm(self) -> list[Sample]:
        last = self.samples[-1].at
        return [sample for sample in self.samples if sample.at >= last * WARM_UP]

    def growth(self, name: str) -> float:
        """How much a column grew after the warm-up, as the straight line through it has it."""
        warm = self.warm
        points = [(sample.at, float(getattr(sample, name))) for sample in warm]
        return slope(points) * (warm[-1].at - warm[0].at)

    def rise(self, name: str) -> float:
        """How much higher a column's valleys lie in the second half than in the first. What comes
        and goes in bursts has a straight line that means nothing.
        """
        warm = [float(getattr(sample, name)) for sample in self.warm]
        half = len(warm) // 2
        return quantile(warm[half:], VALLEY) - quantile(warm[:half], VALLEY)

    def write(self, directory: Path) -> None:
        """`samples.csv` and `summary.json`."""
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / "samples.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, [one.name for one in fields(Sample)])
            table.writeheader()
            table.writerows(
                {name: round(value, 3) for name, value in asdict(sample).items()}
                for sample in self.samples
            )
        text = json.dumps({**self.summary, "kinds": dict(sorted(self.kinds.items()))}, indent=2)
        (directory / "summary.json").write_text(text + "\n")


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
