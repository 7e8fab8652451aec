"""Every store keeps the contract."""

from pathlib import Path

import pytest

from gateway.ports import TokenStore
from gateway.stores.file import FileStore
from gateway.stores.memory import MemoryStore
from tests.stores.contract import StoreContract
from tests.stores.contract_bench import Bench


class HandClock:
    """Implements `Clock`; somebody turns it."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return 1_700_000_000.0 + self.time


class MemoryBench:
    """The replicas of a store in memory are one process, so they share the object."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.store = MemoryStore(self.clock)

    def connect(self) -> TokenStore:
        return self.store

    async def pass_time(self, seconds: float) -> None:
        self.clock.time += seconds

    async def snapshot(self) -> object:
        return dict(self.store._records)

    async def restore(self, snapshot: object) -> None:
        assert isinstance(snapshot, dict)
        self.store._records = dict(snapshot)
        for written in self.store._written.values():
            written.set()
        self.store._written.clear()

    async def spoil_replicas(self) -> None:
        """What is in memory stays as it is."""


class FileBench:
    def __init__(self, directory: Path) -> None:
        self.clock = HandClock()
        self.directory = directory
        self.reports: list[str] = []

    def connect(self) -> TokenStore:
        return FileStore(self.directory, self.reports.append, self.clock.wall)

    async def pass_time(self, seconds: float) -> None:
        self.clock.time += seconds

    async def snapshot(self) -> object:
        return {path: path.read_bytes() for path in self.directory.glob("*.json")}

    async def restore(self, snapshot: object) -> None:
        assert isinstance(snapshot, dict)
        for path in self.directory.glob("*.json"):
            path.unlink()
        for path, content in snapshot.items():
            path.write_bytes(content)

    async def spoil_replicas(self) -> None:
        (self.directory / "_replicas.json").write_text("{")


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def bench(self) -> Bench:
        return MemoryBench()


class TestFileStore(StoreContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        return FileBench(tmp_path / "tokens")
