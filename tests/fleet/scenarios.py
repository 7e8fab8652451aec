"""Every scenario by its name, for whoever wants them all: `benchmarks/fleet.py`."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from tests.fleet import deaths, outages
from tests.fleet.duel import duel
from tests.fleet.skew import both
from tests.fleet.storm import storm
from tests.support.fleet_load import Result

ROUNDS = 5
"""Deaths in each scenario of deaths."""

Scenario = Callable[[Path, float], Awaitable[list[Result]]]
"""Takes a directory of its own and how many seconds the load or the fault lasts."""


def _one(run: Callable[[Path, float], Awaitable[Result]]) -> Scenario:
    async def listed(directory: Path, seconds: float) -> list[Result]:
        return [await run(directory, seconds)]

    return listed


def _timeless(run: Callable[[Path], Awaitable[Result]]) -> Scenario:
    async def listed(directory: Path, seconds: float) -> list[Result]:
        del seconds
        return [await run(directory)]

    return listed


async def _skewed(directory: Path, seconds: float) -> list[Result]:
    return list(await both(directory, seconds))


def _words(step: str) -> str:
    return step.replace(" ", "-")


SCENARIOS: dict[str, Scenario] = {
    "storm": _one(storm),
    **{
        f"killed-{_words(step)}-{run.__name__.replace('_', '-')}": _timeless(
            partial(run, step=step, rounds=ROUNDS)
        )
        for run in (deaths.one_slot, deaths.two_slots)
        for step in deaths.STEPS
    },
    **{
        f"paused-{_words(step)}": _timeless(partial(deaths.paused, step=step))
        for step in deaths.STEPS[2:]
    },
    "killed-carried-out-late": _timeless(deaths.late),
    "emptied": _timeless(outages.emptied),
    "restarted": _timeless(outages.restarted),
    "away": _one(outages.killed),
    "partitioned": _one(outages.partitioned),
    "alone": _timeless(outages.alone),
    "slow": _one(outages.slow),
    "full": _one(outages.full),
    "failed-over": _timeless(outages.failed_over),
    "skewed": _skewed,
    "duel": duel,
}
