"""The store in files: what survives, what is kept, and what is said when a disk says no."""

import asyncio
import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import StoreUnavailableError
from gateway.stores.file import FileStore

PATIENCE = 30.0
"""Seconds in which a child process must answer; no test waits for them to pass."""

CANARY = "canary-Zx81"

WALL = 1_700_000_000.0


class Disk:
    """A directory with stores in it, whose clock somebody turns."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = WALL
        self.reports: list[str] = []

    def store(self, lock_patience: float = PATIENCE) -> FileStore:
        return FileStore(self.directory, self.reports.append, lambda: self.now, lock_patience)

    @property
    def file(self) -> Path:
        return self.directory / "acc.json"

    def names(self) -> set[str]:
        return {path.name for path in self.directory.iterdir()}

    def kept(self) -> list[Path]:
        return sorted(self.directory.glob("acc.json.corrupt-*"))

    def child(self, task: str, number: int = 0) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.stores.replica", self.directory, task, str(number)],
            stdout=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "deep" / "tokens")


def answer(child: "subprocess.Popen[str]") -> Any:
    out, _ = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0
    return json.loads(out)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


class TestWhoMayRead:
    async def test_only_the_owner_sees_the_directory_and_its_files(self, disk: Disk) -> None:
        await disk.store().write("acc", {"token": CANARY}, revision=0)
        assert mode(disk.directory) == 0o700
        assert {path.name: mode(path) for path in disk.directory.iterdir()} == {
            "acc.json": 0o600,
            "acc.lock": 0o600,
        }

    async def test_whatever_the_umask(self, disk: Disk) -> None:
        before = os.umask(0)
        try:
            await disk.store().write("acc", {"token": CANARY}, revision=0)
        finally:
            os.umask(before)
        assert mode(disk.directory) == 0o700
        assert {mode(path) for path in disk.directory.iterdir()} == {0o600}

    async def test_a_file_that_was_open_to_all_is_closed_by_the_next_write(
        self, disk: Disk
    ) -> None:
        await disk.store().write("acc", {"n": 1}, revision=0)
        disk.file.chmod(0o666)
        await disk.store().write("acc", {"n": 2}, revision=1)
        assert mode(disk.file) == 0o600

    async def test_reading_makes_no_file_of_tokens(self, disk: Disk) -> None:
        assert (await disk.store().read("acc")).document is None
        assert disk.names() == {"acc.lock"}


class TestWhatSurvives:
    async def test_a_new_instance_finds_document_revision_lease_and_fence(self, disk: Disk) -> None:
        first = disk.store()
        lease = await first.acquire("acc", "one", 3.0)
        assert lease is not None
        await first.write("acc", {"n": 1}, revision=0, fence=lease.fence)
        await first.close()
        found = await disk.store().read("acc")
        assert (found.document, found.revision) == ({"n": 1}, 1)
        assert (found.lease_owner, found.fence) == ("one", lease.fence)
        assert await disk.store().renew(lease, 3.0)

    async def test_what_a_crash_left_behind_is_harmless_and_does_not_pile_up(
        self, disk: Disk
    ) -> None:
        await disk.store().write("acc", {"n": 1}, revision=0)
        left = disk.directory / ".acc.json.new"
        left.write_text('{"document": {"token": "' + CANARY)
        left.chmod(0o666)
        assert (await disk.store().read("acc")).document == {"n": 1}
        await disk.store().write("acc", {"n": 2}, revision=1)
        assert disk.names() == {"acc.json", "acc.lock"}
        assert mode(disk.file) == 0o600
        assert not disk.reports

    async def test_a_process_killed_while_it_writes_leaves_a_whole_document(
        self, disk: Disk
    ) -> None:
        await disk.store().write("acc", {"n": 1}, revision=0)
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
        await disk.store().write("acc", {"n": 1}, revision=0)
        child = disk.child("churn")
        try:
            assert child.stdout is not None
            child.stdout.readline()
            seen: set[int] = set()
            while len(seen) < 30:
                seen.add(json.loads(disk.file.read_bytes())["revision"])
        finally:
            child.kill()
            child.communicate()
        assert len(seen) == 30


CORRUPT = {
    "empty": b"",
    "truncated": b'{"document": {"n": 1}, "revision": 1, "fen',
    "binary": bytes(range(256)),
    "no UTF-8": b'{"document": "\xff\xfe"}',
    "an array": b"[1, 2, 3]",
    "a number": b"7",
    "null": b"null",
    "another program's JSON": b'{"name": "package"}',
    "a document that is none": b'{"document": [], "revision": 1, "fence": 1, '
    b'"lease_owner": "", "lease_until": 0}',
    "a revision that is none": b'{"document": {}, "revision": "x", "fence": 1, '
    b'"lease_owner": "", "lease_until": 0}',
    "an endless revision": b'{"document": {}, "revision": Infinity, "fence": 1, '
    b'"lease_owner": "", "lease_until": 0}',
    "an endless lease": b'{"document": {}, "revision": 1, "fence": 1, '
    b'"lease_owner": "", "lease_until": 1' + b"0" * 400 + b"}",
    "deeper than any JSON": b"[" * 100_000,
}


class TestAFileThatCannotBeRead:
    @pytest.fixture(params=list(CORRUPT.values()), ids=list(CORRUPT))
    def damage(self, request: pytest.FixtureRequest, disk: Disk) -> bytes:
        disk.directory.mkdir(parents=True)
        content: bytes = request.param
        disk.file.write_bytes(content)
        return content

    async def test_is_renamed_reported_and_kept_as_it_was(self, disk: Disk, damage: bytes) -> None:
        found = await disk.store().read("acc")
        assert (found.document, found.revision) == (None, 0)
        (kept,) = disk.kept()
        assert kept.read_bytes() == damage
        assert kept.name == "acc.json.corrupt-20231114T221320Z-1"
        (report,) = disk.reports
        assert str(disk.file) in report
        assert str(kept) in report

    async def test_is_out_of_the_way_of_the_next_write(self, disk: Disk, damage: bytes) -> None:
        assert await disk.store().write("acc", {"n": 1}, revision=0)
        assert (await disk.store().read("acc")).document == {"n": 1}
        assert [path.read_bytes() for path in disk.kept()] == [damage]
        assert len(disk.reports) == 1

    async def test_does_not_keep_anybody_from_the_lease(self, disk: Disk, damage: bytes) -> None:
        del damage
        assert await disk.store().acquire("acc", "one", 3.0) is not None


class TestSettingAside:
    async def test_the_document_is_kept_under_another_name(self, disk: Disk) -> None:
        await disk.store().write("acc", {"token": CANARY}, revision=0)
        before = disk.file.read_bytes()
        assert await disk.store().set_aside("acc", 1, "the field 'slots' is missing")
        (kept,) = disk.kept()
        assert kept.read_bytes() == before
        assert mode(kept) == 0o600
        (report,) = disk.reports
        assert "the field 'slots' is missing" in report
        assert CANARY not in report

    async def test_twice_in_a_second_both_are_kept(self, disk: Disk) -> None:
        for number in (1, 2):
            revision = (await disk.store().read("acc")).revision
            await disk.store().write("acc", {"n": number}, revision=revision)
            assert await disk.store().set_aside("acc", revision + 1, "no use")
        kept = [json.loads(path.read_bytes())["document"] for path in disk.kept()]
        assert kept == [{"n": 1}, {"n": 2}]

    async def test_of_nothing_reports_nothing(self, disk: Disk) -> None:
        assert await disk.store().set_aside("acc", 0, "no use")
        assert not disk.reports


class TestProcesses:
    async def test_two_of_them_lose_no_write(self, disk: Disk) -> None:
        children = [disk.child("count", 40) for _ in range(2)]
        assert [answer(child) for child in children] == ["counted", "counted"]
        found = await disk.store().read("acc")
        assert (found.document, found.revision) == ({"n": 80}, 80)

    async def test_two_of_them_never_hold_the_lease_together(self, disk: Disk) -> None:
        children = [disk.child("lease", 20) for _ in range(2)]
        fences = [answer(child) for child in children]
        assert sorted(fences[0] + fences[1]) == list(range(1, 41))
        found = await disk.store().read("acc")
        assert (found.document, found.revision) == ({"fence": 40}, 40)

    async def test_one_wakes_on_the_others_write(self, disk: Disk) -> None:
        waiting = asyncio.create_task(disk.store().changed("acc", 0))
        child = disk.child("count", 1)
        async with asyncio.timeout(PATIENCE):
            await waiting
        answer(child)
        assert (await disk.store().read("acc")).revision == 1


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
            lambda: store.write("acc", {"n": 1}, revision=0),
            lambda: store.acquire("acc", "one", 3.0),
            lambda: store.changed("acc", 7),
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
        await disk.store().write("acc", {"n": 1}, revision=0)
        before = disk.file.read_bytes()
        sentence = answer(disk.child("overflow", 100_000))
        assert os.strerror(errno.EFBIG) in sentence
        assert "free space" in sentence
        assert disk.file.read_bytes() == before
        assert disk.names() == {"acc.json", "acc.lock"}

    async def test_a_process_that_is_stuck_with_the_lock_stops_nobody_for_ever(
        self, disk: Disk
    ) -> None:
        await disk.store().write("acc", {"n": 1}, revision=0)
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
        assert await store.write("acc", {"n": 1}, revision=0)

    async def test_a_directory_that_is_removed_meanwhile_is_made_again(self, disk: Disk) -> None:
        store = disk.store()
        await store.write("acc", {"n": 1}, revision=0)
        for path in disk.directory.iterdir():
            path.unlink()
        disk.directory.rmdir()
        assert (await store.read("acc")).revision == 0
        assert await store.write("acc", {"n": 2}, revision=0)
        assert mode(disk.directory) == 0o700


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
        assert second.fence > first.fence
        assert not await disk.store().write("acc", {"n": 1}, revision=0, fence=first.fence)


class TestACallerThatGoesAway:
    async def test_takes_nothing_half_done_with_it(self, disk: Disk) -> None:
        await disk.store().write("acc", {"n": 1}, revision=0)
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
        assert (found.document, found.revision, found.lease_owner) == ({"n": 1}, 1, "one")
        assert disk.names() == {"acc.json", "acc.lock"}

    async def test_from_a_busy_lock_does_not_stop_the_loop(self, disk: Disk) -> None:
        store = disk.store()
        await store.write("acc", {"n": 1}, revision=0)
        with (disk.directory / "acc.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            reading = asyncio.create_task(store.read("acc"))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not reading.done()
            assert (await store.read("another")).document is None
        assert (await reading).document == {"n": 1}
