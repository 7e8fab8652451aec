"""A token minted with the previous secret: the whole fleet says so, whoever minted it."""

import asyncio
from dataclasses import dataclass, replace

from gateway.core.token import Grant, SlotId
from tests.support.replicas import Replicas, replicas
from tests.support.virtual_time import virtual
from tests.support.zoom_in_memory import Zoom


@dataclass
class Rotating(Zoom):
    """A Zoom that takes only the previous client secret, until the current one is corrected."""

    corrected: bool = False

    async def mint(self, slot: SlotId) -> Grant:
        return replace(await super().mint(slot), previous_secret=not self.corrected)


def told(fleet: Replicas) -> list[bool]:
    charts = [replica.manager.chart() for replica in fleet.all]
    return [chart.previous_secret for chart in charts]


@virtual
async def test_all_replicas_tell_until_one_of_them_mints_with_the_current_one() -> None:
    zoom = Rotating(life=600.0)
    async with replicas(3, zoom) as fleet:
        await asyncio.sleep(5)
        assert len(zoom.mints) == 1
        assert told(fleet) == [True] * 3
        zoom.corrected = True
        await asyncio.sleep(600)
        assert len(zoom.mints) == 2
        assert told(fleet) == [False] * 3
