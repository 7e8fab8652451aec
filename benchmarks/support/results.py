"""What was measured, as numbers, and what it comes to beside the goals."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

GATEWAY: Final = "zoom-gateway"
DIRECT: Final = "no proxy"

Samples = dict[str, list[float]]
"""Numbers of all rounds, by what they are."""


@dataclass(slots=True)
class Results:
    """All rounds of a run. `proxies`: by proxy; `others`: by measurement. CPU and latencies are in
    microseconds, memory in MiB.
    """

    date: str = ""
    machine: str = ""
    command: str = ""
    rounds: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    proxies: dict[str, Samples] = field(default_factory=dict)
    others: Samples = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """What could not be measured, and why."""

    def add(self, proxy: str, **numbers: float) -> None:
        samples = self.proxies.setdefault(proxy, {})
        for name, number in numbers.items():
            samples.setdefault(name, []).append(number)

    def note(self, **numbers: float) -> None:
        for name, number in numbers.items():
            self.others.setdefault(name, []).append(number)

    def samples(self, proxy: str, name: str) -> list[float]:
        """Of all rounds; empty: it was not measured."""
        return self.proxies.get(proxy, {}).get(name, [])

    def of(self, proxy: str, name: str) -> float | None:
        """The median; None: it was not measured."""
        return _median(self.samples(proxy, name))

    def other(self, name: str) -> float | None:
        return _median(self.others.get(name, ()))

    def added(self, proxy: str, name: str) -> float | None:
        """The median over the rounds of what a proxy adds to the latency of a direct call."""
        pairs = zip(self.samples(proxy, name), self.samples(DIRECT, name), strict=False)
        return _median([own - direct for own, direct in pairs])

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, path: Path) -> "Results":
        return cls(**json.loads(path.read_text()))


def _median(numbers: Iterable[float]) -> float | None:
    found = list(numbers)
    return median(found) if found else None


def ratio(one: Iterable[float], other: Iterable[float]) -> float | None:
    """The median over the rounds of one over the other; None: there was no such round."""
    return _median([mine / its for mine, its in zip(one, other, strict=False) if its])


class Goal(NamedTuple):
    """`figure` is at most, or at least, `goal`; `unit` stands behind both."""

    words: str
    goal: float
    figure: Callable[[Results], float | None]
    unit: str = ""
    at_least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.goal if self.at_least else value <= self.goal


def _against(peer: str) -> Callable[[Results], float | None]:
    return lambda found: ratio(found.samples(GATEWAY, "cpu"), found.samples(peer, "cpu"))


def _added(name: str) -> Callable[[Results], float | None]:
    def figure(found: Results) -> float | None:
        """Of the medians: in a single round a difference may be nothing, or less."""
        own, its = found.added(GATEWAY, name), found.added("Envoy", name)
        return None if own is None or its is None or its <= 0 else own / its

    return figure


def _quotient(one: str, other: str) -> Callable[[Results], float | None]:
    return lambda found: ratio(found.others.get(one, ()), found.others.get(other, ()))


def _features(found: Results) -> float | None:
    pairs = zip(
        found.others.get("features on", ()), found.others.get("features off", ()), strict=False
    )
    cost, whole = _median([on - off for on, off in pairs]), found.of("plain aiohttp", "cpu")
    return None if cost is None or not whole else cost / whole


def _number(name: str) -> Callable[[Results], float | None]:
    return lambda found: found.other(name)


GOALS: Final = (
    Goal("CPU per call against Envoy", 1.0, _against("Envoy")),
    Goal("CPU per call against the plain aiohttp proxy", 0.33, _against("plain aiohttp")),
    Goal("CPU per call against Node `http-proxy`", 0.5, _against("Node http-proxy")),
    Goal("CPU per call against Express + axios", 0.1, _against("Express + axios")),
    Goal("CPU per call against nginx", 5.0, _against("nginx")),
    Goal("latency added to one connection's calls, p50, against Envoy's", 1.2, _added("one p50")),
    Goal("latency added to one connection's calls, p99, against Envoy's", 1.2, _added("one p99")),
    Goal(
        "CPU per call with `--workers 2` against one worker",
        1.15,
        _quotient("two workers cpu", "one worker cpu"),
    ),
    Goal("memory when idle, beyond the four libraries", 15.0, _number("idle memory"), " MiB"),
    Goal("memory for 1,000 idle connections", 20.0, _number("connections memory"), " MiB"),
    Goal("growth while 1 GiB is uploaded", 8.0, _number("upload growth"), " MiB"),
    Goal("growth while 1 GiB is downloaded", 8.0, _number("download growth"), " MiB"),
    Goal(
        "start to the first call served, against the import of the four libraries",
        1.6,
        _quotient("start", "import"),
    ),
    Goal(
        "CPU per call of metrics, logs, access rules and the kept body, against the whole of the"
        " plain aiohttp proxy",
        0.10,
        _features,
    ),
    Goal(
        "calls a second while 10 % of the answers are refusals, against none",
        0.85,
        _quotient("refused calls", "unrefused calls"),
        at_least=True,
    ),
    Goal(
        "the same with 256 connections, where a kill hits more calls",
        0.85,
        _quotient("many refused calls", "many unrefused calls"),
        at_least=True,
    ),
)


def spread(samples: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    """The least and the most."""
    numbers = samples.get(name)
    return (min(numbers), max(numbers)) if numbers else None
