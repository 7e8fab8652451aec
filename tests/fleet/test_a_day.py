"""A whole day of fleets of all sizes: mints do not grow with the fleet."""

import asyncio
import functools
import itertools

import pytest

from gateway.core.events import ForeignMint, LostMint
from gateway.core.token import SlotId
from gateway.tokens import minting
from tests.support.account import A0, A1, B0, Fleet
from tests.support.replicas import replicas
from tests.support.virtual_time import VirtualLoop
from tests.support.zoom_in_memory import Zoom

DAY = 86400.0

PAUSE = 311.0
"""Seconds between two calls at a replica: enough for every token to be accepted."""

SLOTS = {"one slot": (A0,), "two indexes": (A0, A1), "two apps": (A0, B0)}


async def calls(replica: Fleet, first: float) -> set[tuple[str, int]]:
    """What the callers of one replica see in a day: how a call ended, after how many sendings."""
    seen = set()
    await asyncio.sleep(first)
    for _ in range(int(DAY / PAUSE)):
        outcome = await replica.call()
        seen.add((outcome.seen, outcome.sendings))
        await asyncio.sleep(PAUSE)
    return seen


async def a_day(mode: str, slots: tuple[SlotId, ...], count: int) -> int:
    """The mints of a fleet of that size."""
    zoom = Zoom(mode=mode)
    async with replicas(count, zoom, slots) as fleet:
        found = await asyncio.gather(
            *(calls(one, PAUSE * number / count) for number, one in enumerate(fleet.all))
        )
        # With one slot a mint may meet a call in flight, which is sent again.
        sendings = {1, 2} if slots == (A0,) and mode == "single" else {1}
        for seen, sent in itertools.chain.from_iterable(found):
            assert seen == "accepted"
            assert sent in sendings
        assert not fleet.told(ForeignMint)
        assert not fleet.told(LostMint)
    return len(zoom.mints)


@functools.cache
def mints(mode: str, slots: str, count: int) -> int:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(a_day(mode, SLOTS[slots], count))


@pytest.mark.parametrize("count", [2, 4, 8, 16, 32, 64])
@pytest.mark.parametrize("slots", SLOTS)
@pytest.mark.parametrize("mode", ["single", "max:2", "multi"])
def test_a_fleet_mints_as_often_as_one_replica(
    mode: str, slots: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Virtual time does not jump as a laptop's does that slept: no need to look again and again.
    monkeypatch.setattr(minting, "NAP", DAY)
    assert abs(mints(mode, slots, count) - mints(mode, slots, 1)) <= 1
