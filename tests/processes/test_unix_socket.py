"""Calls over a Unix socket, in one process and in several."""

import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.load import control, counted, session
from tests.support.needed import program
from tests.support.processes import (
    START,
    Gateway,
    credentials,
    environment,
    eventually,
    simulator,
)

QUICK = {"ZOOM_GATEWAY_DRAIN__DELAY": "0", "ZOOM_GATEWAY_DRAIN__TIMEOUT": "10"}
KINDS = [(), ("--workers", "2")]


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s") / "p.sock"


@asynccontextmanager
async def serving(sim: str, path: Path, *options: str, **variables: str) -> AsyncIterator[Gateway]:
    own = {"ZOOM_GATEWAY_LISTEN__SOCKET": str(path), **QUICK, **variables}
    gate = await Gateway.start("serve", *options, env=environment(**{**credentials(sim), **own}))
    assert isinstance(gate, Gateway)
    try:
        await gate.wait_for_line('"event":"started"', START)
        gate.admin = f"http://{gate.logged('started')[0]['admin']}"
        yield gate
    finally:
        await gate.kill()


async def call(path: Path, target: str = "/v2/users/me", **headers: str) -> tuple[int, Any]:
    connector = aiohttp.UnixConnector(str(path))
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.get(f"http://localhost{target}", headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def admin(gate: Gateway, page: str) -> Any:
    async with session() as client, client.get(f"{gate.admin}{page}") as answer:
        return await answer.json()


@pytest.mark.parametrize("options", KINDS)
async def test_calls_by_a_socket(path: Path, options: tuple[str, ...]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"ZOOM_GATEWAY_LISTEN__PORT": str(port)}
    async with simulator() as sim, serving(sim, path, *options, **own) as gate:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        (started,) = gate.logged("started")
        assert started["listen"] == f"unix:{path}"
        assert stat.S_IMODE(path.lstat().st_mode) == 0o660
        assert {(await call(path))[0] for _ in range(6)} == {200}
        await eventually(lambda: gate.logged("call"), "a line of a call")
        assert (gate.logged("call")[0]["caller"], "caller_name" in gate.logged("call")[0]) == (
            "",
            False,
        )
        found = await admin(gate, "/status.json")
        assert found["listener"] == {"address": f"unix:{path}", "tls": None}
        curl = (program("curl"), "-sS", "--unix-socket", str(path), "-w", "%{http_code}")
        for extra in ((), ("-H", "Host:"), ("-H", "Host;")):
            child = await asyncio.create_subprocess_exec(
                *curl, *extra, "http://localhost/v2/users/me", stdout=asyncio.subprocess.PIPE
            )
            output, _ = await child.communicate()
            # Without a Host it is no HTTP/1.1; an empty one is what some clients of sockets send.
            expected = b"400" if extra == ("-H", "Host:") else b"200"
            assert (extra, output[-3:]) == (extra, expected)
        # The status command says so, too.
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "status", "--url", gate.admin),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await child.communicate()
        assert f"unix:{path}" in output.decode().replace("\n", "")
        gate.signal(signal.SIGTERM)
        assert await gate.ended() == 0
        assert not path.exists()
    assert gate.logged("defect") == []


@pytest.mark.parametrize("options", KINDS)
async def test_one_that_was_killed_is_replaced_and_one_that_runs_is_not(
    path: Path, options: tuple[str, ...]
) -> None:
    async with simulator() as sim:
        async with serving(sim, path, *options) as first:
            env = environment(**credentials(sim), ZOOM_GATEWAY_LISTEN__SOCKET=str(path))
            second = await Gateway.start("serve", *options, env=env)
            assert await second.ended() == 1
            assert f"cannot listen on unix:{path}: another gateway" in second.output
            assert "Change listen.socket." in second.output
            assert (await call(path))[0] == 200
            workers = [line["pid"] for line in first.logged("worker_started")]
            first.signal(signal.SIGKILL)
            await first.ended()
            await eventually(lambda: not any(map(_runs, workers)), "the end of all workers")
        assert path.exists()
        async with serving(sim, path, *options):
            assert (await call(path))[0] == 200


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def test_workers_share_it_and_one_that_dies_takes_no_call_with_it(path: Path) -> None:
    async with simulator() as sim, serving(sim, path, "--workers", "2") as gate:
        before = path.lstat().st_ino
        (pid,) = [one["pid"] for one in gate.logged("worker_started") if one["worker"] == 1]
        os.kill(pid, signal.SIGKILL)
        assert {(await call(path))[0] for _ in range(20)} == {200}
        await eventually(lambda: len(gate.logged("worker_started")) == 3, "another worker")
        assert path.lstat().st_ino == before
        pids: set[int] = set()

        async def both() -> bool:
            await asyncio.gather(*(call(path) for _ in range(20)))
            pids.add((await admin(gate, "/status.json"))["replica"]["pid"])
            return len(pids) == 2

        async with asyncio.timeout(30):
            while not await both():
                pass


@pytest.mark.parametrize("options", KINDS)
async def test_calls_in_hand_are_finished_and_a_reload_keeps_the_socket(
    path: Path, options: tuple[str, ...]
) -> None:
    async with simulator() as sim, session() as client, serving(sim, path, *options) as gate:
        gate.signal(signal.SIGHUP)
        await eventually(lambda: gate.logged("reloaded"), "a reload")
        await control(client, sim, "faults", {"delay": 2.0}, "PUT")
        slow = [asyncio.create_task(call(path)) for _ in range(4)]
        await counted(client, sim, "calls", 4)
        gate.signal(signal.SIGTERM)
        assert {status for status, _ in await asyncio.gather(*slow)} == {200}
        assert await gate.ended() == 0
        assert not path.exists()


async def test_where_no_socket_can_be_made(path: Path) -> None:
    missing = path.parent / "missing" / "p.sock"
    long = path.parent / ("x" * 108)
    for given, code, words in (
        (missing, 1, f"the directory {missing.parent} does not exist"),
        (long, 2, "at most 107"),
    ):
        env = environment(
            **credentials("http://127.0.0.1:9"), ZOOM_GATEWAY_LISTEN__SOCKET=str(given)
        )
        gate = await Gateway.start("serve", env=env)
        assert await gate.ended() == code
        assert words in gate.output
        assert "Traceback" not in gate.output
