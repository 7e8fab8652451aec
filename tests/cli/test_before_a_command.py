"""What holds for every command before it does anything: streams, signals, Ctrl-C."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.needed import unavailable
from tests.support.processes import (
    CLONE,
    DEADLINE,
    ROOT,
    Gateway,
    Process,
    credentials,
    environment,
    eventually,
    simulator,
)

SLOW = """
import importlib.abc, sys, time

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "gateway.cli.serve":
            print("importing", flush=True)
            time.sleep(600)

sys.meta_path.insert(0, Slow())
"""
"""A start that takes its time: loaded by every Python that finds it on its path."""

UNSHARE = ("unshare", "--pid", "--fork", "--kill-child")


@asynccontextmanager
async def starting(path: Path, *before: str) -> AsyncIterator[Process]:
    """`serve` in the middle of its imports, called by the command `before`."""
    (path / "sitecustomize.py").write_text(SLOW)
    env = environment(PYTHONPATH=f"{path}:{ROOT}", PYTHONSAFEPATH="1")
    child = await Process.start("serve", env=env, program=(*before, *CLONE))
    try:
        await child.wait_for_line("importing")
        yield child
    finally:
        await child.kill()


def require_a_namespace() -> None:
    """Skip the test, or in CI fail it, where no process can be the first of a namespace."""
    found = shutil.which(UNSHARE[0])
    if found and subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
        found = None
    if found is None:
        unavailable("unshare, as root, is needed to be the first process of a namespace")


async def test_sigterm_during_the_start_ends_the_first_process_of_a_container(
    tmp_path: Path,
) -> None:
    require_a_namespace()
    async with starting(tmp_path, *UNSHARE) as child:
        listed = Path(f"/proc/{child.child.pid}/task/{child.child.pid}/children")
        first = int(await eventually(lambda: listed.read_text().strip(), "it has a child"))
        os.kill(first, signal.SIGTERM)
        assert await child.ended() == 128 + signal.SIGTERM


async def test_ctrl_c_during_the_start_is_no_error(tmp_path: Path) -> None:
    async with starting(tmp_path) as child:
        child.signal(signal.SIGINT)
        assert await child.ended() == 130
        assert child.lines[-1] == "Interrupted."


def shell(words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of a shell in which `$PROGRAM` is the command."""
    return subprocess.run(
        ["sh", "-c", words],
        env=environment(PROGRAM=" ".join(CLONE), **variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
async def test_a_gateway_whose_streams_are_closed_serves_and_stops(
    closed: str, tmp_path: Path
) -> None:
    port = port_of_our_own()
    async with simulator() as sim:
        variables = credentials(sim) | {
            "ZOOM_GATEWAY_LISTEN__PORT": str(port),
            "ZOOM_GATEWAY_DRAIN__DELAY": "0",
        }
        script = tmp_path / "run"
        script.write_text(f'exec {" ".join(CLONE)} "$@" {closed}\n')
        child = await Gateway.start(
            "serve", env=environment(**variables), program=("sh", str(script))
        )
        try:
            async with aiohttp.ClientSession() as client:
                assert await answered(client, f"http://127.0.0.1:{port}/v2/users/me")
            child.signal(signal.SIGTERM)
            assert await child.ended() == 0
        finally:
            await child.kill()


def port_of_our_own() -> int:
    """A free port that no server of another test is given, which asks for any."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(first - 10_000, first), 100):
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


async def answered(client: aiohttp.ClientSession, url: str) -> bool:
    """Whether Zoom's answer comes, as soon as anybody listens."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                async with client.get(url) as answer:
                    return answer.status == 200
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.02)


def test_closed_streams_are_no_defect_of_a_check() -> None:
    done = shell("$PROGRAM check --json >&-")
    assert (done.returncode, done.stderr) == (2, "")
    done = shell("$PROGRAM check <&- >&- 2>&-")
    assert done.returncode == 2


def test_a_standard_output_that_is_full_is_said() -> None:
    done = shell("$PROGRAM check --json >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "Error: Standard output cannot be written: No space left on device.\n"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    done = shell("$PROGRAM check --json | true")
    assert done.stderr == ""


def test_what_the_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    strange = tmp_path / "中.yaml"
    strange.write_text("")
    done = shell(f"$PROGRAM check --config {strange}", PYTHONIOENCODING="latin-1")
    assert done.returncode == 2
    assert "\\u4e2d.yaml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e300", "-1", "0"])
@pytest.mark.parametrize("command", ["check", "status"])
def test_times_that_are_none(command: str, seconds: str) -> None:
    done = shell(f"$PROGRAM {command} --timeout {seconds}")
    assert done.returncode == 2
    assert "Invalid value for '--timeout'" in done.stderr
    assert "Traceback" not in done.stderr
