"""A real gateway tells of its listener and its way to Zoom, in JSON and in the terminal."""

import asyncio
import subprocess
import sys

from tests.support.load import session
from tests.support.processes import ROOT, gateway, simulator


async def test_it_tells_where_it_listens_and_whom_it_calls() -> None:
    async with simulator() as sim, gateway(sim) as gate, session() as client:
        async with client.get(f"{gate.admin}/status.json") as answer:
            body = await answer.json()
        assert body["listener"]["address"] == gate.url.removeprefix("http://")
        assert body["listener"]["tls"] is None
        assert body["upstream"]["api"] == sim.removeprefix("http://")
        assert body["upstream"]["proxy"] is None
        assert body["access"]["default"] == "allow"
        shown = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "gateway", "status", "--url", gate.admin],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        said = " ".join(shown.stdout.split())
        assert f"Callers connect to {body['listener']['address']} without TLS." in said
        assert f"Calls go to {body['upstream']['api']}." in said
