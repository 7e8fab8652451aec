"""Replicas whose wall clocks are minutes apart, beside a fleet whose clocks agree."""

import asyncio
from datetime import datetime
from pathlib import Path

from tests.fleet.world import world
from tests.support.fleet import Fleet
from tests.support.fleet_load import Result, callers
from tests.support.needed import unavailable

SKEWS = (0, 120, -120)
"""Seconds, by replica."""

LIFE = 6
"""Seconds of a token's life."""

RATE = 40.0
"""Calls a second."""

_PLACES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/local/lib")


def library() -> str:
    """Where libfaketime is. Skips the test without one, but for CI, where it must be."""
    places = (Path(place) / "faketime" / "libfaketimeMT.so.1" for place in _PLACES)
    found = next((place for place in places if place.exists()), None)
    if found is None:
        unavailable("libfaketime is not installed: make test-deps")
    return str(found)


def shifted(seconds: int) -> dict[str, str]:
    """Variables of a process whose wall clock is wrong; the monotonic ones are right."""
    if not seconds:
        return {}
    return {
        "LD_PRELOAD": library(),
        "FAKETIME": f"{seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


async def both(directory: Path, seconds: float) -> tuple[Result, Result]:
    """The fleet with wrong clocks, and the one with right ones, at the same time."""
    for name in ("skewed", "right"):
        (directory / name).mkdir()
    return await asyncio.gather(
        skewed(directory / "skewed", SKEWS, seconds),
        skewed(directory / "right", tuple(0 for _ in SKEWS), seconds),
    )


async def skewed(directory: Path, skews: tuple[int, ...], seconds: float) -> Result:
    """Tokens of a few seconds, which only their end kills: every refusal is a late use."""
    options = ("--mode", "multi", "--token-life", str(LIFE))
    extra = [shifted(skew) for skew in skews]
    async with world(directory, replicas=len(skews), sim=options, extra=extra) as one:
        await one.fleet.ready()
        async with callers(one.fleet, RATE) as calls:
            await asyncio.sleep(seconds)
        lives = [(await one.fleet.active(n))["expires_in"] for n in one.fleet.up]
        worst = f"clocks {max(skews) - min(skews)} s apart" if any(skews) else "clocks right"
        result = await one.result(f"{worst}, tokens of {LIFE} s", calls)
        result.seen["seconds that the token is good for, by replica"] = lives
        result.seen["clocks"] = _clocks(one.fleet)
    return result


def _clocks(fleet: Fleet) -> list[float]:
    """Seconds since the epoch at which each replica says that it started."""
    lines = [gate.logged("started")[0]["timestamp"] for gate in fleet.gates]
    return [datetime.fromisoformat(line).timestamp() for line in lines]
