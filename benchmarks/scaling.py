"""How the cost of a call grows: with connections, bodies, header fields, refusals, accounts, access
rules and replicas.

    .venv/bin/python benchmarks/scaling.py [--only NAME ...] [--write docs]

Starts everything itself, on loopback, as overhead.py does. The numbers go to
build/bench/scaling.json, the table to standard output, with `--write` to performance.md and
images/scaling.svg in that folder, too.
"""

import argparse
import contextlib
import datetime as dt
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support import chart, page
from benchmarks.support.growth import DIMENSIONS, allow_descriptors
from benchmarks.support.machine import ROOT, described
from benchmarks.support.stage import stage

SAVED: Final = ROOT / "build" / "bench" / "scaling.json"
HEAD: Final = ("", "", "CPU a call, µs", "calls a second", "p50, ms", "p99, ms")


def tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def measure(name: str, seconds: float, rounds: int) -> list[list[float]]:
    """For each point: where it is, and the medians of what was measured there."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        stage(Path(folder)) as ready,
        contextlib.ExitStack() as stack,
    ):
        points = DIMENSIONS[name].grow(ready, stack)
        for _, load in points:
            load(1.0)
        found: list[list[Any]] = [[] for _ in points]
        for number in range(rounds):
            tell(f"{name}, round {number + 1} of {rounds}")
            for (_, load), into in zip(points, found, strict=True):
                into.append(load(seconds))
        return [
            [where, *(median(column) for column in zip(*measured, strict=True))]
            for (where, _), measured in zip(points, found, strict=True)
        ]


def shown(found: dict[str, Any]) -> str:
    """Where it was run, the table, and what could not be measured."""
    rows = [
        [
            DIMENSIONS[name].words if not number else "",
            f"{page.number(point[0])} {DIMENSIONS[name].unit}".strip(),
            page.number(point[1]),
            page.number(point[2]),
            *(page.number(one, 1e-3, 2) for one in point[3:]),
        ]
        for name, points in found["points"].items()
        for number, point in enumerate(points)
    ]
    where = f"{found['date']}, {found['machine']}; {found['rounds']} rounds, medians."
    return "\n\n".join(
        [
            f"{where} `{found['command']}`",
            page.table(HEAD, rows),
            *(f"Not measured: {problem}." for problem in found["problems"]),
        ]
    )


def run(names: list[str], seconds: float, rounds: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": described(),
        "command": f"python {' '.join(['benchmarks/scaling.py', *sys.argv[1:]])}",
        "rounds": rounds,
        "points": {},
        "problems": [],
    }
    for name in names:
        try:
            found["points"][name] = measure(name, seconds, rounds)
        except (OSError, RuntimeError) as problem:
            tell(f"{name} failed: {problem}")
            found["problems"].append(f"{name}: {problem}")
    return found


def publish(found: dict[str, Any], text: str, docs: Path) -> None:
    page.write(docs / "performance.md", "how it grows", text)
    panels = {
        f"µs a call over {DIMENSIONS[name].words}, {DIMENSIONS[name].unit}".rstrip(", "): [
            (point[0], point[1]) for point in points
        ]
        for name, points in found["points"].items()
    }
    chart.curves(panels, docs / "images" / "scaling.svg")


def main() -> int:
    parser = argparse.ArgumentParser(description="How the cost of a call grows.")
    parser.add_argument("--only", action="append", choices=list(DIMENSIONS), metavar="NAME")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="put it into the pages there")
    parser.add_argument("--saved", type=Path, help="show these numbers, and measure nothing")
    options = parser.parse_args()
    allow_descriptors()
    if options.saved:
        found = json.loads(options.saved.read_text())
    else:
        found = run(options.only or list(DIMENSIONS), options.seconds, options.rounds)
        SAVED.parent.mkdir(parents=True, exist_ok=True)
        SAVED.write_text(json.dumps(found, indent=1))
    text = shown(found)
    print(text)
    if options.write:
        publish(found, text, options.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
