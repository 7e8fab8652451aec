"""Clients from the package index, unmodified, each in a process of its own."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.load import control, session, state
from tests.support.processes import environment, gateway, simulator

CLIENTS = Path(__file__).parent / "clients"


async def _run(client: aiohttp.ClientSession, name: str, sim: str, gate: str) -> Any:
    """Run a client's script; kill all tokens after each of its first three calls."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CLIENTS / name),
        gate,
        env=environment(NO_PROXY="127.0.0.1"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdin
    assert child.stdout
    async with asyncio.timeout(60):
        for _ in range(3):
            line = await child.stdout.readline()
            assert line == b"called\n", (await child.communicate())[1].decode()
            await control(client, sim, "kill")
            child.stdin.write(b"\n")
        out, err = await child.communicate()
    assert child.returncode == 0, err.decode()
    return json.loads(out)


async def test_zoomus_works_while_its_tokens_are_killed() -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        seen = await _run(client, "zoomus_client.py", sim, gate.url)
        counted = await state(client, sim)
    assert seen == [
        [200, 5],
        [200, 5],
        [200, 5],
        [201, "from zoomus"],
        [200, "from zoomus"],
        [200, "/abc//def=="],
    ]
    assert counted["mints"]["total"] == 4
    assert not counted["violations"]


async def test_pyzoom_works_while_its_tokens_are_killed() -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        seen = await _run(client, "pyzoom_client.py", sim, gate.url)
        counted = await state(client, sim)
    assert seen == [5, 5, 5, "from pyzoom", True, 35]
    assert counted["mints"]["total"] == 4
    assert not counted["violations"]
