"""The store in Redis: the contract on a real server, and what is said when a server says no."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.errors import StoreContentError, StoreError, StoreUnavailableError
from gateway.stores import redis as redis_store
from gateway.stores.record import LONGEST_LEASE
from gateway.stores.redis import RedisStore
from tests.stores.contract import PATIENCE, Bench, StoreContract, acquired
from tests.support.redis_server import RedisServer, redis_server

KEY = "zoom-gateway:{acc}"
PASSWORD = "canary-Zx81"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(shared: RedisServer) -> RedisServer:
    shared.command("FLUSHALL")
    return shared


class RedisBench:
    """Replicas with a connection each; all add the same to Redis' time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.offset_ms = 0
        self.stores: list[RedisStore] = []

    def connect(self) -> RedisStore:
        self.stores.append(RedisStore(self.url, lambda: self.offset_ms))
        return self.stores[-1]

    async def pass_time(self, seconds: float) -> None:
        self.offset_ms += round(seconds * 1000)

    async def close(self) -> None:
        for store in self.stores:
            await store.close()


@pytest.fixture
async def bench(server: RedisServer) -> AsyncIterator[RedisBench]:
    made = RedisBench(server.url)
    yield made
    await made.close()


@pytest.fixture
def store(bench: RedisBench) -> RedisStore:
    return bench.connect()


class TestRedisStore(StoreContract):
    @pytest.fixture
    async def bench(self, server: RedisServer) -> AsyncIterator[Bench]:
        made = RedisBench(server.url)
        yield made
        await made.close()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(url)
    try:
        yield store
    finally:
        await store.close()


async def refusals(store: RedisStore) -> list[StoreError]:
    """What each call that writes raises."""
    found: list[StoreError] = []
    for call in (
        store.write("acc", {"n": 1}, revision=0),
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


# What lies in Redis.


async def test_one_hash_holds_all_of_an_account(server: RedisServer, store: RedisStore) -> None:
    await store.write("acc", {"n": 1}, revision=0)
    await acquired(store, "one")
    assert server.command("KEYS", "*") == b"*1\r\n$18\r\nzoom-gateway:{acc}\r\n"
    assert b'{"n": 1}' in server.command("HGET", KEY, "document")


async def test_large_numbers_survive(server: RedisServer, store: RedisStore) -> None:
    large = 2**62 + 1
    server.command("HSET", KEY, "document", "{}", "revision", str(large), "fence", str(large))
    lease = await acquired(store, "one")
    assert not await store.write("acc", {}, revision=large - 1)
    assert not await store.write("acc", {}, revision=large, fence=large)
    assert await store.write("acc", {}, revision=large, fence=lease.fence)
    found = await store.read("acc")
    assert (found.revision, found.fence, lease.fence) == (large + 1, large + 1, large + 1)


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
    assert (await store.read("acc")).revision == 0


# News.


async def test_a_lost_message_is_made_good_by_a_look(
    server: RedisServer, store: RedisStore
) -> None:
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(store.changed("acc", 0))
        while b":0\r\n" in server.command("PUBSUB", "NUMSUB", f"{KEY}:changed"):
            await asyncio.sleep(0.01)
        server.command("HSET", KEY, "document", "{}", "revision", "1")


async def test_news_come_by_message(
    bench: RedisBench, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_store, "POLL", 60.0)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(store.changed("acc", 0))
        await bench.connect().write("acc", {"n": 1}, revision=0)


async def test_who_may_not_use_the_channel_still_writes_and_looks(
    server: RedisServer, store: RedisStore
) -> None:
    words = ("on", f">{PASSWORD}", "~*", "resetchannels", "+@all")
    server.command("ACL", "SETUSER", "mute", *words)
    async with connected(f"redis://mute:{PASSWORD}@localhost:{server.port}/0") as mute:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(mute.changed("acc", 0))
            assert await mute.write("acc", {"n": 1}, revision=0)
        assert (await store.read("acc")).document == {"n": 1}


async def test_closing_ends_all_waiting_and_leaves_nothing(server: RedisServer) -> None:
    before = asyncio.all_tasks()
    async with connected(server.url) as store:
        waiting = asyncio.create_task(store.changed("acc", 0))
        await store.read("acc")
        await asyncio.sleep(0.1)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(StoreUnavailableError):
            await waiting
    assert asyncio.all_tasks() == before
    await store.close()


# Content that is not ours.


@pytest.mark.parametrize(
    "fields",
    [
        ("document", "{", "revision", "1"),
        ("document", "[" * 100_000, "revision", "1"),
        ("document", "[1]", "revision", "1"),
        ("document", "{}"),
        ("document", "{}", "revision", "one"),
        ("document", "{}", "revision", "01"),
        ("document", "{}", "revision", "1", "fence", "x"),
    ],
)
async def test_a_document_that_cannot_be_read_stays(
    server: RedisServer, store: RedisStore, fields: tuple[str, ...]
) -> None:
    server.command("HSET", KEY, *fields)
    before = server.command("HGETALL", KEY)
    with pytest.raises(StoreContentError, match="not a record of this gateway") as caught:
        await store.read("acc")
    assert KEY in str(caught.value)
    assert not await store.set_aside("acc", 1, "nobody can read it")
    assert server.command("HGETALL", KEY) == before


async def test_a_fence_that_is_no_number_is_told(server: RedisServer, store: RedisStore) -> None:
    server.command("HSET", KEY, "fence", "x")
    with pytest.raises(StoreContentError, match="no number"):
        await store.acquire("acc", "one", 3.0)


async def test_a_key_of_another_type(server: RedisServer, store: RedisStore) -> None:
    server.command("SET", KEY, "something else")
    with pytest.raises(StoreContentError, match="it is no hash"):
        await store.read("acc")
    for problem in await refusals(store):
        assert isinstance(problem, StoreContentError)
        assert KEY in str(problem)
        assert "delete the key" in str(problem)
    assert b"something else" in server.command("GET", KEY)


# Servers that say no.


async def test_a_killed_server_is_told_and_found_again(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with connected(server.url) as store:
            assert await store.write("acc", {"n": 1}, revision=0)
            waiting = asyncio.create_task(store.changed("acc", 1))
            await asyncio.sleep(0.1)
            server.kill()
            for problem in await refusals(store):
                check_unavailable(problem, "check that it runs")
            with pytest.raises(StoreUnavailableError):
                await waiting
            server.start()
            assert await store.write("acc", {"n": 2}, revision=0)
            assert (await store.read("acc")).document == {"n": 2}


async def test_a_restart_between_two_calls_is_not_noticed(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with connected(server.url) as store:
            await store.read("acc")
            server.kill()
            server.start()
            await asyncio.sleep(0.1)  # the end of the old connection arrives
            assert (await store.read("acc")).revision == 0


async def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "ANSWER_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with connected(f"redis://127.0.0.1:{port}/0") as store:
            with pytest.raises(StoreUnavailableError) as caught:
                await store.read("acc")
    check_unavailable(caught.value, "does not answer in time")


@pytest.mark.parametrize(
    ("required", "user"),
    [(PASSWORD, f":not-{PASSWORD}@"), (PASSWORD, ""), (PASSWORD, f"other:{PASSWORD}@")],
)
async def test_a_wrong_password(tmp_path: Path, required: str, user: str) -> None:
    with redis_server(tmp_path, "--requirepass", required) as server:
        async with connected(f"redis://{user}localhost:{server.port}/0") as store:
            for problem in await refusals(store):
                check_unavailable(problem, "refuses the user or the password")
            with pytest.raises(StoreUnavailableError):
                await store.changed("acc", 0)


async def test_the_right_password_percent_encoded(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--requirepass", "p@ss/w:rd%") as server:
        url = f"redis://:p%40ss%2Fw%3Ard%25@localhost:{server.port}/3"
        async with connected(url) as store:
            assert await store.write("acc", {"n": 1}, revision=0)


async def test_a_database_that_is_not_there(server: RedisServer) -> None:
    async with connected(f"redis://localhost:{server.port}/99") as store:
        for problem in await refusals(store):
            check_unavailable(problem, "has that database")


async def test_a_read_only_replica(tmp_path: Path, server: RedisServer) -> None:
    options = ("--replicaof", "localhost", str(server.port), "--replica-read-only", "yes")
    with redis_server(tmp_path, *options) as replica:
        async with connected(replica.url) as store:
            for problem in await refusals(store):
                check_unavailable(problem, "name the primary")


async def test_full_memory(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with connected(server.url) as store:
            lease = await acquired(store, "one")
            server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
            server.command("CONFIG", "SET", "maxmemory", "1")
            with pytest.raises(StoreUnavailableError) as caught:
                await store.write("acc", {"n": 1}, revision=0)
            check_unavailable(caught.value, "memory is full")
            await store.release(lease)
            server.command("CONFIG", "SET", "maxmemory", "0")
            found = await store.read("acc")
            assert (found.document, found.lease_owner) == (None, None)


async def test_a_user_without_rights(server: RedisServer) -> None:
    server.command("ACL", "SETUSER", "poor", "on", f">{PASSWORD}", "~*", "&*", "+ping")
    async with connected(f"redis://poor:{PASSWORD}@localhost:{server.port}/0") as store:
        for problem in await refusals(store):
            check_unavailable(problem, "ACL")


def self_signed(directory: Path) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-days", "2"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


async def test_tls_checks_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = self_signed(tmp_path)
    options = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    with redis_server(tmp_path, *options, "--tls-auth-clients", "no", tls=True) as server:
        async with connected(server.url) as store:
            for problem in await refusals(store):
                check_unavailable(problem, "TLS")
        monkeypatch.setenv(ssl.get_default_verify_paths().openssl_cafile_env, str(certificate))
        async with connected(server.url) as store:
            assert await store.write("acc", {"n": 1}, revision=0)
        async with connected(server.url.replace("localhost", "127.0.0.1")) as store:
            for problem in await refusals(store):
                check_unavailable(problem, "TLS")


def test_who_does_not_use_redis_does_not_load_its_client() -> None:
    code = "import sys, gateway.wiring; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
