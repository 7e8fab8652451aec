"""Limits of a real process: file descriptors, disks, workers, a reload."""

import asyncio
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.load import control, metric, session
from tests.support.needed import unavailable
from tests.support.processes import (
    START,
    Gateway,
    credentials,
    environment,
    eventually,
    gateway,
    simulator,
)
from tests.support.raw_http import Caller, request

KIB = 1024
MIB = 1024 * KIB


@asynccontextmanager
async def confined(sim: str, shell: str, *before: str, **variables: str) -> AsyncIterator[Gateway]:
    """A gateway started by a shell that first does something about its own limits."""
    run = f'{shell} && exec "$0" -m gateway "$@"'
    env = environment(**{**credentials(sim), **variables})
    program = (*before, "sh", "-c", run, sys.executable)
    child = await Gateway.start("serve", env=env, program=program)
    assert isinstance(child, Gateway)
    try:
        yield await child.listening()
    finally:
        await child.kill()


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return host, int(port)


def cpu(pid: int) -> float:
    """Seconds of processor time used so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Slow:
    """An API that answers with a byte, and with the rest when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.asked += 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\no")
                await self.go.wait()
                writer.write(b"kay")
        writer.close()


@asynccontextmanager
async def slow_api() -> AsyncIterator[tuple[Slow, str]]:
    slow = Slow()
    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    try:
        yield slow, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        slow.go.set()
        server.close()


async def test_a_process_without_free_descriptors_serves_those_it_has_and_recovers() -> None:
    async with (
        simulator() as sim,
        slow_api() as (slow, api),
        confined(
            sim,
            "ulimit -n 64",
            ZOOM_GATEWAY_UPSTREAM__API_URL=api,
            ZOOM_GATEWAY_LIMITS__CONNECTIONS="1000",
        ) as gate,
    ):
        place = address(gate.url)
        await gate.wait_for_line('"token_minted"')
        async with await Caller.connect(place) as first, contextlib.AsyncExitStack() as rest:
            await first.send(request())
            await eventually(lambda: slow.asked, "a call at the API")
            crowd = [await rest.enter_async_context(await Caller.connect(place)) for _ in range(80)]
            for one in crowd:  # no connection that is idle, and could make room
                await one.send(b"GET / HT")
            await gate.wait_for_line('"descriptors_exhausted"')
            spent = cpu(gate.child.pid)
            await asyncio.sleep(1.5)  # what is measured is the time itself
            assert cpu(gate.child.pid) - spent < 0.5
            admin = address(gate.admin)
            for _ in range(20):  # probes and scrapes go on, and wait
                await rest.enter_async_context(await Caller.connect(admin))
            slow.go.set()
            assert (await first.hear()).body == b"okay"
            late = await Caller.connect(place)
            await late.send(request())
            await rest.aclose()
            async with late:
                assert (await late.hear()).body == b"okay"
        async with await Caller.connect(place) as after:
            assert (await after.call(request())).body == b"okay"
        async with await Caller.connect(admin) as probe:
            assert (await probe.call(request(b"/livez"))).status == 200
        assert len(gate.logged("descriptors_exhausted")) <= 2
        assert gate.logged("defect") == []


async def test_the_soft_limit_is_raised_and_connections_leave_room_for_the_calls() -> None:
    async with (
        simulator() as sim,
        confined(sim, "ulimit -S -n 256 && ulimit -H -n 1024") as gate,
        session() as client,
    ):
        told = Path(f"/proc/{gate.child.pid}/limits").read_text()
        assert any(line.split()[3:5] == ["1024", "1024"] for line in told.splitlines())
        limits = await limits_of(client, gate)
        assert limits["connections"]["limit"] == 480
        shown = await metric(client, gate.admin, "zoom_gateway_limit")
        assert shown['{limit="connections"}'] == 480


async def limits_of(client: aiohttp.ClientSession, gate: Gateway) -> Any:
    async with client.get(f"{gate.admin}/status.json") as answer:
        return (await answer.json())["limits"]


async def upload(client: aiohttp.ClientSession, gate: Gateway, size: int, key: str) -> int:
    headers = {"X-Operation-Id": key, "Content-Type": "application/octet-stream"}
    url = f"{gate.url}/v2/_sim/upload"
    async with client.post(url, data=io.BytesIO(bytes(size)), headers=headers) as answer:
        await answer.read()
        return answer.status


async def is_forwarded_but_not_kept(sim: str, gate: Gateway, reason: str) -> None:
    async with session() as client:
        for size, key, status in ((64 * KIB, "small", 200), (4 * MIB, "large-2", 401)):
            assert await upload(client, gate, 4 * MIB, f"before-{key}") == 200
            await control(client, sim, "faults", {"refuse_next": 1}, "PUT")
            assert await upload(client, gate, size, key) == status
        replays = await metric(client, gate.admin, "zoom_gateway_replays_total")
        assert replays['{account="default",outcome="impossible"}'] == 1
        assert (await metric(client, gate.admin, "zoom_gateway_kept_bytes")) == {
            '{place="memory"}': 0,
            '{place="disk"}': 0,
        }
    assert reason in {line["reason"] for line in gate.logged("body_not_kept")}
    assert gate.logged("defect") == []


async def test_a_file_that_may_grow_no_further_costs_the_replay_alone(tmp_path: Path) -> None:
    async with (
        simulator() as sim,
        # In blocks of 512 bytes: 2 MiB. Metrics of one process are in no files.
        confined(sim, "ulimit -f 4096", ZOOM_GATEWAY_REPLAY__DIR=str(tmp_path)) as gate,
    ):
        await is_forwarded_but_not_kept(sim, gate, "File too large")


def _can_mount() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    trial = "mount -t tmpfs -o size=64k tmpfs /mnt"
    tried = subprocess.run([unshare, "-m", "sh", "-c", trial], check=False, capture_output=True)
    return tried.returncode == 0


async def test_a_full_disk_costs_the_replay_alone(tmp_path: Path) -> None:
    if not _can_mount():
        unavailable("no small disk can be mounted here: that needs root and unshare")
    async with (
        simulator() as sim,
        confined(
            sim,
            f"mount -t tmpfs -o size=2m tmpfs {tmp_path}",
            *("unshare", "-m"),
            ZOOM_GATEWAY_REPLAY__DIR=str(tmp_path),
        ) as gate,
    ):
        await is_forwarded_but_not_kept(sim, gate, "No space left on device")


async def test_a_reload_applies_to_new_calls_and_connections(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("limits: {calls: 10, connections: 10}\n")
    async with (
        simulator() as sim,
        slow_api() as (slow, api),
        gateway(sim, "--config", str(file), ZOOM_GATEWAY_UPSTREAM__API_URL=api) as gate,
        session() as client,
    ):
        place = address(gate.url)
        async with await Caller.connect(place) as first, await Caller.connect(place) as second:
            await first.send(request())
            await eventually(lambda: slow.asked, "a call at the API")
            file.write_text("limits: {calls: 1, connections: 2}\n")
            gate.signal(signal.SIGHUP)
            await gate.wait_for_line('"reloaded"')
            assert (await second.call(request())).slug == "too_many_calls"
            await second.send(request()[:4])
            limits = await limits_of(client, gate)
            assert limits["calls"] == {"limit": 1, "now": 1, "hits": 1}
            async with await Caller.connect(place) as third:
                assert (await third.hear()).slug == "too_many_connections"
            slow.go.set()
            assert (await first.hear()).body == b"okay"
        (line,) = (one for one in gate.logged("limit_reached") if one["limit"] == "calls")
        assert (line["most"], line["count"]) == (1, 1)
        refused = [one for one in gate.logged("call") if one.get("error") == "too_many_calls"]
        assert refused == []


async def test_the_first_sentence_tells_when_most_calls_are_refused() -> None:
    async with (
        simulator() as sim,
        slow_api() as (slow, api),
        gateway(sim, ZOOM_GATEWAY_UPSTREAM__API_URL=api, ZOOM_GATEWAY_LIMITS__CALLS="1") as gate,
        session() as client,
    ):
        place = address(gate.url)
        async with await Caller.connect(place) as first, await Caller.connect(place) as second:
            assert "All is well" in await text_of(client, f"{gate.admin}/")
            await first.send(request())
            await eventually(lambda: slow.asked, "a call at the API")
            for _ in range(3):
                assert (await second.call(request())).slug == "too_many_calls"
            status = await state_of(client, gate, "degraded")
            found = status["headline"]
            assert (found["account"], found["code"]) == (None, "calls_refused")
            assert found["since"]
            assert status["sentence"].startswith("Most calls are refused: ")
            assert "Most calls are refused" in await text_of(client, f"{gate.admin}/")
            async with client.get(f"{gate.admin}/readyz") as answer:
                assert answer.status == 200
            slow.go.set()
            assert (await first.hear()).status == 200
            for _ in range(3):
                assert (await second.call(request())).status == 200
            assert (await state_of(client, gate, "ok"))["headline"] is None


async def text_of(client: aiohttp.ClientSession, url: str) -> str:
    async with client.get(url) as answer:
        return await answer.text()


async def state_of(client: aiohttp.ClientSession, gate: Gateway, state: str) -> Any:
    """The status, once it has that state."""
    async with asyncio.timeout(START):
        while True:
            status = json.loads(await text_of(client, f"{gate.admin}/status.json"))
            if status["state"] == state:
                return status
            await asyncio.sleep(0.05)


async def test_workers_count_together() -> None:
    async with (
        simulator() as sim,
        slow_api() as (slow, api),
        gateway(
            sim,
            *("--workers", "2"),
            ZOOM_GATEWAY_UPSTREAM__API_URL=api,
            ZOOM_GATEWAY_LIMITS__CALLS="1",
            ZOOM_GATEWAY_LIMITS__CONNECTIONS="100",
        ) as gate,
        session() as client,
    ):
        place = address(gate.url)
        end = asyncio.get_running_loop().time() + START
        async with contextlib.AsyncExitStack() as stack:
            while slow.asked < 2:  # each worker has one
                assert asyncio.get_running_loop().time() < end
                caller = await stack.enter_async_context(await Caller.connect(place))
                await caller.send(request())
                await asyncio.sleep(0.05)
            refused = await stack.enter_async_context(await Caller.connect(place))
            assert (await refused.call(request())).slug == "too_many_calls"

            async def told() -> Any:
                return await limits_of(client, gate)

            while (found := await told())["connections"]["now"] < 3:
                assert asyncio.get_running_loop().time() < end
                await asyncio.sleep(0.1)
            assert (found["calls"]["limit"], found["calls"]["now"]) == (2, 2)
            assert found["connections"]["limit"] == 200
            assert found["calls"]["hits"] >= 1
            hits = await metric(client, gate.admin, "zoom_gateway_limit_hits_total")
            assert hits['{limit="calls"}'] == found["calls"]["hits"]
            limit = await metric(client, gate.admin, "zoom_gateway_limit")
            assert limit['{limit="calls"}'] == 2
            assert limit['{limit="header_fields"}'] == 128
            slow.go.set()
