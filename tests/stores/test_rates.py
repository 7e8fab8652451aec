"""Every store of the schedule keeps the contract; and what a file and Redis may meet."""

import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.errors import StoreUnavailableError
from gateway.ports import RateStore
from gateway.stores import file_rates
from gateway.stores.file_rates import FileRates
from gateway.stores.rates import MemoryRates
from gateway.stores.redis_rates import RedisRates
from tests.stores.rates_contract import RatesBench, RatesContract, asking
from tests.stores.redis_bench import RedisBench
from tests.stores.test_contract import HandClock

NAME = "_rates.acc.json"


class MemoryRatesBench:
    def __init__(self) -> None:
        self.clock = HandClock()
        self.store = MemoryRates(self.clock)

    def connect(self) -> RateStore:
        return self.store

    async def pass_time(self, seconds: float) -> None:
        self.clock.time += seconds

    async def spoil(self) -> None:
        self.store._books.clear()


class FileRatesBench:
    def __init__(self, directory: Path) -> None:
        self.clock = HandClock()
        self.directory = directory
        self.stores: list[FileRates] = []

    def connect(self) -> RateStore:
        self.stores.append(FileRates(self.directory, self.clock.wall))
        return self.stores[-1]

    async def pass_time(self, seconds: float) -> None:
        self.clock.time += seconds

    async def spoil(self) -> None:
        (self.directory / NAME).write_text('{"lanes": {"light"')


class RedisRatesBench:
    def __init__(self, redis: RedisBench) -> None:
        self.redis = redis

    def connect(self) -> RateStore:
        return RedisRates(self.redis.connect())

    async def pass_time(self, seconds: float) -> None:
        await self.redis.pass_time(seconds)

    async def spoil(self) -> None:
        self.redis.admin.hset("zoom-gateway:{acc}:rates", "book", '{"lanes": {"light"')


class TestMemoryRates(RatesContract):
    @pytest.fixture
    def bench(self) -> RatesBench:
        return MemoryRatesBench()


class TestFileRates(RatesContract):
    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncIterator[RatesBench]:
        made = FileRatesBench(tmp_path / "tokens")
        yield made
        for store in made.stores:
            await store.close()

    async def test_it_is_its_owners_alone(self, bench: FileRatesBench) -> None:
        await bench.connect().reserve("acc", "one", asking(1))
        assert (bench.directory / NAME).stat().st_mode & 0o777 == 0o600

    async def test_a_lock_that_is_kept_is_an_outage(
        self, bench: FileRatesBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(file_rates, "PATIENCE", 0.05)
        store = bench.connect()
        await store.reserve("acc", "one", asking(1))
        handle = os.open(bench.directory / NAME, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with pytest.raises(StoreUnavailableError, match=r"check the directory|in time"):
                await store.reserve("acc", "one", asking(1))
        finally:
            os.close(handle)

    async def test_a_place_that_is_no_directory_is_an_outage(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        store = FileRates(tmp_path / "file")
        with pytest.raises(StoreUnavailableError, match=r"store\.url"):
            await store.reserve("acc", "one", asking(1))
        await store.close()
        with pytest.raises(StoreUnavailableError, match="closed"):
            await store.reserve("acc", "one", asking(1))


class TestRedisRates(RatesContract):
    @pytest.fixture
    def bench(self, bench: RedisBench) -> RatesBench:
        return RedisRatesBench(bench)

    async def test_it_does_not_stay_for_ever(self, bench: RedisRatesBench) -> None:
        await bench.connect().reserve("acc", "one", asking(1))
        left = bench.redis.admin.pttl("zoom-gateway:{acc}:rates")
        assert isinstance(left, int)
        assert 0 < left <= 2 * 86_400_000

    async def test_a_server_that_is_gone_is_an_outage(self, bench: RedisRatesBench) -> None:
        rates = bench.connect()
        await rates.close()
        with pytest.raises(StoreUnavailableError):
            await rates.reserve("acc", "one", asking(1))
