"""A real Redis for the tests that ask for one; the contract's assertions are told in full."""

from collections.abc import AsyncIterator, Iterator

import pytest

for suite in ("contract", "contract_bench", "contract_fleet", "contract_leases"):
    pytest.register_assert_rewrite(f"tests.stores.{suite}")

from gateway.stores.redis import RedisStore  # noqa: E402  must be told before they import the suites
from tests.stores.redis_bench import RedisBench  # noqa: E402  must be told before they import the suites
from tests.support.redis_server import RedisServer, redis_server  # noqa: E402  must be told before they import the suites


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(shared: RedisServer) -> RedisServer:
    shared.command("FLUSHALL")
    return shared


@pytest.fixture
async def bench(server: RedisServer) -> AsyncIterator[RedisBench]:
    made = RedisBench(server)
    yield made
    await made.close()


@pytest.fixture
def store(bench: RedisBench) -> RedisStore:
    return bench.connect()
