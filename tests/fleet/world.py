"""What a scenario happens in: a Redis, a simulated Zoom, and a fleet between the two."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import aiohttp

from tests.support.fleet import Fleet, fleet
from tests.support.fleet_load import Call, Result, client_session
from tests.support.processes import simulator
from tests.support.redis_server import RedisServer, redis_server
from tests.support.tcp_proxy import TcpProxy, tcp_proxy

FULL = "FLEET_SECONDS"
"""The environment variable that gives the seconds of a run at full length."""


def seconds(short: float) -> float:
    """How long a scenario lasts: `short`, or what the environment asks for."""
    return float(os.environ.get(FULL, short))


@dataclass
class World:
    redis: RedisServer
    sim: str
    token_endpoint: TcpProxy
    """In front of the simulator, for mints alone."""
    fleet: Fleet
    client: aiohttp.ClientSession

    async def result(self, scenario: str, calls: list[Call]) -> Result:
        """What was seen so far."""
        counted = await self.fleet.sim_state()
        return Result(
            scenario,
            len(self.fleet.gates),
            calls,
            tuple(self.fleet.blows),
            counted["acted_twice"],
            counted["mints"]["total"],
            seen={"violations": counted["violations"], "refusals": counted["refusals"]},
            tale=self.fleet.tale(),
        )


@asynccontextmanager
async def world(
    directory: Path,
    *,
    replicas: int,
    sim: tuple[str, ...] = (),
    extra: list[dict[str, str]] | None = None,
    store: str = "",
    env: Mapping[str, str] = MappingProxyType({}),
    serve: tuple[str, ...] = (),
) -> AsyncIterator[World]:
    """`sim` and `serve` are options of the simulator and the gateways, `env` variables of all
    replicas, `extra` of each.

    `store` is the URL of another store than the world's own Redis.
    """
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(directory))
        async with (
            client_session(30) as client,
            simulator(*sim) as url,
            tcp_proxy("127.0.0.1", urlsplit(url).port or 0) as mints,
            fleet(
                client,
                url,
                store or f"redis://127.0.0.1:{redis.port}/0",
                extra or [{} for _ in range(replicas)],
                *serve,
                ZOOM_GATEWAY_UPSTREAM__TOKEN_URL=f"http://127.0.0.1:{mints.port}/oauth/token",
                **env,
            ) as made,
        ):
            yield World(redis, url, mints, made, client)
