"""Containers that a test runs with podman: in the foreground, gone with the test."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tests.support import images
from tests.support.processes import Process

DEADLINE: Final = 60.0
"""Seconds for a container to be well: the machine may be busy."""


class Container(Process):
    """A container in the foreground: its lines are its own, and so is its exit code."""

    name = ""
    health: tuple[str, ...] = ()
    """What is run in it to see that it is well; empty: the image's own check."""

    async def run(self, *command: str) -> tuple[int, str]:
        """Run a command in it; give the exit code and what it printed."""
        done = await asyncio.to_thread(images.finished, "podman", "exec", self.name, *command)
        return done.returncode, done.stdout + done.stderr

    def exists(self) -> bool:
        """Whether podman has it already."""
        return images.finished("podman", "container", "exists", self.name).returncode == 0

    async def healthy(self) -> bool:
        if self.health:
            return (await self.run(*self.health))[0] == 0
        asked = ("podman", "healthcheck", "run", self.name)
        return (await asyncio.to_thread(images.finished, *asked)).returncode == 0

    async def eventually_healthy(self) -> None:
        end = time.monotonic() + DEADLINE
        while not await self.healthy():
            assert self.child.returncode is None, self.output
            assert time.monotonic() < end, f"not healthy:\n{self.output}"
            await asyncio.sleep(0.1)

    async def published(self, port: int) -> str:
        """`host:port` by which a published port of it is reached."""
        return (await asyncio.to_thread(images.podman, "port", self.name, str(port))).strip()


@asynccontextmanager
async def container(*arguments: str) -> AsyncIterator[Container]:
    """`podman run` with these options, image and command; it is gone afterwards."""
    images.configure()
    name = f"zoom-gateway-test-{secrets.token_hex(4)}"
    child = await asyncio.create_subprocess_exec(
        *("podman", "run", "--rm", f"--name={name}", *arguments),
        env=images.environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    running = Container(child)
    running.name = name
    try:
        yield running
    finally:
        await asyncio.to_thread(images.podman, "rm", "--force", "--time=0", name, check=False)
        try:
            await running.ended()
        finally:
            await running.kill()
