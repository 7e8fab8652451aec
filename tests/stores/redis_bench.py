"""A store in Redis under test, and what its tests share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis

from gateway.core.errors import StoreError, StoreUnavailableError
from gateway.ports import NOTHING
from gateway.stores.redis import REPLICAS, RedisStore
from gateway.stores.redis_options import RedisOptions
from tests.support.redis_server import RedisServer

KEY = "zoom-gateway:{acc}"
PASSWORD = "canary-Zx81"


class RedisBench:
    """Replicas with connections of their own; all add the same to Redis' time."""

    def __init__(self, server: RedisServer) -> None:
        self.options = server.options
        self.offset_ms = 0
        self.stores: list[RedisStore] = []
        self.admin = redis.Redis("127.0.0.1", server.port, socket_timeout=30)

    def connect(self, **options: Any) -> RedisStore:
        """Connect another replica; `options` replace the server's own."""
        changed = replace(self.options, **options)
        self.stores.append(RedisStore(changed, lambda: self.offset_ms))
        return self.stores[-1]

    async def pass_time(self, seconds: float) -> None:
        self.offset_ms += round(seconds * 1000)

    async def snapshot(self) -> object:
        keys: Any = self.admin.keys()
        return {key: self.admin.dump(key) for key in keys}

    async def restore(self, snapshot: object) -> None:
        assert isinstance(snapshot, dict)
        self.admin.flushdb()
        for key, content in snapshot.items():
            self.admin.restore(key, 0, content)

    async def spoil_replicas(self) -> None:
        now = str(int(self.admin.time()[0]) * 1_000_000 - 1_000_000)
        entries: dict[str | bytes, str] = {
            "empty": "",
            "no time": "{}",
            "no JSON": f"{now} " + "{",
            "no object": f"{now} 7",
            "deep": f"{now} " + "[" * 100_000,
            b"\xff": f'{now} {{"version": 1, "address": 2, "since": 3, "generations": {{}}}}',
        }
        for name, entry in entries.items():
            self.admin.hset(REPLICAS, name, entry)

    async def close(self) -> None:
        for store in self.stores:
            await store.close()
        self.admin.close()


@asynccontextmanager
async def connected(options: RedisOptions) -> AsyncIterator[RedisStore]:
    store = RedisStore(options)
    try:
        yield store
    finally:
        await store.close()


async def refusals(store: RedisStore) -> list[StoreError]:
    """What each call that writes raises."""
    found: list[StoreError] = []
    for call in (
        store.write("acc", {"n": 1}, revision=NOTHING),
        store.acquire("acc", "one", 3.0),
    ):
        with pytest.raises(StoreError) as caught:
            await call
        found.append(caught.value)
    return found


def check_unavailable(problem: BaseException, hint: str) -> None:
    assert isinstance(problem, StoreUnavailableError)
    for part in (KEY, hint, "store.url"):
        assert part in str(problem)
    assert PASSWORD not in str(problem)


async def until(look: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not look():
            await asyncio.sleep(0.01)


def listeners(server: RedisServer) -> int:
    """How many listen for news."""
    answer = server.command("PUBSUB", "NUMSUB", "zoom-gateway:changed")
    return int(answer.rpartition(b":")[2])
