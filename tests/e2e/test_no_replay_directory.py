"""Nothing can be written to: bodies are kept in memory alone, and that is said once."""

import asyncio
import io

import aiohttp

from tests.support.load import control, metric, session
from tests.support.processes import DEADLINE, Gateway, gateway, simulator

UNWRITABLE = "/proc"
"""A directory in which nobody, root included, can make a file."""

MIB = 1 << 20


async def upload(client: aiohttp.ClientSession, gate: Gateway, size: int, key: str) -> int:
    headers = {"X-Operation-Id": key, "Content-Type": "application/octet-stream"}
    url = f"{gate.url}/v2/_sim/upload"
    async with client.post(url, data=io.BytesIO(bytes(size)), headers=headers) as answer:
        await answer.read()
        return answer.status


async def replicas(client: aiohttp.ClientSession, gate: Gateway) -> int:
    """The workers that have begun, as one of them knows."""
    async with client.get(f"{gate.admin}/status.json") as answer:
        return len((await answer.json())["fleet"]["replicas"])


async def test_small_bodies_are_kept_and_a_refusal_of_large_ones_is_passed_on() -> None:
    async with (
        simulator() as sim,
        gateway(sim, ZOOM_GATEWAY_REPLAY__DIR=UNWRITABLE) as gate,
        session() as client,
    ):
        assert await upload(client, gate, 2 * MIB, "large-1") == 200
        for size, key, status in ((MIB, "small", 200), (2 * MIB, "large-2", 401)):
            await control(client, sim, "faults", {"refuse_next": 1}, "PUT")
            assert await upload(client, gate, size, key) == status
        counted = await metric(client, gate.admin, "zoom_gateway_replays_total")
        lines = gate.logged("no_replay_directory")
        assert gate.logged("body_not_kept") == []
    assert counted['{account="default",outcome="recovered"}'] == 1
    assert counted['{account="default",outcome="impossible"}'] == 1
    assert len(lines) == 1
    assert lines[0]["level"] == "warning"
    assert f"in {UNWRITABLE}, so bodies are kept in memory alone" in lines[0]["message"]
    assert "more than 1048576 bytes" in lines[0]["message"]
    assert "replay.dir" in lines[0]["message"]


async def test_workers_say_it_once_together() -> None:
    async with (
        simulator() as sim,
        gateway(
            sim,
            *("--workers", "2"),
            ZOOM_GATEWAY_REPLAY__DIR=UNWRITABLE,
            ZOOM_GATEWAY_DRAIN__DELAY="0",
        ) as gate,
        session() as client,
    ):
        async with asyncio.timeout(DEADLINE):
            while await replicas(client, gate) < 2:
                await asyncio.sleep(0.02)
        gate.child.terminate()
        await gate.ended()
        assert len(gate.logged("no_replay_directory")) == 1


async def test_who_keeps_nothing_in_files_needs_no_directory() -> None:
    limits = {"ZOOM_GATEWAY_REPLAY__DISK_LIMIT": str(MIB), "ZOOM_GATEWAY_DRAIN__DELAY": "0"}
    async with (
        simulator() as sim,
        gateway(sim, ZOOM_GATEWAY_REPLAY__DIR=UNWRITABLE, **limits) as gate,
    ):
        gate.child.terminate()
        assert await gate.ended() == 0
        assert gate.logged("no_replay_directory") == []
