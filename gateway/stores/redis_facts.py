"""What a Redis tells of itself: for those who ask whether it suits the gateway."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from gateway.stores.redis_connections import Connections
from gateway.stores.redis_options import RedisOptions
from gateway.stores.redis_problems import FAULTS

DEADLINE: Final = 3.0
"""Seconds for all questions together."""


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """`saves` is None if that may not be asked."""

    version: str
    product: str
    """`redis`, or `valkey`."""
    maxmemory: int
    """Bytes; 0: no limit."""
    eviction: str
    """What is dropped when the memory is full: `maxmemory-policy`."""
    saves: bool | None
    """Whether it keeps its data over a restart."""


async def redis_facts(options: RedisOptions) -> RedisFacts | None:
    """None if it does not say, which its ACL may well forbid. Raises nothing."""
    connections = Connections(options)
    client: Any = connections.client  # redis-py's, which has few types
    try:
        async with asyncio.timeout(DEADLINE):
            info = await client.info()
            return _facts(info, await _saves(client, info))
    except FAULTS:
        return None
    finally:
        await connections.close()


async def _saves(client: Any, info: dict[str, Any]) -> bool | None:
    if info.get("aof_enabled"):
        return True
    try:
        found = await client.config_get("save")
    except FAULTS:
        return None
    return bool(found.get("save"))


def _facts(info: dict[str, Any], saves: bool | None) -> RedisFacts:  # noqa: FBT001  one answer of several
    """Raises ValueError for numbers that are none."""
    valkey = "valkey_version" in info
    return RedisFacts(
        version=str(info.get("valkey_version" if valkey else "redis_version", "")),
        product="valkey" if valkey else "redis",
        maxmemory=int(info.get("maxmemory", 0)),
        eviction=str(info.get("maxmemory_policy", "")),
        saves=saves,
    )
