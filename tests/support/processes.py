"""Real processes: the gateway and the simulator, started on free ports, ended by their ids."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CLONE = (sys.executable, "-m", "gateway")
"""The command as this clone has it."""

DEADLINE = 30.0
"""Seconds for anything that ought to happen at once: the machine may be busy."""

START = 90.0
"""Seconds for a start: several gateways, with several workers each, may start at once."""


async def eventually(holds: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
    """Poll until `holds()` gives something true, and give that."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.02)
    return found


def environment(**variables: str) -> dict[str, str]:
    """The caller's environment without anything that configures a gateway, proxies included."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("ZOOM_") and not name.lower().endswith("_proxy")
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **variables}


class Process:
    """A child process whose lines are kept as they come."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child
        self.lines: list[str] = []
        assert child.stdout
        assert child.stderr
        self._readers = [
            asyncio.create_task(self._read(stream)) for stream in (child.stdout, child.stderr)
        ]

    @classmethod
    async def start(
        cls,
        *arguments: str,
        env: dict[str, str],
        cwd: Path = ROOT,
        program: Sequence[str] = CLONE,
    ) -> "Process":
        child = await asyncio.create_subprocess_exec(
            *program,
            *arguments,
            env=env,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        return cls(child)

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.lines.append(line.decode(errors="replace").rstrip("\n"))

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The JSON log lines of one event."""
        entries = (json.loads(line) for line in self.lines if line.startswith("{"))
        return [entry for entry in entries if entry.get("event") == event]

    async def wait_for_line(self, part: str, seconds: float = DEADLINE) -> str:
        def look() -> str | None:
            assert self.child.returncode is None or any(part in one for one in self.lines), (
                f"the process ended with {self.child.returncode}:\n{self.output}"
            )
            return next((one for one in self.lines if part in one), None)

        found = await eventually(look, f"a line with {part!r} in:\n{self.output}", seconds)
        assert isinstance(found, str)
        return found

    def signal(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    async def ended(self, seconds: float = DEADLINE) -> int:
        async with asyncio.timeout(seconds):
            code = await self.child.wait()
            await asyncio.gather(*self._readers)
        return code

    async def kill(self) -> None:
        if self.child.returncode is None:
            self.child.kill()
        await self.ended()


class Gateway(Process):
    """`zoom-gateway serve` with JSON logs."""

    url = ""
    admin = ""

    async def listening(self) -> "Gateway":
        entry = json.loads(await self.wait_for_line('"event":"started"', START))
        self.url, self.admin = f"http://{entry['listen']}", f"http://{entry['admin']}"
        return self


def credentials(sim_url: str) -> dict[str, str]:
    return {
        "ZOOM_ACCOUNT_ID": "demo-account",
        "ZOOM_CLIENT_ID": "demo-client",
        "ZOOM_CLIENT_SECRET": "demo-secret",
        "ZOOM_GATEWAY_UPSTREAM__API_URL": sim_url,
        "ZOOM_GATEWAY_UPSTREAM__TOKEN_URL": f"{sim_url}/oauth/token",
        "ZOOM_GATEWAY_LISTEN__PORT": "0",
        "ZOOM_GATEWAY_ADMIN__PORT": "0",
    }


@asynccontextmanager
async def gateway(sim_url: str, *options: str, **variables: str) -> AsyncIterator[Gateway]:
    """A gateway in front of a simulator: `serve` with `options` and environment variables."""
    env = environment(**{**credentials(sim_url), **variables})
    child = await Gateway.start("serve", *options, env=env)
    assert isinstance(child, Gateway)
    try:
        yield await child.listening()
    finally:
        await child.kill()


@asynccontextmanager
async def simulator(*arguments: str) -> AsyncIterator[str]:
    """A simulator as a process of its own; gives its URL."""
    child = await Process.start("simulate", "--port", "0", *arguments, env=environment())
    try:
        yield (await child.wait_for_line("http://")).strip()
    finally:
        await child.kill()
