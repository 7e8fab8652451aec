"""A fleet of real processes under real faults: what its callers saw, as one Markdown table.

    .venv/bin/python benchmarks/fleet.py [--only NAME ...] [--seconds 60]

The scenarios are those of tests/fleet, at full length; each starts a Redis, a simulated Zoom and
the gateways as processes of its own, on loopback. The table goes to standard output, and how far
it is, with what each time to recover measures, to standard error.

Calls lost are those answered with 401 or 5xx, or not at all. Those that broke off because the very
replica that served them was killed, or was paused for longer than a client waits, stand apart.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fleet.scenarios import SCENARIOS
from tests.support.fleet_load import Result

SECONDS = 60.0
"""How long the load lasts, or the fault, where a scenario has no end of its own."""

OVERHEAD = 240.0
"""Seconds that a scenario may take beyond that."""

HEAD = (
    "scenario",
    "replicas",
    "calls",
    "calls lost",
    "acted twice",
    "mints",
    "longest wait (s)",
    "recovery p50 (s)",
    "recovery p99 (s)",
)


def row(result: Result) -> str:
    lost = str(len(result.lost()))
    if result.blows:
        lost += f" (+{result.lost_with_their_replica()} with their replica)"
    times = [f"{result.quantile(share):.3f}" if result.recoveries else "-" for share in (0.5, 0.99)]
    cells = (
        *(result.scenario, result.replicas, len(result.calls), lost, len(result.acted_twice)),
        *(result.mints, f"{result.longest:.3f}", *times),
    )
    return _line(cells)


def _line(cells: tuple[object, ...]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


async def measure(name: str, seconds: float) -> list[Result]:
    with tempfile.TemporaryDirectory() as directory:
        async with asyncio.timeout(seconds + OVERHEAD):
            return await SCENARIOS[name](Path(directory), seconds)


async def run(names: list[str], seconds: float) -> bool:
    """Whether every scenario came to its end."""
    print(_line(HEAD))
    print(_line(("---",) + ("---:",) * (len(HEAD) - 1)))
    whole = True
    for name in names:
        print(f"{name} ...", file=sys.stderr)
        try:
            results = await measure(name, seconds)
        except (Exception, pytest.skip.Exception, pytest.fail.Exception) as problem:  # noqa: BLE001  the others are still worth knowing
            print(f"{name} failed: {problem or type(problem).__name__}", file=sys.stderr)
            whole = False
            continue
        for result in results:
            print(row(result), flush=True)
            if result.measured:
                print(f"  recovery: {result.measured}", file=sys.stderr)
            if result.lost():
                print(result.story(), file=sys.stderr)
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description="A fleet of real processes under real faults.")
    parser.add_argument("--only", action="append", choices=list(SCENARIOS), metavar="NAME")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    names = options.only or list(SCENARIOS)
    sys.exit(0 if asyncio.run(run(names, options.seconds)) else 1)


if __name__ == "__main__":
    main()
