"""The simulator as a program of its own."""

import asyncio
from collections.abc import Callable

from gateway.sim.config import SimConfig
from gateway.sim.server import Simulator


async def run(
    config: SimConfig,
    *,
    stop: asyncio.Event | None = None,
    announce: Callable[[str], None],
) -> None:
    """Serve until `stop` is set (for ever without one) or the task is cancelled.

    `announce` is called once, with the base URL, when calls are accepted. Raises OSError
    when the port is taken.
    """
    async with Simulator(config) as sim:
        announce(sim.url)
        await (stop or asyncio.Event()).wait()
