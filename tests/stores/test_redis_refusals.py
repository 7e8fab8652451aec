"""The store in Redis: what is said when a server says no, and what is found again afterwards."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.core.errors import StoreRefusedError, StoreUnavailableError
from gateway.ports import NOTHING, Lease
from gateway.stores import redis_connections
from gateway.stores.redis import REPLICAS, RedisStore
from gateway.stores.redis_options import RedisOptions
from tests.stores.certificates import Authority
from tests.stores.contract_bench import acquired, presence, shown, written
from tests.stores.redis_bench import (
    KEY,
    PASSWORD,
    RedisBench,
    check_unavailable,
    connected,
    refusals,
    until,
)
from tests.support.redis_server import RedisServer, redis_server

# Servers that are away.


async def test_a_killed_server_is_told_and_found_again(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with connected(server.options) as store:
            await written(store, {"n": 1})
            server.kill()
            for problem in await refusals(store):
                check_unavailable(problem, "no connection")
                assert not isinstance(problem, StoreRefusedError)
            assert "(Connection refused)" in str(problem)
            with pytest.raises(StoreUnavailableError, match=REPLICAS):
                await store.beat(presence("a"))
            server.start()
            await written(store, {"n": 2})
            assert await shown(store, "a") == ["a"]


async def test_a_restart_between_two_calls_is_not_noticed(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with connected(server.options) as store:
            await store.read("acc")
            server.kill()
            server.start()
            await asyncio.sleep(0.1)  # the end of the old connection arrives
            assert (await store.read("acc")).revision == NOTHING


async def test_a_server_that_hangs_is_told_and_waited_for(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with connected(server.options) as store:
            revision = await written(store, {"n": 1})
            server.pause()
            with pytest.raises(StoreUnavailableError) as caught:
                await store.read("acc")
            check_unavailable(caught.value, "does not answer in time")
            server.resume()
            assert (await store.read("acc")).revision == revision


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b":x\r\n", b"*2\r\n$-5\r\n", b""]
)
async def test_what_is_no_redis_is_told(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(redis_connections, "ANSWER_TIMEOUT", 0.2)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(said)
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with other:
        port = other.sockets[0].getsockname()[1]
        async with connected(RedisOptions(nodes=(("127.0.0.1", port),))) as store:
            with pytest.raises(StoreUnavailableError) as caught:
                await store.read("acc")
    check_unavailable(caught.value, "Redis at 127.0.0.1")


async def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_connections, "ANSWER_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with connected(RedisOptions(nodes=(("127.0.0.1", port),))) as store:
            with pytest.raises(StoreUnavailableError) as caught:
                await store.read("acc")
    check_unavailable(caught.value, "does not answer in time")


# Servers that say no.


@pytest.mark.parametrize(
    ("user", "password"), [(None, f"not-{PASSWORD}"), (None, None), ("other", PASSWORD)]
)
async def test_a_wrong_password(
    bench: RedisBench, server: RedisServer, user: str | None, password: str | None
) -> None:
    server.command("ACL", "SETUSER", "default", "resetpass", f">{PASSWORD}")
    try:
        store = bench.connect(username=user, password=lambda: password)
        for problem in await refusals(store):
            assert isinstance(problem, StoreRefusedError)
            check_unavailable(problem, "refuses the user or the password")
            assert problem.__cause__ is None
        with pytest.raises(StoreRefusedError):
            await store.changed("acc", NOTHING)
    finally:
        with_password = RedisServer(Path(), password=PASSWORD)
        with_password.port = server.port
        with_password.command("ACL", "SETUSER", "default", "nopass")


async def test_a_password_that_the_server_does_not_ask_for(bench: RedisBench) -> None:
    for problem in await refusals(bench.connect(password=lambda: PASSWORD)):
        assert isinstance(problem, StoreRefusedError)
        check_unavailable(problem, "refuses the user or the password")


async def test_a_password_that_changes_is_used_at_the_next_connection(
    server: RedisServer, bench: RedisBench
) -> None:
    now = "old"
    server.command("ACL", "SETUSER", "turning", "on", ">old", "~*", "&*", "+@all")
    store = bench.connect(username="turning", password=lambda: now)
    revision = await written(store, {"n": 1})
    server.command("ACL", "SETUSER", "turning", "<old", ">new")
    server.command("CLIENT", "KILL", "USER", "turning")
    await asyncio.sleep(0.1)  # the end of the connection arrives
    with pytest.raises(StoreRefusedError):
        await store.read("acc")
    now = "new"
    assert (await store.read("acc")).revision == revision


@pytest.mark.parametrize("kind", [OSError, ValueError])
async def test_a_password_that_cannot_be_read_lets_nothing_pass(
    bench: RedisBench, kind: type[Exception]
) -> None:
    broken = True

    def password() -> str | None:
        if broken:
            raise kind(PASSWORD)
        return None

    store = bench.connect(password=password)
    for _ in range(2):  # the second call must not use a connection of the first
        for problem in await refusals(store):
            check_unavailable(problem, "password cannot be read")
    broken = False
    await written(store, {"n": 1})


async def test_a_database_that_is_not_there(bench: RedisBench) -> None:
    for problem in await refusals(bench.connect(database=99)):
        check_unavailable(problem, "has that database")


async def test_another_database_is_another_store(bench: RedisBench) -> None:
    await written(bench.connect(database=3), {"n": 1})
    assert (await bench.connect().read("acc")).revision == NOTHING


async def test_a_read_only_replica_is_neither_written_nor_read(
    tmp_path: Path, server: RedisServer, bench: RedisBench
) -> None:
    revision = await written(bench.connect(), {"n": 1})
    with redis_server(tmp_path, "--replicaof", "127.0.0.1", str(server.port)) as replica:
        await until(lambda: replica.command("EXISTS", KEY) == b":1\r\n")
        async with connected(replica.options) as store:
            for call in (
                store.read("acc"),
                store.write("acc", {"n": 2}, revision=revision),
                store.acquire("acc", "one", 3.0),
                store.renew(Lease("acc", "one", NOTHING), 3.0),
            ):
                with pytest.raises(StoreUnavailableError) as caught:
                    await call
                check_unavailable(caught.value, "name the primary")
            with pytest.raises(StoreUnavailableError, match="name the primary"):
                await store.beat(presence("a"))


async def test_full_memory(server: RedisServer, bench: RedisBench) -> None:
    store = bench.connect()
    lease = await acquired(store, "one")
    server.command("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailableError) as caught:
            await store.write("acc", {"n": 1}, revision=NOTHING)
        check_unavailable(caught.value, "memory is full")
        assert (await store.read("acc")).lease_owner == "one"
        assert await store.renew(lease, 3.0)
        await store.release(lease)
        await store.leave("a")
    finally:
        server.command("CONFIG", "SET", "maxmemory", "0")
    found = await store.read("acc")
    assert (found.document, found.lease_owner) == (None, None)


async def test_a_server_that_may_not_lose_writes_is_read_all_the_same(
    server: RedisServer, bench: RedisBench
) -> None:
    store = bench.connect()
    revision = await written(store, {"n": 1})
    server.command("CONFIG", "SET", "min-replicas-to-write", "1")
    try:
        with pytest.raises(StoreUnavailableError, match="takes no writes at the moment"):
            await store.write("acc", {"n": 2}, revision=revision)
        assert (await store.read("acc")).revision == revision
    finally:
        server.command("CONFIG", "SET", "min-replicas-to-write", "0")


async def test_a_user_without_rights(server: RedisServer, bench: RedisBench) -> None:
    server.command("ACL", "SETUSER", "poor", "on", f">{PASSWORD}", "~*", "&*", "+ping")
    for problem in await refusals(bench.connect(username="poor", password=lambda: PASSWORD)):
        assert isinstance(problem, StoreRefusedError)
        check_unavailable(problem, "ACL")


async def test_the_rights_that_are_named_are_all_that_it_takes(
    server: RedisServer, bench: RedisBench
) -> None:
    # Of another database than the first, which must be chosen.
    poor = bench.connect(username="least", password=lambda: PASSWORD, database=1)
    server.command("ACL", "SETUSER", "least", "on", f">{PASSWORD}", "+ping")
    (problem, _) = await refusals(poor)
    _, _, told = str(problem).partition("the commands ")
    commands = told.partition(" (store.url)")[0].replace(" and ", ", ").split(", ")
    rights = ("~zoom-gateway:*", "&zoom-gateway:changed", *(f"+{one}" for one in commands))
    assert server.command("ACL", "SETUSER", "least", *rights) == b"+OK\r\n"
    server.command("ACL", "LOG", "RESET")
    lease = await acquired(poor, "one")
    revision = await written(poor, {"n": 1}, fence=lease.fence)
    await poor.renew(lease, 3.0)
    await poor.release(lease)
    await poor.changed("acc", NOTHING)
    assert await shown(poor, "a") == ["a"]
    await poor.leave("a")
    assert (await poor.read("acc")).revision == revision
    denied = bench.admin.acl_log()
    assert [one["object"] for one in denied if one["object"] != "client|setinfo"] == []


# TLS.


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secure(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    options = authority.server_options(authority.issue("localhost"))
    tls = authority.context(authority.issue())
    with redis_server(tmp_path_factory.mktemp("redis"), *options, tls=tls) as server:
        yield server


async def test_tls_with_a_client_certificate(secure: RedisServer) -> None:
    async with connected(secure.options) as one, connected(secure.options) as other:
        waiting = asyncio.create_task(one.changed("acc", NOTHING))
        await written(other, {"n": 1})
        async with asyncio.timeout(10):
            await waiting
        assert secure.url.startswith("rediss://")


async def test_tls_without_a_client_certificate(secure: RedisServer, authority: Authority) -> None:
    options = RedisOptions(nodes=(("localhost", secure.port),), tls=authority.context)
    async with connected(options) as store:
        for problem in await refusals(store):
            check_unavailable(problem, "no connection")


def _same(tls: ssl.SSLContext) -> ssl.SSLContext:
    return tls


async def test_tls_checks_who_signed_and_for_whom(
    secure: RedisServer, authority: Authority, tmp_path: Path
) -> None:
    client = authority.issue()
    stranger = Authority(tmp_path, "stranger").context(client)
    cases: tuple[tuple[str, ssl.SSLContext, str], ...] = (
        ("localhost", stranger, "self-signed certificate in certificate chain"),
        ("127.0.0.1", authority.context(client), "IP address mismatch"),
    )
    for host, tls, hint in cases:
        options = RedisOptions(nodes=((host, secure.port),), tls=partial(_same, tls))
        async with connected(options) as store:
            with pytest.raises(StoreUnavailableError) as caught:
                await store.read("acc")
            check_unavailable(caught.value, hint)


async def test_files_of_tls_that_cannot_be_used_are_told_and_asked_for_again(
    secure: RedisServer,
) -> None:
    broken = True
    inner = secure.options.tls
    assert inner is not None

    def tls() -> object:
        if broken:
            raise FileNotFoundError(2, "No such file or directory")
        return inner()

    options = RedisOptions(nodes=(("localhost", secure.port),), tls=tls)  # type: ignore[arg-type]
    async with connected(options) as store:
        with pytest.raises(StoreUnavailableError, match="No such file"):
            await store.read("acc")
        broken = False
        await store.read("acc")


async def test_a_server_without_tls_is_not_spoken_to_in_clear(
    server: RedisServer, authority: Authority
) -> None:
    options = RedisOptions(
        nodes=(("localhost", server.port),), tls=authority.context, password=lambda: PASSWORD
    )
    store = RedisStore(options)
    with pytest.raises(StoreUnavailableError, match="TLS"):
        await store.read("acc")
    await store.close()
