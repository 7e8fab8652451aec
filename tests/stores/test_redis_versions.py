"""What gateways of later versions may leave in the same Redis, and what it does to this one."""

import asyncio
import json
from typing import Any

from gateway.stores.redis import REPLICAS, RedisStore
from tests.stores.contract_bench import PATIENCE, acquired, presence, shown, written
from tests.stores.redis_bench import KEY, RedisBench, listeners, until
from tests.support.redis_server import RedisServer

CHANNEL = "zoom-gateway:changed"

STRANGE = (
    b"",
    b"\xff\xfe",
    b"acc\n",
    b"acc 7.ab",
    b'{"account": "acc", "revision": "7.ab"}',
    b"x" * 100_000,
)
"""News in other forms than an account's name."""


async def test_other_fields_of_an_accounts_hash_stay(bench: RedisBench, store: RedisStore) -> None:
    await written(store, {"n": 1})
    bench.admin.hset(KEY, mapping={"shards": "3", "document:2": "{}"})
    lease = await acquired(store, "one")
    found = await store.read("acc")
    await written(store, {"n": 2}, found.revision, lease.fence)
    assert await store.renew(lease, 3.0)
    await store.release(lease)
    assert (await store.read("acc")).document == {"n": 2}
    assert bench.admin.hmget(KEY, "shards", "document:2") == [b"3", b"{}"]


async def test_news_that_are_not_understood_wake_nobody_and_break_nothing(
    server: RedisServer, bench: RedisBench, store: RedisStore
) -> None:
    revision = await written(store, {"n": 1})
    waiting = asyncio.create_task(store.changed("acc", revision))
    await until(lambda: listeners(server) == 1)
    for message in STRANGE:
        assert bench.admin.publish(CHANNEL, message) == 1
    bench.admin.publish(f"{CHANNEL}:2", "acc")
    assert not waiting.done()
    # The same connection still hears what is meant for it.
    await written(bench.connect(), {"n": 2}, revision)
    async with asyncio.timeout(PATIENCE):
        await waiting
    assert listeners(server) == 1


async def test_scripts_of_others_and_forgotten_ones_do_no_harm(
    bench: RedisBench, store: RedisStore
) -> None:
    revision = await written(store, {"n": 1})
    other: Any = bench.admin.script_load("return redis.call('HGETALL', KEYS[1])")
    bench.admin.evalsha(other, 1, KEY)
    bench.admin.script_flush()
    assert await store.write("acc", {"n": 2}, revision=revision)
    assert await shown(store, "a") == ["a"]


async def test_heartbeats_of_later_versions_are_shown_as_far_as_they_are_understood(
    bench: RedisBench, store: RedisStore
) -> None:
    seconds, rest = bench.admin.time()
    now = f"{int(seconds) * 1_000_000 + int(rest) - 1_000_000}"
    known = {"version": "9.0", "address": "10.0.0.9:80", "since": 1.0, "generations": {"acc": 4}}
    more = {**known, "zone": "b", "tls": {"until": 5}}
    other = {**known, "generations": [["acc", 4]]}
    entries: dict[Any, Any] = {
        "more": f"{now} {json.dumps(more)}",
        "other": f"{now} {json.dumps(other)}",
    }
    bench.admin.hset(REPLICAS, mapping=dict(entries))
    me, newer = await store.beat(presence("a"))
    assert (me.name, newer.name, newer.version, newer.address) == (
        "a",
        "more",
        "9.0",
        "10.0.0.9:80",
    )
    assert newer.extra == {"zone": "b", "tls": {"until": 5}}
    assert bench.admin.hmget(REPLICAS, *entries) == [text.encode() for text in entries.values()]
