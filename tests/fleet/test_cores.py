"""A gateway that dies hard leaves no core with its memory."""

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from tests.support.needed import unavailable
from tests.support.processes import (
    ROOT,
    Gateway,
    Process,
    credentials,
    environment,
    gateway,
    simulator,
)

CANARY = "canary-2b64-core"
MEMORY = f"import os; held = '{CANARY}' * 1000; os.abort()"


def unlimited(*command: str) -> tuple[str, ...]:
    """The command, allowed to leave cores of any size."""
    return ("sh", "-c", 'ulimit -c unlimited && exec "$@"', "sh", *command)


@pytest.fixture
def cores(tmp_path: Path) -> Path:
    """A directory to run in where a core would be found; skips the test where it would not be."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or pattern.startswith("|"):
        unavailable(f"cores go elsewhere here: {pattern}")
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        unavailable("cores are limited here")
    return tmp_path


async def aborted(process: Process) -> None:
    process.signal(signal.SIGABRT)
    assert await process.ended() == -signal.SIGABRT


async def test_none_is_left_behind(cores: Path) -> None:
    # What a process without our care leaves: otherwise an empty directory would show nothing.
    careless = await Process.start(
        *("-c", MEMORY), env=environment(), cwd=cores, program=unlimited(sys.executable)
    )
    assert await careless.ended() == -signal.SIGABRT
    (core,) = cores.iterdir()
    assert CANARY.encode() in core.read_bytes()
    core.unlink()
    async with simulator() as sim:
        env = environment(
            **{**credentials(sim), "ZOOM_CLIENT_SECRET": CANARY}, PYTHONPATH=str(ROOT)
        )
        for workers in ("1", "2"):
            program = unlimited(sys.executable, "-m", "gateway")
            gate = await Gateway.start(
                *("serve", "--workers", workers), env=env, cwd=cores, program=program
            )
            try:
                await gate.wait_for_line('"event":"started"')
                for entry in gate.logged("worker_started"):
                    os.kill(entry["pid"], signal.SIGABRT)
                    await gate.wait_for_line("worker_died")
                await aborted(gate)
            finally:
                await gate.kill()
            assert list(cores.iterdir()) == []


async def test_nor_given_to_a_program_that_collects_them() -> None:
    """Such a program gets the core whatever the limit is: then it must hold nothing."""
    async with simulator() as sim, gateway(sim, "--workers", "2") as gate:
        started = [entry["pid"] for entry in gate.logged("worker_started")]
        assert len(started) == 2
        for pid in (gate.child.pid, *started):
            limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
            (core,) = (line.split() for line in limits if line.startswith("Max core file size"))
            assert core[4:6] == ["0", "0"]
            assert int(Path(f"/proc/{pid}/coredump_filter").read_text(), 16) == 0


async def test_metrics_of_the_process_are_still_there() -> None:
    """They come from /proc/self, which a process that cannot be dumped may not read."""
    async with simulator() as sim, gateway(sim) as gate:
        reader, writer = await asyncio.open_connection(
            *gate.admin.removeprefix("http://").split(":")
        )
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()
    assert "process_open_fds" in text
