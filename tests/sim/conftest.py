import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from gateway.sim import SimClient, SimConfig, Simulator


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(SimConfig()) as simulator:
        yield simulator


@pytest.fixture
async def zoom(sim: Simulator) -> AsyncIterator[SimClient]:
    async with SimClient(sim.url) as client:
        yield client


@pytest.fixture
def eventually(sim: Simulator) -> Callable[[str], Awaitable[None]]:
    """Wait until a counter of the simulator is not 0."""

    async def wait(counter: str) -> None:
        deadline = asyncio.get_running_loop().time() + 5
        while sim.control.state()[counter] == 0:
            assert asyncio.get_running_loop().time() < deadline, counter
            await asyncio.sleep(0.002)

    return wait
