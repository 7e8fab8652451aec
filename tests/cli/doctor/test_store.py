"""What check says of the store, and that it leaves it as it was."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.presence import Presence
from gateway.stores.redis import RedisStore
from tests.cli.doctor.bench import Checked, check, faked
from tests.stores.certificates import Authority
from tests.support.processes import credentials, eventually, gateway, simulator
from tests.support.redis_server import RedisServer, redis_server
from tests.support.tcp_proxy import TcpProxy

PASSWORD = "canary-Zx81"

ACTIVE = b'"phase": "active"'


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis"), password=PASSWORD) as server:
        yield server


@pytest.fixture
def server(shared: RedisServer) -> RedisServer:
    shared.command("FLUSHALL")
    shared.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    shared.command("CONFIG", "SET", "maxmemory", "0")
    return shared


async def checked(url: str, *arguments: str, **variables: str) -> Checked:
    async with simulator() as sim:
        return await check(
            *arguments, **{**credentials(sim), "ZOOM_GATEWAY_STORE__URL": url, **variables}
        )


@asynccontextmanager
async def replica(server: RedisServer) -> AsyncIterator[RedisStore]:
    store = RedisStore(server.options)
    try:
        yield store
    finally:
        await store.close()


def document(server: RedisServer) -> bytes:
    return server.command("HGET", "zoom-gateway:{default}", "document")


async def published(server: RedisServer) -> None:
    await eventually(lambda: ACTIVE in document(server), "a token in the store")


async def test_tokens_in_memory() -> None:
    found = await checked("memory:")
    assert "docs/fleet.md" in found.one("store_memory")["advice"]
    assert found.lacks("store_ok", "fleet")


async def test_an_empty_redis(server: RedisServer) -> None:
    found = await checked(server.url)
    trips = found.one("store_ok")["details"]
    assert trips["reads"] == 5
    assert 0 <= trips["median_ms"] <= trips["max_ms"]
    assert found.one("store_empty")["about"] == "accounts.default"
    assert found.one("fleet")["details"]["replicas"] == []
    assert found.one("store_server")["details"]["version"].split(".")[0].isdigit()
    assert found.one("store_not_encrypted")["level"] == "notice"
    assert "together" in found.one("store_forgets")["advice"]
    assert found.lacks("store_evicts", "store_in_clear", "fleet_versions")
    assert found.exit_code == 0
    assert PASSWORD not in found.stdout + found.stderr
    assert server.command("KEYS", "*") == b"*0\r\n"


async def test_a_running_fleet(server: RedisServer) -> None:
    shared = {"ZOOM_GATEWAY_STORE__URL": server.url}
    async with simulator() as sim, gateway(sim, **shared), replica(server) as other:
        await published(server)
        old = Presence("gw-old", "0.0.1", "10.0.0.9:8080", time.time())
        await other.beat(old)
        before = document(server)
        found = await check(**credentials(sim), **shared)
        assert document(server) == before
        names = [one.name for one in await other.beat(old)]
    held = found.one("store_document")["details"]
    assert (held["format"], held["generation"]) == (1, 1)
    assert held["age_ms"] < 60_000
    fleet = found.one("fleet")["details"]["replicas"]
    assert {one["name"] for one in fleet} == set(names)
    assert len(names) == 2
    assert "0.0.1" in found.one("fleet_versions")["sentence"]


async def test_eviction_that_may_drop_the_tokens(server: RedisServer) -> None:
    server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    found = await checked(server.url)
    assert found.one("store_evicts")["level"] == "notice"
    server.command("CONFIG", "SET", "maxmemory", "100mb")
    found = await checked(server.url)
    assert found.one("store_evicts")["level"] == "warning"
    assert "noeviction" in found.one("store_evicts")["advice"]
    assert found.exit_code == 1


async def test_a_user_with_just_the_rights_that_are_needed(server: RedisServer) -> None:
    rights = (
        "on >pw ~zoom-gateway:* &zoom-gateway:changed +eval +evalsha +script|load +time +hget "
        "+hgetall +hlen +hset +hdel +del +pexpire +publish +subscribe +select +ping"
    )
    server.command("ACL", "SETUSER", "gateway", "reset", *rights.split())
    found = await checked(f"redis://gateway:pw@localhost:{server.port}/0")
    assert found.one("store_ok")
    assert "Nothing to do" in found.one("store_server_unknown")["advice"]
    assert found.lacks("store_server", "store_forgets")
    assert found.exit_code == 0


async def test_a_user_who_may_not_write(server: RedisServer) -> None:
    server.command("ACL", "SETUSER", "reader", "reset", "on", ">pw", "~*", "&*", "+@read", "+eval")
    found = await checked(f"redis://reader:pw@localhost:{server.port}/0")
    assert "its ACL forbids it" in found.one("store_failed")["sentence"]
    assert found.lacks("store_ok")


async def test_a_slow_way_to_it(server: RedisServer) -> None:
    proxy = TcpProxy("127.0.0.1", server.port)
    await proxy.listen()
    proxy.delay["up"] = 0.15
    try:
        found = await checked(f"redis://:{PASSWORD}@127.0.0.1:{proxy.port}/0")
    finally:
        await proxy.close()
    slow = found.one("store_slow")
    assert slow["details"]["median_ms"] >= 150
    assert "nearer" in slow["advice"]
    assert found.exit_code == 1


async def test_a_server_that_is_too_old(server: RedisServer) -> None:
    async with posing_as(server, b"redis_version:4") as port:
        found = await checked(f"redis://:{PASSWORD}@127.0.0.1:{port}/0")
    assert "needs 5 or newer" in found.one("store_server_old")["sentence"]


@asynccontextmanager
async def posing_as(server: RedisServer, version: bytes) -> AsyncIterator[int]:
    """In front of a Redis, which seems to have another (first digit of the) version."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, to), pump(there, writer))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            before, mark, rest = chunk.partition(b"redis_version:")
            writer.write(before + version + rest[1:] if mark else chunk)
        writer.close()

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def test_a_redis_in_another_network() -> None:
    names = faked(redis_test=["192.0.2.1"])
    found = await checked("redis://:p@redis.test:6379", **names)
    assert "in clear" in found.one("store_in_clear")["sentence"]
    assert "redis.test" in found.one("dns_ok", "store.url")["sentence"]
    assert found.one("store_failed")["level"] == "problem"


async def test_a_redis_under_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued, client = authority.issue("localhost", days=(-1, 30)), authority.issue()
    tls = authority.context(client)
    options = authority.server_options(issued)
    with redis_server(tmp_path, *options, tls=tls) as server:
        files = {
            "ZOOM_GATEWAY_STORE__CA_FILE": str(authority.file),
            "ZOOM_GATEWAY_STORE__CLIENT_CERTIFICATE_FILE": str(client.certificate),
            "ZOOM_GATEWAY_STORE__CLIENT_KEY_FILE": str(client.key),
        }
        found = await checked(server.url, **files)
        assert found.one("tls_ok", "store.url")["details"]["issuer"] == "ca"
        assert found.one("store_ok")
        other = Authority(tmp_path, "other")
        found = await checked(
            server.url, **{**files, "ZOOM_GATEWAY_STORE__CA_FILE": str(other.file)}
        )
    assert "store.ca_file" in found.one("tls_untrusted", "store.url")["advice"]
    assert found.one("store_failed")


async def test_a_clock_that_differs_from_the_stores(server: RedisServer) -> None:
    shared = {"ZOOM_GATEWAY_STORE__URL": server.url}
    async with simulator() as sim, gateway(sim, **shared):
        await published(server)
        found = await check(**credentials(sim), **shared, **faked(clock=600))
    skewed = found.one("store_clock_skewed")
    assert abs(skewed["details"]["skew_ms"] - 600_000) < 20_000
    assert "ahead of the store's" in skewed["sentence"]
    assert skewed["level"] == "notice"
    assert found.one("clock_skewed")  # Zoom's clock is right, too


async def test_encrypted_tokens(server: RedisServer, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    sealed = {
        "ZOOM_GATEWAY_STORE__URL": server.url,
        "ZOOM_GATEWAY_STORE__ENCRYPTION_KEY_FILE": str(key),
    }
    async with simulator() as sim:
        async with gateway(sim, **sealed):
            await published(server)
        found = await check(**credentials(sim), **sealed)
        assert str(key) in found.one("store_encrypted")["sentence"]
        assert found.one("store_document")["level"] == "ok"
        del sealed["ZOOM_GATEWAY_STORE__ENCRYPTION_KEY_FILE"]
        found = await check(**credentials(sim), **sealed)
    assert "sealed under the key" in found.one("store_document_bad")["sentence"]
    assert found.exit_code == 1


async def test_files_in_a_directory(tmp_path: Path) -> None:
    shared = {"ZOOM_GATEWAY_STORE__URL": f"file://{tmp_path}"}
    async with simulator() as sim, gateway(sim, **shared):
        file = tmp_path / "default.json"
        await eventually(lambda: file.exists() and ACTIVE in file.read_bytes(), "a token")
        found = await check(**credentials(sim), **shared)
    assert found.one("store_ok")
    assert found.one("store_document")["details"]["generation"] == 1
    assert len(found.one("fleet")["details"]["replicas"]) == 1
    assert found.lacks("store_server", "store_not_encrypted")
    replicas = json.loads((tmp_path / "_replicas.json").read_text())
    assert not [name for name in replicas if name.startswith("check-")]


async def test_a_file_that_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "default.json").write_text("nonsense")
    found = await checked(f"file://{tmp_path}")
    assert "cannot be read" in found.one("store_file_set_aside")["sentence"]
    assert found.one("store_empty")


async def test_a_redis_where_a_sentinel_should_be(tmp_path: Path) -> None:
    with redis_server(tmp_path) as plain:
        found = await checked(f"redis+sentinel://127.0.0.1:{plain.port}/mymaster")
    assert "redis+sentinel:// is for Sentinels alone" in found.one("store_failed")["sentence"]
