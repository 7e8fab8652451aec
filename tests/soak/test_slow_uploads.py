"""Many bodies at once that are nearly there: what is kept of them stays within its bounds."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Final

import pytest

from tests.support.load import metric, session
from tests.support.plain_api import plain_api
from tests.support.processes import gateway, simulator
from tests.support.raw_http import Caller, request

LONG: Final = os.environ.get("SOAK", "short") == "long"
CALLERS: Final = 200 if LONG else 50
BODY: Final = bytes(8 << 20)
MEMORY: Final = 1 << 19
EACH: Final = 3 << 19
"""Bytes of a call on the way, where the disk is slower than the callers: of what is read at once
(384 KiB) one waits to be stored, one to go to Zoom, one to be read; and what malloc keeps of it."""


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.timeout(300)
async def test_slow_uploads_take_the_disk_and_not_the_memory(tmp_path: Path) -> None:
    async with (
        simulator() as sim,
        plain_api() as api,
        gateway(
            sim,
            ZOOM_GATEWAY_UPSTREAM__API_URL=api,
            ZOOM_GATEWAY_LIMITS__KEPT_MEMORY=str(MEMORY),
            ZOOM_GATEWAY_REPLAY__DIR=str(tmp_path),
            ZOOM_GATEWAY_LOG__SAMPLE="0",
        ) as gate,
        session() as client,
        contextlib.AsyncExitStack() as stack,
    ):
        host, _, port = gate.url.removeprefix("http://").rpartition(":")
        before, end = resident(gate.child.pid), asyncio.get_running_loop().time() + 60
        callers = []
        for _ in range(CALLERS):
            caller = await stack.enter_async_context(await Caller.connect((host, int(port))))
            await caller.send(request(method=b"POST", body=BODY)[:-1])
            callers.append(caller)
        arrived = CALLERS * (len(BODY) - 1)
        while True:
            kept = await metric(client, gate.admin, "zoom_gateway_kept_bytes")
            if sum(kept.values()) == arrived:
                break
            assert asyncio.get_running_loop().time() < end, f"{kept} of {arrived}"
            await asyncio.sleep(0.1)
        grown = resident(gate.child.pid) - before
        print(f"{kept}, {grown / 2**20:.1f} MiB more")  # noqa: T201  to be read
        # A piece that has just come is there before it is on the disk.
        assert kept['{place="memory"}'] <= MEMORY + EACH
        assert grown < MEMORY + CALLERS * EACH
        for caller in callers:
            await caller.send(b"\0")
        answers = [(await caller.hear()).status for caller in callers]
        assert answers == [200] * CALLERS
        hits = await metric(client, gate.admin, "zoom_gateway_limit_hits_total")
        assert hits['{limit="kept_memory"}'] > 0
        assert hits['{limit="kept_disk"}'] == 0
        assert set((await metric(client, gate.admin, "zoom_gateway_kept_bytes")).values()) == {0}
        assert len(gate.logged("limit_reached")) < 10
