"""The store in Redis with Sentinels: the primary is found, also when it is another."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.core.errors import StoreRefusedError, StoreUnavailableError
from gateway.ports import NOTHING, Stamp, Stored
from gateway.stores import redis_listener
from gateway.stores.redis import RedisStore
from tests.stores.certificates import Authority
from tests.stores.contract_bench import written
from tests.stores.redis_bench import (
    KEY,
    PASSWORD,
    check_unavailable,
    connected,
    listeners,
    until,
)
from tests.support.redis_server import MASTER, RedisServer, Sentinel, free_port, running
from tests.support.tcp_proxy import tcp_proxy

FAILOVER = 20.0
"""Seconds in which a failover must be over; it takes about one."""


@dataclass(frozen=True)
class Trio:
    """A primary, its replica, and the Sentinel that knows both."""

    primary: RedisServer
    replica: RedisServer
    sentinel: Sentinel

    def is_followed(self) -> bool:
        """Whether the Sentinel knows the replica, which is in step."""
        known = self.sentinel.command("SENTINEL", "REPLICAS", MASTER)
        return (
            str(self.replica.port).encode() in known
            and b"master-link-status\r\n$2\r\nok" in known
            and b"master_link_status:up" in self.replica.command("INFO", "replication")
        )


@contextmanager
def trio(
    directory: Path, authority: Authority | None = None, password: str | None = None
) -> Iterator[Trio]:
    options: tuple[str, ...] = ()
    tls = None
    if authority is not None:
        options = authority.server_options(authority.issue("localhost", "127.0.0.1"))
        tls = authority.context(authority.issue())
    primary = RedisServer(directory, *options, password=password, tls=tls)
    with running(primary):
        follow = ("--replicaof", "127.0.0.1", str(primary.port))
        replica = RedisServer(directory, *options, *follow, password=password, tls=tls)
        sentinel = Sentinel(directory, primary, *options, password=password)
        with running(replica, sentinel):
            yield Trio(primary, replica, sentinel)


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[Trio]:
    with trio(tmp_path) as servers:
        await until(servers.is_followed)
        yield servers


async def read(store: RedisStore) -> Stored:
    """Read as soon as the store can be reached."""
    async with asyncio.timeout(FAILOVER):
        while True:
            with contextlib.suppress(StoreUnavailableError):
                return await store.read("acc")
            await asyncio.sleep(0.05)


async def in_step(three: Trio) -> None:
    """The replica has what the primary has."""
    wanted = three.primary.command("HGET", KEY, "revision")
    await until(lambda: three.replica.command("HGET", KEY, "revision") == wanted)


async def test_after_a_failover_the_new_primary_is_found(
    three: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_listener, "CHECK", 0.2)
    async with connected(three.sentinel.options) as store:
        revision = await written(store, {"n": 1})
        waiting = asyncio.create_task(store.changed("acc", revision))
        await until(lambda: listeners(three.primary) == 1)
        await in_step(three)
        assert three.sentinel.command("SENTINEL", "FAILOVER", MASTER) == b"+OK\r\n"
        await until(lambda: listeners(three.replica) == 1)
        # The old primary goes on for some ten seconds as if nothing had happened.
        assert b"role:master" in three.primary.command("INFO", "replication")
        assert not waiting.done()
        revision = await written(store, {"n": 2}, revision)
        assert str(revision).encode() in three.replica.command("HGET", KEY, "revision")
        async with asyncio.timeout(FAILOVER):
            await waiting


async def test_a_killed_primary_is_left_for_the_new_one(three: Trio) -> None:
    async with connected(three.sentinel.options) as store, connected(three.sentinel.options) as far:
        revision = await written(store, {"n": 1})
        await far.read("acc")
        await in_step(three)
        three.primary.kill()
        with pytest.raises(StoreUnavailableError) as caught:
            await store.read("acc")
        check_unavailable(caught.value, "no connection")
        for one in (store, far):
            assert (await read(one)).revision == revision
        await written(far, {"n": 2}, revision)


async def test_a_primary_that_was_demoted_behind_our_back_is_left(three: Trio) -> None:
    async with connected(three.sentinel.options) as store:
        revision = await written(store, {"n": 1})
        await in_step(three)
        calls = [store.read("acc") for _ in range(8)]  # as many connections
        await asyncio.gather(*calls)
        # Without a Sentinel that cuts the connections, which go on leading to a replica.
        three.replica.command("REPLICAOF", "NO", "ONE")
        three.primary.command("REPLICAOF", "127.0.0.1", str(three.replica.port))
        with pytest.raises(StoreUnavailableError, match="wait for the end of a failover"):
            await store.write("acc", {"n": 2}, revision=revision)
        with pytest.raises(StoreUnavailableError, match="wait for the end of a failover"):
            await store.read("acc")
        three.sentinel.command("SENTINEL", "REMOVE", MASTER)
        port = str(three.replica.port)
        three.sentinel.command("SENTINEL", "MONITOR", MASTER, "127.0.0.1", port, "1")
        assert (await store.read("acc")).revision == revision
        found = await asyncio.gather(*(store.read("acc") for _ in range(16)))
        assert {one.revision for one in found} == {revision}
        await written(store, {"n": 2}, revision)


async def test_sentinels_that_are_away_or_hang_are_passed_over(three: Trio) -> None:
    async with tcp_proxy("127.0.0.1", three.sentinel.port) as hanging:
        hanging.blackhole()
        nodes = (
            ("127.0.0.1", hanging.port),
            ("127.0.0.1", free_port()),
            ("127.0.0.1", three.sentinel.port),
        )
        for order in (nodes, nodes[::-1]):
            async with connected(replace(three.sentinel.options, nodes=order)) as store:
                async with asyncio.timeout(0.9):
                    assert (await store.read("acc")).revision == NOTHING


async def test_a_master_that_no_sentinel_knows(three: Trio) -> None:
    nodes = (("127.0.0.1", free_port()), ("127.0.0.1", three.sentinel.port))
    options = replace(three.sentinel.options, nodes=nodes, sentinel_master="other")
    async with connected(options) as store:
        with pytest.raises(StoreUnavailableError) as caught:
            await store.read("acc")
        check_unavailable(caught.value, "no Sentinel knows a primary of this name")
        assert "(other)" in str(caught.value)


async def test_no_sentinel_at_all() -> None:
    options = Sentinel.options_of(free_port())
    async with connected(options) as store:
        with pytest.raises(StoreUnavailableError) as caught:
            await store.changed("acc", Stamp(1, "a"))
        check_unavailable(caught.value, "Connection refused")


async def test_passwords_and_tls_for_both(tmp_path: Path) -> None:
    with trio(tmp_path, Authority(tmp_path), PASSWORD) as three:
        await until(three.is_followed)
        right = three.sentinel.options
        async with connected(right) as store:
            revision = await written(store, {"n": 1})
            await in_step(three)
            three.primary.kill()
            assert (await read(store)).revision == revision
        for wrong in (
            replace(right, sentinel_password=lambda: "wrong"),
            replace(right, password=lambda: "wrong"),
        ):
            async with connected(wrong) as store:
                with pytest.raises(StoreRefusedError) as caught:
                    await store.read("acc")
                check_unavailable(caught.value, "refuses the user or the password")
