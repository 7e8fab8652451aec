"""What a call through the gateway costs, beside other proxies, and what its features cost.

    .venv/bin/python benchmarks/overhead.py [--full] [--write docs] [--only NAME ...]

Starts everything itself, on loopback: nginx as the API, the simulator as the token endpoint, the
gateway as an operator runs it, and its peers; what is missing is said and left out. The numbers go
to build/bench/overhead.json, the tables to standard output, with `--write` to performance.md and
images/overhead.svg in that folder, too.
"""

import argparse
import datetime as dt
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support import chart, page
from benchmarks.support.features import features, workers
from benchmarks.support.machine import ROOT, described
from benchmarks.support.memory import memory
from benchmarks.support.peers import PEERS
from benchmarks.support.refusals import replays
from benchmarks.support.results import GATEWAY, Results
from benchmarks.support.rounds import compare
from benchmarks.support.stage import Stage, stage
from benchmarks.support.starting import starting
from gateway import __version__

SAVED: Final = ROOT / "build" / "bench" / "overhead.json"
SHORT: Final = (2.0, 5)
"""Seconds of a load, and rounds: five minutes in all."""
FULL: Final = (8.0, 9)

Measurement = Callable[[Results, Stage, float, int, Callable[[str], None]], None]

MEASUREMENTS: Final[dict[str, Measurement]] = {
    "peers": compare,
    "workers": workers,
    "features": features,
    "refusals": replays,
    "memory": memory,
    "starting": starting,
}


BEGUN: Final = time.monotonic()


def tell(words: str) -> None:
    print(f"{time.monotonic() - BEGUN:5.0f} s  {words}", file=sys.stderr, flush=True)


def measure(names: list[str], seconds: float, rounds: int) -> Results:
    found = Results(
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        machine=described(),
        command=f"python {' '.join(['benchmarks/overhead.py', *sys.argv[1:]])}",
        rounds=rounds,
        versions={GATEWAY: __version__},
    )
    for name in names:
        tell(f"{name} ...")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, stage(Path(folder)) as ready:
            try:
                MEASUREMENTS[name](found, ready, seconds, rounds, tell)
            except (OSError, RuntimeError) as problem:
                tell(f"{name} failed: {problem}")
                found.problems.append(f"{name}: {problem}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="What a call costs, beside other proxies.")
    parser.add_argument("--full", action="store_true", help="longer loads, and more rounds")
    parser.add_argument("--only", action="append", choices=list(MEASUREMENTS), metavar="NAME")
    parser.add_argument("--seconds", type=float, help="of each load")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="put it into the pages there")
    parser.add_argument("--saved", type=Path, help="show these numbers, and measure nothing")
    options = parser.parse_args()
    usual = FULL if options.full else SHORT
    if options.saved:
        found = Results.load(options.saved)
    else:
        seconds, rounds = options.seconds or usual[0], options.rounds or usual[1]
        found = measure(options.only or list(MEASUREMENTS), seconds, rounds)
        found.save(SAVED)
    text = page.overhead(found, [peer.name for peer in PEERS])
    print(text)
    if options.write:
        publish(found, text, options.write)
    return 0


def publish(found: Results, text: str, docs: Path) -> None:
    page.write(docs / "performance.md", "what a call costs", text)
    chart.overhead(found, [peer.name for peer in PEERS], docs / "images" / "overhead.svg")


if __name__ == "__main__":
    sys.exit(main())
