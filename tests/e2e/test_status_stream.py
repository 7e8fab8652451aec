"""The status page's stream through a gateway's end."""

import json
import signal
from typing import Any

import aiohttp

from tests.support.load import session
from tests.support.processes import gateway, simulator

DRAIN = {"ZOOM_GATEWAY_DRAIN__DELAY": "4", "ZOOM_GATEWAY_DRAIN__TIMEOUT": "5"}


async def states(answer: aiohttp.ClientResponse) -> list[Any]:
    """All that come until the stream ends."""
    text = (await answer.content.read()).decode()
    parts = [part.split("\n") for part in text.split("\n\n") if part]
    return [json.loads(data.removeprefix("data: ")) for name, data in parts if "state" in name]


async def test_it_tells_of_the_drain_and_does_not_hold_it_up() -> None:
    async with simulator() as sim, gateway(sim, **DRAIN) as gate, session() as client:
        answers = [await client.get(f"{gate.admin}/events") for _ in range(3)]
        gate.signal(signal.SIGTERM)
        for answer in answers:
            told = await states(answer)
            assert "The gateway is stopping" in told[-1]["sentence"]
            assert told[-1]["key"].startswith("unready")
        assert await gate.ended() == 0
        assert not gate.logged("defect")
        assert not gate.logged("library")
