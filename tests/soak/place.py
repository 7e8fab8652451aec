"""Where the soak happens: a gateway of its own, its Redis, and a Zoom that breaks as it is told."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from gateway.sim import SimConfig, Simulator
from gateway.sim.tokens import Standing
from tests.support.load import metric, session
from tests.support.outside import Sight, family
from tests.support.processes import DEADLINE, Gateway, environment, eventually
from tests.support.redis_server import RedisServer, redis_server
from tests.support.wrecked_zoom import WreckedZoom, wrecked_zoom

SPOOL: Final = 65_536
"""`replay.memory_limit`, in bytes: many a body goes to the disk."""

UNWANTED: Final = frozenset({"defect", "library", "output"})
"""Events of lines that no bytes and no fault from outside may cause; `output` is a traceback, or
whatever else is no line."""


class Quiet(Gateway):
    """Its lines about single calls are counted, not kept: there are hundreds of thousands."""

    calls = 0

    async def _read(self, stream: Any) -> None:
        while line := await stream.readline():
            text = line.decode(errors="replace").rstrip("\n")
            if '"event":"call"' in text:
                self.calls += 1
            else:
                self.lines.append(text)

    def events(self) -> Counter[str]:
        """How many lines of each kind; what is no JSON is `output`."""
        return Counter(one.get("event", "output") for one in self.entries())

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(one) if one.startswith("{") else {"text": one} for one in self.lines]


@dataclass
class Place:
    gate: Quiet
    sim: Simulator
    zoom: WreckedZoom
    client: aiohttp.ClientSession
    file: Path
    base: dict[str, Any]
    redis: RedisServer | None = None

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.gate.url)
        return str(parts.hostname), int(parts.port or 0)

    @property
    def port(self) -> int:
        """Where the gateway is called."""
        return self.address[1]

    def write(self, **sections: Any) -> None:
        """The configuration anew, in one step; SIGHUP makes it count."""
        fresh = self.file.with_suffix(".fresh")
        fresh.write_text(json.dumps(_merged(self.base, sections)))
        fresh.replace(self.file)

    def look(self, *, network: bool = True) -> Sight:
        return family(self.gate.child.pid, network=network)

    async def metric(self, name: str) -> float:
        """A metric of the gateway's, summed over its labels."""
        found = await metric(self.client, self.gate.admin, f"zoom_gateway_{name}")
        return sum(found.values())

    async def settled(self, before: Sight, slack: int = 0) -> Sight:
        """Wait until nothing is in hand and nothing is left over; give what is seen then.

        Callers have left. `slack` is how many more descriptors than `before` there may be.
        """
        self.zoom.hang_up()
        sight = before

        def rest() -> bool:
            nonlocal sight
            self.zoom.hang_up()
            sight = self.look()
            over = sight.at(self.port) or sight.to(self.zoom.port) or sight.deleted
            return not over and sight.open <= before.open + slack

        await eventually(rest, f"everything is closed: {before}", DEADLINE)
        assert await self.metric("inflight_requests") == 0
        return sight


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = [name for name in over if isinstance(base.get(name), dict)]
    return {**base, **over, **{name: {**base[name], **over[name]} for name in both}}


@asynccontextmanager
async def place(
    directory: Path,
    *options: str,
    redis: bool = False,
    sections: dict[str, Any] | None = None,
    **variables: str,
) -> AsyncIterator[Place]:
    """`options` are those of `serve`, `sections` of the configuration."""
    with ExitStack() as stack:
        server = stack.enter_context(redis_server(directory)) if redis else None
        async with (
            Simulator(SimConfig()) as sim,
            session() as client,
            wrecked_zoom(_lives(sim)) as zoom,
        ):
            base = _merged(_base(sim, zoom, server, directory), sections or {})
            file = directory / "gateway.yaml"
            file.write_text(json.dumps(base))
            env = environment(**variables)
            gate = await Quiet.start("serve", *options, "--config", str(file), env=env)
            assert isinstance(gate, Quiet)
            try:
                await gate.listening()
                made = Place(gate, sim, zoom, client, file, base, server)
                await _ready(made)
                yield made
            finally:
                await gate.kill()


def _base(
    sim: Simulator, zoom: WreckedZoom, redis: RedisServer | None, directory: Path
) -> dict[str, Any]:
    kept = directory / "kept"
    kept.mkdir(exist_ok=True)
    app = {"client_id": "demo-client", "client_secret": "demo-secret"}
    return {
        "listen": {"port": 0},
        "admin": {"port": 0},
        "upstream": {"api_url": zoom.url, "token_url": f"{sim.url}/oauth/token"},
        "accounts": {"default": {"account_id": "demo-account", "apps": [app]}},
        "replay": {"memory_limit": SPOOL, "dir": str(kept)},
        "store": {"url": "memory:" if redis is None else redis.url},
        "drain": {"delay": 0},
    }


def _lives(sim: Simulator) -> Callable[[str], bool]:
    def lives(token: str) -> bool:
        standing, _ = sim.state.tokens.find(token, sim.state.clock.now())
        return standing is Standing.LIVE

    return lives


async def _ready(made: Place) -> None:
    end = time.monotonic() + DEADLINE
    while True:
        async with made.client.get(f"{made.gate.admin}/readyz") as answer:
            if answer.status == 200:
                return
        assert time.monotonic() < end, made.gate.output
        await asyncio.sleep(0.05)
