"""A profile of the gateway, sorted by the part of a call that code belongs to."""

import pstats
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.support.machine import ROOT

Function = tuple[str, int, str]
"""File, line, name; the file of what is written in C is `~`."""

PARTS: Final = {
    "the call is received": ("web/receiver", "web/heads", "web/trailers", "web/request", "aiohttp"),
    "it is admitted: target, fields, rules": (
        *("web/admit", "web/access", "web/accounts", "web/sources"),
        *("core/headers", "core/fates", "core/target", "core/hosts", "core/policy", "core/"),
    ),
    "the connection, its limits and writes": ("web/connection", "outbox", "web/"),
    "the call is carried": ("web/proxy", "web/visit", "ports"),
    "the token": ("tokens/",),
    "the call to Zoom": ("zoom/",),
    "the answer": ("web/received", "web/answer", "core/verdict"),
    "log line and counting": ("observe/",),
}
"""Which modules are which part: the longest name that fits counts."""

REST: Final = "Python's library and the rest"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one call to the gateway: function calls, and seconds of their own."""

    calls: float
    seconds: float


def part_of(file: str) -> str:
    """The part of a call that a file's code belongs to."""
    path = Path(file)
    if "site-packages" in path.parts:
        name = path.parts[path.parts.index("site-packages") + 1]
    elif path.is_relative_to(ROOT / "gateway"):
        name = str(path.relative_to(ROOT / "gateway"))
    else:
        return REST
    fits = [
        (len(start), part)
        for part, starts in PARTS.items()
        for start in starts
        if name.startswith(start)
    ]
    return max(fits, default=(0, REST))[1]


def profile(file: Path, served: int) -> tuple[dict[str, Cost], list[tuple[str, Cost]]]:
    """The parts, and the functions, each dearest first, for one of the calls that were `served`.

    What is written in C counts where it was called from.
    """
    functions: dict[str, list[float]] = defaultdict(lambda: [0, 0])
    parts: dict[str, list[float]] = defaultdict(lambda: [0, 0])
    for place, calls, seconds in own(pstats.Stats(str(file))):
        for sums, name in ((functions, _shown(place)), (parts, part_of(place[0]))):
            sums[name][0] += calls / served
            sums[name][1] += seconds / served
    return dict(_dearest(parts)), _dearest(functions)


def own(stats: Any) -> Iterator[tuple[Function, int, float]]:
    """Each function in Python with how often it ran, and its own time; C's goes to its callers."""
    for place, (_, calls, seconds, _, callers) in stats.stats.items():
        if place[0] != "~" or not callers:
            yield place, calls, seconds
            continue
        for caller, (_, times, spent, _) in callers.items():
            yield caller, times, spent


def _shown(place: Function) -> str:
    file, _, name = place
    if file == "~":
        return name
    path = Path(file)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(*path.parts[-2:])
    return f"{shown}: {name}"


def _dearest(sums: dict[str, list[float]]) -> list[tuple[str, Cost]]:
    costs = [(name, Cost(*both)) for name, both in sums.items()]
    return sorted(costs, key=lambda one: -one[1].seconds)
