"""The store in Redis: how replicas hear of each other, and what a caller that leaves costs."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.errors import StoreError, StoreUnavailableError
from gateway.ports import NOTHING, Stamp
from gateway.stores import redis_connections, redis_listener
from gateway.stores.redis import RedisStore
from gateway.stores.redis_options import RedisOptions
from tests.stores.contract_bench import PATIENCE, written
from tests.stores.redis_bench import KEY, PASSWORD, RedisBench, connected, listeners, until
from tests.support.redis_server import RedisServer, redis_server
from tests.support.tcp_proxy import TcpProxy, tcp_proxy


@asynccontextmanager
async def behind_proxy(server: RedisServer) -> AsyncIterator[tuple[RedisStore, TcpProxy]]:
    async with (
        tcp_proxy("127.0.0.1", server.port) as proxy,
        connected(RedisOptions(nodes=(("127.0.0.1", proxy.port),))) as store,
    ):
        yield store, proxy


@asynccontextmanager
async def waiting(
    store: RedisStore, revision: Stamp = NOTHING
) -> AsyncIterator[asyncio.Task[None]]:
    """Somebody who waits for news of `acc`, ended at the end."""
    task = asyncio.create_task(store.changed("acc", revision))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def done(task: asyncio.Task[None], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        await task


# News.


async def test_a_lost_message_is_made_good_by_a_look(
    server: RedisServer, bench: RedisBench, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_listener, "POLL", 0.3)
    await written(store, {"n": 1})
    quiet = await bench.snapshot()
    server.command("DEL", KEY)
    async with waiting(store) as task:
        await until(lambda: listeners(server) == 1)
        await bench.restore(quiet)
        await done(task)


async def test_news_come_by_message(
    server: RedisServer, bench: RedisBench, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_listener, "POLL", 60.0)
    async with waiting(store) as task:
        await until(lambda: listeners(server) == 1)
        await asyncio.sleep(0.2)  # not the look after the subscription, either
        await written(bench.connect(), {"n": 1})
        await done(task)


async def test_all_who_wait_in_a_replica_share_one_connection(
    server: RedisServer, store: RedisStore
) -> None:
    tasks = [asyncio.create_task(store.changed(f"a{n}", NOTHING)) for n in range(50)]
    await until(lambda: listeners(server) == 1)
    for n in range(50):
        await store.write(f"a{n}", {}, revision=NOTHING)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*tasks)
    assert listeners(server) == 1


async def test_who_may_not_use_the_channel_still_writes_and_looks(
    server: RedisServer, store: RedisStore
) -> None:
    words = ("on", f">{PASSWORD}", "~*", "resetchannels", "+@all")
    server.command("ACL", "SETUSER", "mute", *words)
    options = RedisOptions(
        nodes=(("localhost", server.port),), username="mute", password=lambda: PASSWORD
    )
    async with connected(options) as mute:
        async with waiting(mute) as task:
            revision = await written(mute, {"n": 1})
            await done(task)
        async with waiting(mute, revision) as task:
            await asyncio.sleep(0.3)
            assert not task.done()
            await written(store, {"n": 2}, revision)
            await done(task)


# Servers that go and come back.


async def test_a_restarted_and_empty_server_is_noticed_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_listener, "POLL", 60.0)
    with redis_server(tmp_path) as server:
        async with connected(server.options) as store:
            revision = await written(store, {"n": 1})
            async with waiting(store, revision) as task:
                await until(lambda: listeners(server) == 1)
                server.kill()
                with pytest.raises(StoreUnavailableError):
                    await done(task)
            await asyncio.sleep(2.0)  # the pauses between attempts have grown
            server.start()
            async with waiting(store, revision) as task:
                await done(task, 2.0)
            await until(lambda: listeners(server) == 1, 3.0)


async def test_a_listener_that_was_cut_off_alone_listens_again(
    server: RedisServer, bench: RedisBench, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_listener, "POLL", 60.0)
    async with waiting(store) as task:
        for _ in range(3):
            await until(lambda: listeners(server) == 1)
            server.command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: listeners(server) == 1)
        assert not task.done()
        await written(bench.connect(), {"n": 1})
        await done(task)


async def test_a_peer_that_died_silently_is_noticed(
    server: RedisServer, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_listener, "POLL", 60.0)
    monkeypatch.setattr(redis_listener, "CHECK", 0.2)
    monkeypatch.setattr(redis_connections, "ANSWER_TIMEOUT", 0.5)
    async with behind_proxy(server) as (far, proxy):
        async with waiting(far) as task:
            await until(lambda: listeners(server) == 1)
            proxy.blackhole()
            with pytest.raises(StoreUnavailableError, match="does not answer in time"):
                await done(task)
        await written(store, {"n": 1})
        await proxy.heal()
        async with waiting(far) as task:
            await done(task)


async def test_a_quiet_server_is_not_taken_for_a_dead_one(
    server: RedisServer, bench: RedisBench, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_listener, "CHECK", 0.05)
    async with waiting(store):
        await until(lambda: listeners(server) == 1)
        (before,) = [one["id"] for one in bench.admin.client_list(_type="pubsub")]
        await asyncio.sleep(0.5)
        (after,) = [one["id"] for one in bench.admin.client_list(_type="pubsub")]
        assert before == after


async def test_while_the_server_is_away_every_look_says_so(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with connected(server.options) as store:
            server.kill()
            for _ in range(3):
                with pytest.raises(StoreUnavailableError):
                    await done(asyncio.create_task(store.changed("acc", NOTHING)), 4.0)


# Closing.


async def test_closing_ends_all_waiting_and_leaves_nothing(server: RedisServer) -> None:
    before = asyncio.all_tasks()
    async with connected(server.options) as store:
        tasks = [asyncio.create_task(store.changed("acc", NOTHING)) for _ in range(5)]
        await until(lambda: listeners(server) == 1)
    async with asyncio.timeout(PATIENCE):
        for problem in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(problem, StoreUnavailableError)
            assert "closed" in str(problem)
    assert asyncio.all_tasks() == before
    await until(lambda: listeners(server) == 0)
    await store.close()
    with pytest.raises(StoreUnavailableError):
        await store.changed("acc", NOTHING)
    assert asyncio.all_tasks() == before


async def test_closing_does_not_wait_for_a_server_that_hangs(server: RedisServer) -> None:
    async with behind_proxy(server) as (far, proxy):
        await far.read("acc")
        proxy.blackhole()
        reading = [asyncio.create_task(far.read("acc")) for _ in range(40)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(1.0):
            await far.close()
            for problem in await asyncio.gather(*reading, return_exceptions=True):
                assert isinstance(problem, StoreUnavailableError)


# Callers that go away.


async def test_a_waiter_that_is_cancelled_ends_at_once_whenever_it_is(
    server: RedisServer, store: RedisStore
) -> None:
    chance = random.Random(7)
    before = asyncio.all_tasks()
    for _ in range(200):
        tasks = [asyncio.create_task(store.changed("acc", NOTHING)) for _ in range(3)]
        await asyncio.sleep(chance.choice([0, chance.uniform(0, 0.004)]))
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert all(task.cancelled() for task in tasks)
        if chance.random() < 0.1:
            server.command("CLIENT", "KILL", "TYPE", "pubsub")
    await until(lambda: listeners(server) == 1)
    await until(lambda: len(asyncio.all_tasks()) <= len(before) + 1)
    found = await asyncio.gather(*(store.read("acc") for _ in range(50)))
    assert {one.revision for one in found} == {NOTHING}


async def test_stores_that_are_cancelled_and_closed_while_they_connect_leave_nothing(
    server: RedisServer,
) -> None:
    chance = random.Random(11)
    before = asyncio.all_tasks()
    for _ in range(100):
        async with connected(server.options) as store:
            task = asyncio.create_task(store.changed("acc", NOTHING))
            for _ in range(chance.randrange(30)):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task], timeout=0.5)
            assert task.cancelled()
    assert asyncio.all_tasks() == before
    await until(lambda: listeners(server) == 0)


async def test_after_calls_that_were_cancelled_midway_all_get_their_own_answers(
    server: RedisServer, store: RedisStore
) -> None:
    for number in range(20):
        await store.write(f"a{number}", {"n": number}, revision=NOTHING)
    async with behind_proxy(server) as (far, proxy):
        for _ in range(5):
            hold = proxy.hold(b'{"n": 3}', "down")
            leaving = asyncio.create_task(far.read("a3"))
            async with asyncio.timeout(PATIENCE):
                await hold.reached.wait()
            leaving.cancel()
            await asyncio.wait([leaving], timeout=0.5)
            assert leaving.cancelled()
            others = [far.read(f"a{number}") for number in range(20) if number != 3]
            found = [one.document for one in await asyncio.gather(*others)]
            assert found == [{"n": number} for number in range(20) if number != 3]
            hold.release()
            assert (await far.read("a3")).document == {"n": 3}


async def test_an_answer_that_comes_too_late_is_nobodys(
    server: RedisServer, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_connections, "ANSWER_TIMEOUT", 0.3)
    await store.write("late", {"n": "late"}, revision=NOTHING)
    await store.write("other", {"n": "other"}, revision=NOTHING)
    async with behind_proxy(server) as (far, proxy):
        for _ in range(3):
            hold = proxy.hold(b'{"n": "late"}', "down")
            with pytest.raises(StoreError, match="does not answer in time"):
                await far.read("late")
            hold.release()
            assert (await far.read("other")).document == {"n": "other"}


async def test_calls_whose_connection_is_cut_are_told_and_the_next_work(
    server: RedisServer,
) -> None:
    async with behind_proxy(server) as (far, proxy):
        revision = await written(far, {"n": 1})
        hold = proxy.hold(b"zoom-gateway:{acc}")
        reading = asyncio.create_task(far.read("acc"))
        async with asyncio.timeout(PATIENCE):
            await hold.reached.wait()
        hold.drop()
        with pytest.raises(StoreUnavailableError, match="no connection"):
            await reading
        assert (await far.read("acc")).revision == revision
