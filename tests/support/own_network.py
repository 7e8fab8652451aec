"""A network namespace with a hosts file of its own: nothing else is reached from there."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tests.support.needed import unavailable
from tests.support.processes import Process, environment

_SETUP = """
set -e
ip link set lo up
for one in {addresses}; do ip address add "$one/32" dev lo; done
mount --make-rprivate /
mount --bind {hosts} /etc/hosts
echo ready
exec sleep infinity
"""


class OwnNetwork:
    """All that is started with `inside` before it lives there."""

    def __init__(self, pid: int) -> None:
        self.inside = ("nsenter", f"--target={pid}", "--net", "--mount", "--")

    async def run(self, *command: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Run a command to its end: its code, and what it wrote to both outputs."""
        child = await asyncio.create_subprocess_exec(
            *self.inside,
            *command,
            env=environment(**(env or {})),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60):
                out, err = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        assert child.returncode is not None
        return child.returncode, out.decode(), err.decode()


@contextlib.asynccontextmanager
async def own_network(hosts: Path, addresses: Sequence[str]) -> AsyncIterator[OwnNetwork]:
    """Skips the test where there can be none."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        unavailable("a network of its own needs root, unshare, nsenter and ip: make test-deps")
    script = _SETUP.format(addresses=" ".join(addresses), hosts=hosts)
    holder = await Process.start(
        script, env=environment(), program=("unshare", "--net", "--mount", "sh", "-c")
    )
    try:
        try:
            await holder.wait_for_line("ready")
        except AssertionError:
            unavailable(f"no network of its own can be made here: {holder.output}")
        yield OwnNetwork(holder.child.pid)
    finally:
        await holder.kill()
