"""The store in Redis: the contract on a real server, what lies in it, what cannot be read."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gateway.core.errors import StoreContentError
from gateway.ports import NOTHING, Stamp
from gateway.stores import redis_listener
from gateway.stores.presences import MOST
from gateway.stores.record import LONGEST_LEASE
from gateway.stores.redis import REPLICAS, RedisStore
from tests.stores.contract import Bench, StoreContract
from tests.stores.contract_bench import acquired, presence, shown, written
from tests.stores.redis_bench import KEY, RedisBench, refusals
from tests.support.redis_server import RedisServer, redis_server

VALKEY = shutil.which("valkey-server")
"""Optional: it keeps the same contract."""


class TestRedisStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _looks_are_frequent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(redis_listener, "POLL", 0.5)

    @pytest.fixture
    async def bench(self, server: RedisServer) -> AsyncIterator[Bench]:
        made = RedisBench(server)
        yield made
        await made.close()


if VALKEY is not None:

    class TestValkeyStore(TestRedisStore):
        @pytest.fixture(scope="class")
        def shared(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
            with redis_server(tmp_path_factory.mktemp("valkey"), program=VALKEY) as server:
                yield server


# What lies in Redis.


async def test_one_hash_holds_all_of_an_account(bench: RedisBench, store: RedisStore) -> None:
    revision = await written(store, {"n": 1})
    lease = await acquired(store, "one")
    assert bench.admin.keys() == [KEY.encode()]
    assert bench.admin.hget(KEY, "document") == b'{"n": 1}'
    assert bench.admin.hget(KEY, "revision") == f"{revision.number}.{revision.tag}".encode()
    assert bench.admin.hget(KEY, "fence") == f"{lease.fence.number}.{lease.fence.tag}".encode()


async def test_the_largest_numbers_survive(bench: RedisBench, store: RedisStore) -> None:
    bench.admin.hset(KEY, "fence", f"{10**15 - 2}.ab")
    lease = await acquired(store, "one")
    assert lease.fence.number == 10**15 - 1
    assert (await store.read("acc")).fence == lease.fence


async def test_a_lease_that_would_last_too_long_is_none(
    bench: RedisBench, store: RedisStore
) -> None:
    await bench.pass_time(LONGEST_LEASE)
    await acquired(store, "one", ttl=3.0)
    await bench.pass_time(-LONGEST_LEASE)
    assert (await store.read("acc")).lease_owner is None
    await acquired(store, "two")


async def test_the_time_is_that_of_redis(store: RedisStore) -> None:
    assert (await store.read("acc")).now == pytest.approx(time.time(), abs=5.0)


async def test_scripts_that_the_server_forgot_are_sent_again(
    server: RedisServer, store: RedisStore
) -> None:
    await store.read("acc")
    server.command("SCRIPT", "FLUSH")
    assert (await store.read("acc")).revision == NOTHING


async def test_many_calls_at_once_wait_for_their_turn(
    server: RedisServer, bench: RedisBench, store: RedisStore
) -> None:
    before = len(bench.admin.client_list())
    found = await asyncio.gather(*(store.read(f"acc{number}") for number in range(300)))
    assert len(found) == 300
    assert len(bench.admin.client_list()) - before <= 16
    assert server.command("PING") == b"+PONG\r\n"


async def test_a_fleet_that_ended_leaves_no_replicas_behind(
    bench: RedisBench, store: RedisStore
) -> None:
    await shown(store, "a")
    assert 0 < int(bench.admin.pttl(REPLICAS)) <= 60_000


async def test_a_flood_of_replicas_is_washed_away(bench: RedisBench, store: RedisStore) -> None:
    now = int(time.time()) * 1_000_000
    flood: Any = {f"{number:05}": f"{now} {{}}" for number in range(2 * MOST)}
    bench.admin.hset(REPLICAS, mapping=flood)
    assert await shown(store, "a") == ["a"]
    bench.admin.hset(REPLICAS, mapping={f"x{number}": "" for number in range(10 * MOST)})
    assert await shown(store, "b") == ["b"]
    assert bench.admin.hkeys(REPLICAS) == [b"b"]


async def test_a_replica_from_the_future_is_not_shown(bench: RedisBench, store: RedisStore) -> None:
    await bench.pass_time(3600.0)
    await store.beat(presence("a"))
    await bench.pass_time(-3600.0)
    assert await shown(store, "b") == ["b"]


# Content that is not ours.

GOOD = {"document": '{"n": 1}', "revision": "1.ab"}


@pytest.mark.parametrize(
    "fields",
    [
        {"document": "{"},
        {"document": '{"n": 2}'},
        {"document": "[" * 100_000},
        {"revision": "2.ab"},
        {"revision": "one"},
        {"digest": ""},
        {"document": None},
        {"revision": None},
        {"digest": None},
    ],
)
async def test_a_damaged_document_is_neither_read_nor_overwritten(
    bench: RedisBench, store: RedisStore, fields: dict[str, str | None]
) -> None:
    revision = await written(store, {"n": 1})
    for name, content in fields.items():
        if content is None:
            bench.admin.hdel(KEY, name)
        else:
            bench.admin.hset(KEY, name, content)
    before = bench.admin.hgetall(KEY)
    known = (revision, NOTHING, Stamp(2, "ab"))
    calls = [store.write("acc", {"n": 3}, revision=stamp) for stamp in known]
    for call in (store.read("acc"), store.changed("acc", revision), *calls):
        with pytest.raises(StoreContentError, match="not a record of this gateway") as caught:
            await call
        assert KEY in str(caught.value)
        assert "store.url" in str(caught.value)
    assert not await store.set_aside("acc", revision, "nobody can read it")
    assert bench.admin.hgetall(KEY) == before


@pytest.mark.parametrize("document", ["[1]", "7", "{", "[" * 100_000])
async def test_a_whole_document_of_another_kind_stays(
    server: RedisServer, bench: RedisBench, store: RedisStore, document: str
) -> None:
    script = (
        "redis.call('HSET', KEYS[1], 'document', ARGV[1], 'revision', '1.ab',"
        " 'digest', redis.sha1hex('1.ab ' .. ARGV[1]))"
    )
    server.command("EVAL", script, "1", KEY, document)
    with pytest.raises(StoreContentError, match="not a record of this gateway"):
        await store.read("acc")
    assert bench.admin.hget(KEY, "document") == document.encode()


@pytest.mark.parametrize("fence", ["x", "7", "1.UP", "-1.ab", "1" * 16 + ".ab", "1.ab\n"])
async def test_a_fence_that_cannot_be_read_is_told(
    bench: RedisBench, store: RedisStore, fence: str
) -> None:
    bench.admin.hset(KEY, "fence", fence)
    with pytest.raises(StoreContentError, match="fence"):
        await store.acquire("acc", "one", 3.0)
    with pytest.raises(StoreContentError, match="cannot be read"):
        await store.read("acc")
    assert bench.admin.hget(KEY, "fence") == fence.encode()


async def test_a_key_of_another_type(bench: RedisBench, store: RedisStore) -> None:
    for key in (KEY, REPLICAS):
        bench.admin.set(key, "something else")
    with pytest.raises(StoreContentError, match="it is no hash"):
        await store.read("acc")
    for problem in await refusals(store):
        assert isinstance(problem, StoreContentError)
        assert KEY in str(problem)
        assert "delete the key" in str(problem)
    with pytest.raises(StoreContentError, match=REPLICAS):
        await store.beat(presence("a"))
    assert bench.admin.get(KEY) == b"something else"


def test_who_does_not_use_redis_does_not_load_its_client() -> None:
    code = "import sys, gateway.wiring; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
