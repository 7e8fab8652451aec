import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.limits import Limits
from gateway.web.meters import Allowance, Meters
from gateway.web.spool import BodyLostError, Spool, SpoolConfig
from tests.support.descriptors import without_descriptors
from tests.support.listening import KIB, until


class Source:
    """Gives chunks; where an event stands instead, it waits for it first."""

    def __init__(self, *script: bytes | asyncio.Event | Exception) -> None:
        self._script = list(script)
        self.reads = 0

    async def read(self) -> bytes:
        self.reads += 1
        while self._script:
            piece = self._script[0]
            if isinstance(piece, asyncio.Event):
                await piece.wait()
                self._script.pop(0)
                continue
            self._script.pop(0)
            if isinstance(piece, Exception):
                raise piece
            return piece
        return b""


def spool_of(
    source: Source,
    *,
    memory: int = 8 * KIB,
    disk: int = 4096 * KIB,
    directory: Path | str | None = None,
    declared: int | None = None,
    failures: list[OSError] | None = None,
) -> Spool:
    told = failures if failures is not None else []
    where = None if directory is None else str(directory)
    allowance = Allowance(Limits(), Meters())
    return Spool(source.read, SpoolConfig(memory, disk, where, told.append, allowance), declared)


async def drain(spool: Spool) -> bytes:
    return b"".join([chunk async for chunk in spool.stream()])


def pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))


@pytest.fixture(name="threads")
def _threads(monkeypatch: pytest.MonkeyPatch) -> "Threads":
    """Lets a test hold the disk."""
    threads = Threads()
    real = os.pwrite

    def pwrite(fd: int, data: Any, offset: int) -> int:
        threads.started.set()
        threads.go.wait(10)
        if threads.fails is not None:
            raise threads.fails
        threads.written += 1
        return real(fd, data[: threads.at_once], offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    return threads


class Threads:
    def __init__(self) -> None:
        self.started = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.fails: OSError | None = None
        self.written = 0
        self.at_once = 1 << 30


@pytest.mark.parametrize(
    ("size", "chunk"),
    [
        (0, 1),
        (1, 1),
        (8 * KIB, KIB),
        (8 * KIB + 1, KIB),
        (300 * KIB, 7 * KIB),
        (900 * KIB, 200_000),
    ],
)
async def test_a_body_streams_and_streams_again(size: int, chunk: int, tmp_path: Path) -> None:
    data = pattern(size)
    spool = spool_of(Source(*pieces(data, chunk)), directory=tmp_path)
    try:
        assert await drain(spool) == data
        assert spool.complete
        assert spool.pulled == size
        assert spool.replayable
        assert await drain(spool) == data
        assert await drain(spool) == data
        assert os.listdir(tmp_path) == []  # noqa: PTH208  the file has no name; pathlib blocks
    finally:
        spool.close()
        spool.close()


async def test_nothing_is_read_ahead() -> None:
    source = Source(b"a", b"b")
    spool = spool_of(source)
    assert await anext(spool.stream()) == b"a"
    assert source.reads == 1
    spool.close()


async def test_a_second_stream_begins_at_the_first_byte_and_goes_on_pulling() -> None:
    data = pattern(700 * KIB)
    spool = spool_of(Source(*pieces(data, 50 * KIB)))
    first = spool.stream()
    got = b"".join([await anext(first) for _ in range(5)])
    assert data.startswith(got)
    assert await drain(spool) == data
    spool.close()


async def test_a_stream_cancelled_in_the_source_loses_nothing() -> None:
    more = asyncio.Event()
    spool = spool_of(Source(b"head ", more, b"tail"))
    first = spool.stream()
    assert await anext(first) == b"head "
    waiting = asyncio.ensure_future(anext(first))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    more.set()
    assert await drain(spool) == b"head tail"
    spool.close()


async def test_a_stream_that_is_not_gone_yet_does_not_disturb_its_successor() -> None:
    more = asyncio.Event()
    spool = spool_of(Source(b"head ", more, b"tail"))
    first = spool.stream()
    assert await anext(first) == b"head "
    waiting = asyncio.ensure_future(anext(first))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(drain(spool))
    await asyncio.sleep(0)
    more.set()
    assert await second == b"head tail"
    assert await waiting == b"tail"
    spool.close()


async def test_cancelled_while_the_disk_writes(threads: Threads) -> None:
    data = pattern(40 * KIB)
    threads.go.clear()
    spool = spool_of(Source(*pieces(data, 10 * KIB)))
    waiting = asyncio.ensure_future(anext(spool.stream()))
    await until(threads.started.is_set)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    again = asyncio.ensure_future(drain(spool))
    await asyncio.sleep(0)
    threads.go.set()
    assert await again == data
    spool.close()


async def test_cancelled_while_the_disk_fails_is_told_once(threads: Threads) -> None:
    failures: list[OSError] = []
    threads.go.clear()
    threads.fails = OSError(errno.ENOSPC, "No space left on device")
    spool = spool_of(Source(*pieces(pattern(40 * KIB), 10 * KIB)), failures=failures)
    waiting = asyncio.ensure_future(anext(spool.stream()))
    await until(threads.started.is_set)
    waiting.cancel()
    await asyncio.wait([waiting])
    late = asyncio.ensure_future(drain(spool))
    await asyncio.sleep(0)
    threads.go.set()
    with pytest.raises(BodyLostError):
        await late
    assert failures == [threads.fails]
    assert not spool.replayable
    spool.close()


async def test_closed_while_the_disk_writes(threads: Threads) -> None:
    threads.go.clear()
    spool = spool_of(Source(*pieces(pattern(40 * KIB), 10 * KIB)))
    waiting = asyncio.ensure_future(anext(spool.stream()))
    await until(threads.started.is_set)
    waiting.cancel()
    await asyncio.wait([waiting])
    spool.close()
    threads.go.set()
    await until(lambda: spool._job is not None and spool._job.done())
    await until(lambda: spool._file is None)
    assert not spool.replayable


async def test_closed_while_a_later_batch_is_written(threads: Threads) -> None:
    data = pattern(1000 * KIB)
    spool = spool_of(Source(*pieces(data, 100 * KIB)))
    stream = spool.stream()
    assert await anext(stream) == data[: 100 * KIB]
    assert threads.written == 1
    threads.go.clear()
    threads.started.clear()
    waiting = asyncio.ensure_future(drain(spool))
    await until(threads.started.is_set)
    waiting.cancel()
    await asyncio.wait([waiting])
    file = spool._file
    assert file is not None
    spool.close()
    assert not file.closed
    threads.go.set()
    await until(lambda: file.closed)


async def test_the_loop_turns_while_the_disk_is_slow(threads: Threads) -> None:
    threads.go.clear()
    spool = spool_of(Source(*pieces(pattern(40 * KIB), 10 * KIB)))
    waiting = asyncio.ensure_future(drain(spool))
    await until(threads.started.is_set)
    for _ in range(100):
        await asyncio.sleep(0)
    assert not waiting.done()
    threads.go.set()
    assert await waiting == pattern(40 * KIB)
    spool.close()


async def test_short_writes_are_completed(threads: Threads) -> None:
    threads.at_once = 1000
    data = pattern(40 * KIB)
    spool = spool_of(Source(*pieces(data, 10 * KIB)))
    assert await drain(spool) == data
    assert await drain(spool) == data
    assert threads.written > 10
    spool.close()


async def test_above_the_disk_limit_it_only_streams() -> None:
    data = pattern(200 * KIB)
    spool = spool_of(Source(*pieces(data, 10 * KIB)), disk=100 * KIB)
    seen = b""
    async for chunk in spool.stream():
        seen += chunk
        assert spool.replayable is (len(seen) <= 100 * KIB)
    assert spool._memory == b""
    assert spool._file is None
    assert seen == data
    assert spool.pulled == len(data)
    with pytest.raises(BodyLostError):
        spool.stream()
    spool.close()


async def test_a_body_declared_too_large_is_not_kept_at_all() -> None:
    source = Source(b"a" * 10, b"b" * 10)
    spool = spool_of(source, disk=19, declared=20)
    nothing_is_lost_yet = spool.replayable
    assert nothing_is_lost_yet
    stream = spool.stream()
    assert await anext(stream) == b"a" * 10
    assert not spool.replayable
    assert [chunk async for chunk in stream] == [b"b" * 10]
    assert spool._memory == b""
    spool.close()


async def test_a_memory_limit_above_the_disk_limit() -> None:
    spool = spool_of(Source(b"a" * 10, b"b" * 10), memory=100, disk=15)
    assert await drain(spool) == b"a" * 10 + b"b" * 10
    assert not spool.replayable
    spool.close()


async def test_an_unwritable_directory_costs_the_replay_alone(tmp_path: Path) -> None:
    failures: list[OSError] = []
    data = pattern(500 * KIB)
    spool = spool_of(
        Source(*pieces(data, 10 * KIB)), directory=tmp_path / "missing", failures=failures
    )
    assert await drain(spool) == data
    assert not spool.replayable
    assert [type(failure) for failure in failures] == [FileNotFoundError]
    spool.close()


async def test_a_full_disk_costs_the_replay_alone(threads: Threads) -> None:
    failures: list[OSError] = []
    data = pattern(900 * KIB)
    spool = spool_of(Source(*pieces(data, 10 * KIB)), failures=failures)
    stream = spool.stream()
    seen = await anext(stream)
    threads.fails = OSError(errno.ENOSPC, "No space left on device")
    async for chunk in stream:
        seen += chunk
    assert seen == data
    assert failures == [threads.fails]
    assert not spool.replayable
    spool.close()


async def test_a_file_that_cannot_be_read_again_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pattern(500 * KIB)
    spool = spool_of(Source(*pieces(data, 10 * KIB)))
    assert await drain(spool) == data

    def broken(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(BodyLostError):
        await drain(spool)
    monkeypatch.setattr(os, "pread", lambda *_: b"")
    with pytest.raises(BodyLostError):
        await drain(spool)
    spool.close()


async def test_the_sources_error_comes_through_and_nothing_is_lost() -> None:
    error = ConnectionResetError("gone")
    spool = spool_of(Source(b"a", error, b"b"))
    stream = spool.stream()
    assert await anext(stream) == b"a"
    with pytest.raises(ConnectionResetError):
        await anext(stream)
    assert await drain(spool) == b"ab"
    spool.close()


async def test_one_byte_chunks_are_cheap_to_replay() -> None:
    data = pattern(20_000)
    spool = spool_of(Source(*pieces(data, 1)), memory=64 * KIB)
    assert await drain(spool) == data
    assert [chunk async for chunk in spool.stream()] == [data]
    spool.close()


def test_closing_after_the_loop_has_ended(tmp_path: Path) -> None:
    data = pattern(500 * KIB)
    spool = spool_of(Source(*pieces(data, 10 * KIB)), directory=tmp_path)
    assert asyncio.run(drain(spool)) == data
    file = spool._file
    assert file is not None
    spool.close()
    assert file.closed


async def test_no_descriptor_for_a_file_costs_the_replay_alone(tmp_path: Path) -> None:
    failures: list[OSError] = []
    data = pattern(64 * KIB)
    spool = spool_of(Source(*pieces(data, 8 * KIB)), directory=tmp_path, failures=failures)
    # The thread that writes is there already: making one may need a file of its own.
    await asyncio.to_thread(os.getpid)
    with without_descriptors():
        assert await drain(spool) == data
    assert [one.errno for one in failures] == [errno.EMFILE]
    assert not spool.replayable
    spool.close()


async def test_what_bodies_take_is_given_back(tmp_path: Path) -> None:
    meters = Meters()
    limits = Limits(kept_memory=100 * KIB, kept_disk=400 * KIB)
    config = SpoolConfig(
        1024 * KIB, 4096 * KIB, str(tmp_path), lambda _: None, Allowance(limits, meters)
    )
    data = pattern(90 * KIB)
    spools = [Spool(Source(*pieces(data, 10 * KIB)).read, config) for _ in range(8)]
    for spool in spools:
        assert await drain(spool) == data
        assert meters.kept_memory <= 100 * KIB
        assert meters.kept_disk <= 400 * KIB
    again = [spool for spool in spools if spool.replayable]
    assert 4 <= len(again) < 8
    for spool in again:
        assert await drain(spool) == data
    for spool in spools:
        spool.close()
        spool.close()
    assert (meters.kept_memory, meters.kept_disk) == (0, 0)
