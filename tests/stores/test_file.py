"""The store in files: what survives, what is kept, and what is said when a disk says no."""

import asyncio
import errno
import fcntl
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import StoreUnavailableError
from gateway.ports import NOTHING, Stamp
from gateway.stores.file import FileStore
from tests.stores.contract_bench import written
from tests.stores.disk import CANARY, PATIENCE, WALL, Disk, mode


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "deep" / "tokens")


def answer(child: "subprocess.Popen[str]") -> Any:
    out, _ = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0
    return json.loads(out)


class TestWhoMayRead:
    async def test_only_the_owner_sees_the_directory_and_its_files(self, disk: Disk) -> None:
        await disk.store().write("acc", {"token": CANARY}, revision=NOTHING)
        assert mode(disk.directory) == 0o700
        assert {path.name: mode(path) for path in disk.directory.iterdir()} == {
            "acc.json": 0o600,
            "acc.lock": 0o600,
        }

    async def test_whatever_the_umask(self, disk: Disk) -> None:
        before = os.umask(0)
        try:
            await disk.store().write("acc", {"token": CANARY}, revision=NOTHING)
        finally:
            os.umask(before)
        assert mode(disk.directory) == 0o700
        assert {mode(path) for path in disk.directory.iterdir()} == {0o600}

    async def test_a_file_that_was_open_to_all_is_closed_by_the_next_write(
        self, disk: Disk
    ) -> None:
        revision = await written(disk.store(), {"n": 1})
        disk.file.chmod(0o666)
        await written(disk.store(), {"n": 2}, revision)
        assert mode(disk.file) == 0o600

    async def test_reading_makes_no_file_of_tokens(self, disk: Disk) -> None:
        assert (await disk.store().read("acc")).document is None
        assert disk.names() == {"acc.lock"}


class TestWhatSurvives:
    async def test_a_new_instance_finds_document_revision_lease_and_fence(self, disk: Disk) -> None:
        first = disk.store()
        lease = await first.acquire("acc", "one", 3.0)
        assert lease is not None
        revision = await written(first, {"n": 1}, fence=lease.fence)
        await first.close()
        found = await disk.store().read("acc")
        assert (found.document, found.revision) == ({"n": 1}, revision)
        assert (found.lease_owner, found.fence) == ("one", lease.fence)
        assert await disk.store().renew(lease, 3.0)

    async def test_what_a_crash_left_behind_is_harmless_and_does_not_pile_up(
        self, disk: Disk
    ) -> None:
        revision = await written(disk.store(), {"n": 1})
        left = disk.directory / ".acc.json.new"
        left.write_text('{"document": {"token": "' + CANARY)
        left.chmod(0o666)
        assert (await disk.store().read("acc")).document == {"n": 1}
        await written(disk.store(), {"n": 2}, revision)
        assert disk.names() == {"acc.json", "acc.lock"}
        assert mode(disk.file) == 0o600
        assert not disk.reports

    async def test_a_process_killed_while_it_writes_leaves_a_whole_document(
        self, disk: Disk
    ) -> None:
        await disk.store().write("acc", {"n": 1}, revision=NOTHING)
        for _ in range(3):
            child = disk.child("churn")
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            revision = (await disk.store().read("acc")).revision
            await disk.store().changed("acc", revision)
            child.kill()
            child.communicate()
            found = await disk.store().read("acc")
            assert (found.document or {}).keys() <= {"n", "text"}
            assert len(str((found.document or {}).get("text", "x" * 200_000))) == 200_000
            assert await disk.store().write("acc", {"n": 1}, revision=found.revision)
        assert not disk.reports

    async def test_a_reader_that_takes_no_lock_never_sees_a_torn_file(self, disk: Disk) -> None:
        await disk.store().write("acc", {"n": 1}, revision=NOTHING)
        child = disk.child("churn")
        try:
            assert child.stdout is not None
            child.stdout.readline()
            seen: set[str] = set()
            while len(seen) < 30:
                seen.add(str(json.loads(disk.file.read_bytes())["revision"]))
        finally:
            child.kill()
            child.communicate()
        assert len(seen) == 30


class TestProcesses:
    async def test_two_of_them_lose_no_write(self, disk: Disk) -> None:
        children = [disk.child("count", 40) for _ in range(2)]
        assert [answer(child) for child in children] == ["counted", "counted"]
        found = await disk.store().read("acc")
        assert (found.document, found.revision.number) == ({"n": 80}, 80)

    async def test_two_of_them_never_hold_the_lease_together(self, disk: Disk) -> None:
        children = [disk.child("lease", 20) for _ in range(2)]
        fences = [answer(child) for child in children]
        assert sorted(fences[0] + fences[1]) == list(range(1, 41))
        found = await disk.store().read("acc")
        assert (found.document, found.revision.number) == ({"fence": 40}, 40)

    async def test_one_wakes_on_the_others_write(self, disk: Disk) -> None:
        waiting = asyncio.create_task(disk.store().changed("acc", NOTHING))
        child = disk.child("count", 1)
        async with asyncio.timeout(PATIENCE):
            await waiting
        answer(child)
        assert (await disk.store().read("acc")).revision.number == 1


def below_a_file(path: Path) -> Path:
    path.write_text("in the way")
    return path / "tokens"


def instead_of_a_directory(path: Path) -> Path:
    path.write_text("in the way")
    return path


def under_a_directory_as_lock(path: Path) -> Path:
    (path / "acc.lock").mkdir(parents=True)
    return path


def under_a_directory_as_file(path: Path) -> Path:
    (path / "acc.json").mkdir(parents=True)
    return path


PLACES: list[Callable[[Path], Path]] = [
    below_a_file,
    instead_of_a_directory,
    under_a_directory_as_lock,
    under_a_directory_as_file,
]


class TestADiskThatSaysNo:
    @pytest.mark.parametrize("spoil", PLACES)
    async def test_every_call_says_which_directory_why_and_what_to_look_at(
        self, tmp_path: Path, spoil: Callable[[Path], Path]
    ) -> None:
        directory = spoil(tmp_path / "spoilt")
        store = Disk(directory).store()
        for call in (
            lambda: store.read("acc"),
            lambda: store.write("acc", {"n": 1}, revision=NOTHING),
            lambda: store.acquire("acc", "one", 3.0),
            lambda: store.changed("acc", Stamp(7, "a")),
        ):
            with pytest.raises(StoreUnavailableError) as caught:
                await call()
            sentence = str(caught.value)
            assert str(directory) in sentence
            assert any(os.strerror(code) in sentence for code in
                       (errno.ENOTDIR, errno.EEXIST, errno.EISDIR))  # fmt: skip
            assert "store.url" in sentence

    async def test_a_full_disk_leaves_the_old_document_and_no_half_of_a_new_one(
        self, disk: Disk
    ) -> None:
        await disk.store().write("acc", {"n": 1}, revision=NOTHING)
        before = disk.file.read_bytes()
        sentence = answer(disk.child("overflow", 100_000))
        assert os.strerror(errno.EFBIG) in sentence
        assert "free space" in sentence
        assert disk.file.read_bytes() == before
        assert disk.names() == {"acc.json", "acc.lock"}

    async def test_a_process_that_is_stuck_with_the_lock_stops_nobody_for_ever(
        self, disk: Disk
    ) -> None:
        await disk.store().write("acc", {"n": 1}, revision=NOTHING)
        with (disk.directory / "acc.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with pytest.raises(StoreUnavailableError, match="another process keeps its lock"):
                await disk.store(lock_patience=0.0).read("acc")
        assert (await disk.store(lock_patience=0.0).read("acc")).document == {"n": 1}

    async def test_it_is_asked_again_and_may_have_been_cured(self, tmp_path: Path) -> None:
        obstacle = tmp_path / "tokens"
        obstacle.write_text("in the way")
        store = Disk(obstacle).store()
        with pytest.raises(StoreUnavailableError):
            await store.read("acc")
        obstacle.unlink()
        assert await store.write("acc", {"n": 1}, revision=NOTHING)

    async def test_a_directory_that_is_removed_meanwhile_is_made_again(self, disk: Disk) -> None:
        store = disk.store()
        await store.write("acc", {"n": 1}, revision=NOTHING)
        for path in disk.directory.iterdir():
            path.unlink()
        disk.directory.rmdir()
        assert (await store.read("acc")).revision == NOTHING
        assert await store.write("acc", {"n": 2}, revision=NOTHING)
        assert mode(disk.directory) == 0o700


class TestADiskThatHangs:
    @pytest.fixture
    def stuck(self, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
        """Set: the disk answers again."""
        free = threading.Event()
        open_file = os.open

        def hang(path: Any, *arguments: Any, **options: Any) -> int:
            if str(path).startswith(str(disk.directory)):
                assert free.wait(PATIENCE)
            return open_file(path, *arguments, **options)

        monkeypatch.setattr("gateway.stores.file.os.open", hang)
        monkeypatch.setattr("gateway.stores.file.DEADLINE", 0.2)
        yield free
        free.set()

    async def test_is_told_and_found_again(self, disk: Disk, stuck: threading.Event) -> None:
        store = disk.store()
        with pytest.raises(StoreUnavailableError, match=r"no answer within 0\.2 s"):
            await store.read("acc")
        stuck.set()
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    assert (await store.read("acc")).revision == NOTHING
                    break
                except StoreUnavailableError:
                    continue

    async def test_takes_no_thread_that_others_need(
        self, disk: Disk, stuck: threading.Event
    ) -> None:
        store = disk.store()
        reads = [store.read(f"acc-{number}") for number in range(50)]
        found = await asyncio.gather(*reads, return_exceptions=True)
        assert {type(one) for one in found} == {StoreUnavailableError}
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.to_thread(lambda: "done") == "done"
        assert not stuck.is_set()

    async def test_keeps_nobody_waiting_when_the_store_is_closed(
        self, disk: Disk, stuck: threading.Event
    ) -> None:
        del stuck
        store = disk.store()
        waiting = [asyncio.create_task(store.read(f"acc-{number}")) for number in range(8)]
        await asyncio.sleep(0)
        await store.close()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in found} == {StoreUnavailableError}
        with pytest.raises(StoreUnavailableError, match="it is closed"):
            await store.read("acc")


class TestAClockThatIsSetBack:
    async def test_by_an_hour_holds_no_lease_for_ever(self, disk: Disk) -> None:
        assert await disk.store().acquire("acc", "one", 3.0) is not None
        disk.now -= 3600.0
        assert (await disk.store().read("acc")).lease_owner is None
        assert await disk.store().acquire("acc", "two", 3.0) is not None

    async def test_by_half_a_minute_holds_it_for_no_more_than_a_minute(self, disk: Disk) -> None:
        assert await disk.store().acquire("acc", "one", 3.0) is not None
        disk.now -= 30.0
        assert await disk.store().acquire("acc", "two", 3.0) is None
        disk.now += 60.0
        assert await disk.store().acquire("acc", "two", 3.0) is not None

    async def test_fences_grow_all_the_same(self, disk: Disk) -> None:
        first = await disk.store().acquire("acc", "one", 3.0)
        disk.now -= 3600.0
        second = await disk.store().acquire("acc", "two", 3.0)
        assert first is not None
        assert second is not None
        assert second.fence.number > first.fence.number
        assert not await disk.store().write("acc", {"n": 1}, revision=NOTHING, fence=first.fence)


class TestACallerThatGoesAway:
    async def test_takes_nothing_half_done_with_it(self, disk: Disk) -> None:
        revision = await written(disk.store(), {"n": 1})
        before = disk.file.read_bytes()
        inside, go_on = threading.Event(), threading.Event()

        def wall() -> float:
            inside.set()
            go_on.wait(PATIENCE)
            return WALL

        store = FileStore(disk.directory, disk.reports.append, wall)
        leaving = asyncio.create_task(store.acquire("acc", "one", 3.0))
        assert await asyncio.to_thread(inside.wait, PATIENCE)
        leaving.cancel()
        await asyncio.wait([leaving])
        assert leaving.cancelled()
        assert disk.file.read_bytes() == before
        go_on.set()
        found = await disk.store().read("acc")
        assert (found.document, found.revision, found.lease_owner) == ({"n": 1}, revision, "one")
        assert disk.names() == {"acc.json", "acc.lock"}

    async def test_from_a_busy_lock_does_not_stop_the_loop(self, disk: Disk) -> None:
        store = disk.store()
        await store.write("acc", {"n": 1}, revision=NOTHING)
        with (disk.directory / "acc.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            reading = asyncio.create_task(store.read("acc"))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not reading.done()
            assert (await store.read("another")).document is None
        assert (await reading).document == {"n": 1}
