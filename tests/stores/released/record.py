"""Write down what this version keeps in its stores, for the tests of all later ones to read.

    python -m tests.stores.released.record tests/stores/released/v1

Real gateways in front of the simulator bring each state about, once in files and once in Redis.
Done once for each format, with the version that is released: a format that was released is never
written anew.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.stores.released.states import APPS, KEY_TEXT, STATES
from tests.support.load import control
from tests.support.processes import gateway, simulator
from tests.support.redis_server import RedisServer, redis_server

HASH = "zoom-gateway:{default}"
REPLICAS = "zoom-gateway:replicas"

Document = dict[str, Any]


class Place:
    """Where a gateway keeps its tokens: a directory of files, or a Redis."""

    def __init__(self, directory: Path, redis: RedisServer | None) -> None:
        self._directory = directory
        self._redis = redis
        self.url = f"redis://127.0.0.1:{redis.port}/0" if redis else f"file://{directory}/tokens"

    def content(self) -> dict[str, str]:
        """All that is kept of the account, as text by its name."""
        if self._redis is None:
            return self._file("default.json")
        return self._hash(HASH)

    def replicas(self) -> dict[str, str]:
        return self._hash(REPLICAS) if self._redis else self._file("_replicas.json")

    def document(self) -> Document:
        found = self.content()
        if self._redis is None:
            record = json.loads(found.get("default.json", "{}"))
            return dict(record.get("document") or {})
        return dict(json.loads(found.get("document", "{}")))

    def _file(self, name: str) -> dict[str, str]:
        file = self._directory / "tokens" / name
        return {name: file.read_text()} if file.exists() else {}

    def _hash(self, key: str) -> dict[str, str]:
        import redis  # noqa: PLC0415  only for this one

        assert self._redis is not None
        with redis.Redis("127.0.0.1", self._redis.port, decode_responses=True) as client:
            found: Any = client.hgetall(key)
        return dict(found)


class Stage:
    """What brings a state about: calls through a gateway, and a Zoom that fails on demand."""

    def __init__(self, place: Place, sim: str, client: aiohttp.ClientSession, key: Path) -> None:
        self.place = place
        self.sim = sim
        self._client = client
        self._key = key

    @asynccontextmanager
    async def gateway(self, apps: str, *, sealed: bool = False) -> AsyncIterator[str]:
        """Gives its URL."""
        key = {"ZOOM_GATEWAY_STORE__ENCRYPTION_KEY_FILE": str(self._key)} if sealed else {}
        async with gateway(
            self.sim,
            ZOOM_GATEWAY_STORE__URL=self.place.url,
            ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS=json.dumps(APPS[apps]),
            ZOOM_GATEWAY_TOKEN__ROTATE_AT="0.1",
            **key,
        ) as gate:
            yield gate.url

    async def call(self, url: str, path: str = "/v2/users/me") -> int:
        async with self._client.get(url + path) as answer:
            await answer.read()
            return answer.status

    async def faults(self, **faults: Any) -> None:
        await control(self._client, self.sim, "faults", faults, "PUT")

    async def configure(self, **config: Any) -> None:
        await control(self._client, self.sim, "config", config)

    async def kill(self) -> None:
        await control(self._client, self.sim, "kill")

    async def until(self, good: Callable[[Document], Any]) -> None:
        end = time.monotonic() + 60
        while not ((seen := self.place.document()) and good(seen)):
            assert time.monotonic() < end, json.dumps(seen, indent=1)
            await asyncio.sleep(0.05)


async def _one(state: str, store: str, directory: Path) -> dict[str, Any]:
    """One state in one kind of store."""
    scratch = directory / f"{state}-{store}"
    scratch.mkdir()
    key = scratch / "key"
    key.write_text(KEY_TEXT)
    key.chmod(0o600)
    async with aiohttp.ClientSession() as client, simulator("--token-life", "40") as sim:
        if store == "file":
            return await _brought_about(state, Stage(Place(scratch, None), sim, client, key))
        with redis_server(scratch) as server:
            return await _brought_about(state, Stage(Place(scratch, server), sim, client, key))


async def _brought_about(state: str, stage: Stage) -> dict[str, Any]:
    async with STATES[state](stage):
        # The store's clock is this machine's.
        return {
            "now": time.time(),
            "content": stage.place.content(),
            "replicas": stage.place.replicas(),
        }


async def record(target: Path) -> None:
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        for state in STATES:
            for store in ("file", "redis"):
                found = await _one(state, store, Path(scratch))
                file = target / f"{state}.{store}.json"
                file.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
                sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))
