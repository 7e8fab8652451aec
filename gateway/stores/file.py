"""`file:///dir`: the tokens survive a restart, and the processes of one host can share them.

One file an account, replaced atomically, readable by its owner alone; beside it a lock file,
because a lock on a file that is replaced locks nothing. The store's time is the host's clock.
"""

import asyncio
import contextlib
import errno
import fcntl
import itertools
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypeVar

from gateway.core.document import FORMAT
from gateway.core.errors import StoreFormatError, StoreUnavailableError
from gateway.core.presence import Presence
from gateway.ports import Claim, Compose, Lease, Seizure, Stamp, Stored
from gateway.stores import presences
from gateway.stores import record as rules
from gateway.stores.disk import read_whole, replace_whole
from gateway.stores.record import Record
from gateway.stores.watching import Watch

T = TypeVar("T")

LOCK_PATIENCE: Final = 2.0
"""Seconds to wait for the lock, which is held for a file's write: its holder is stuck."""

DEADLINE: Final = 3.0
"""Seconds for a call in all: the directory may be on a disk, or a network, that hangs."""

THREADS: Final = 4
"""Calls that are under way together; more wait for their turn."""

LOCK_POLL: Final = (0.0005, 0.005)
"""Seconds between tries, at first and at most: a thread that waits in the kernel could never give
up, and another process mostly holds it for less than a millisecond."""

_REPLICAS: Final = "_replicas"
"""The file of those that are there; no account's name begins like that."""


class FileStore:
    """Implements `TokenStore`. `report` is told, in a sentence, of a file that was set aside."""

    def __init__(
        self,
        directory: Path,
        report: Callable[[str], None],
        wall: Callable[[], float] = time.time,
        lock_patience: float = LOCK_PATIENCE,
    ) -> None:
        self._directory = directory
        self._report = report
        self._wall = wall
        self._lock_patience = lock_patience
        self._own_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        """By account: what is under way together in this process need not poll for the file's."""
        self._threads = ThreadPoolExecutor(THREADS, "file store")
        self._watch = Watch(self._look)

    async def read(self, account: str) -> Stored:
        return await self._run(account, lambda old: (old, old.stored(self._wall())))

    async def write(
        self,
        account: str,
        document: dict[str, Any],
        *,
        revision: Stamp,
        fence: Stamp | None = None,
        ends: bool = False,
    ) -> Stamp | None:
        return await self._run(
            account, lambda old: rules.write(old, document, revision, fence, ends=ends)
        )

    async def acquire(self, account: str, owner: str, ttl: float) -> Lease | None:
        return await self._run(
            account, lambda old: rules.acquire(old, account, owner, ttl, self._wall())
        )

    async def seize(
        self, account: str, claim: Claim, *, revision: Stamp, compose: Compose
    ) -> Seizure:
        return await self._run(
            account,
            lambda old: rules.seize(old, account, claim, revision, compose, self._wall()),
        )

    async def renew(self, lease: Lease, ttl: float) -> bool:
        return await self._run(
            lease.account, lambda old: rules.renew(old, lease, ttl, self._wall())
        )

    async def release(self, lease: Lease) -> None:
        await self._run(lease.account, lambda old: rules.release(old, lease))

    async def set_aside(self, account: str, revision: Stamp, problem: str) -> bool:
        await self._in_thread(lambda: self._set_aside(account, revision, problem))
        return True

    async def changed(self, account: str, revision: Stamp) -> None:
        while True:
            news = self._watch.news(account)
            if (await self.read(account)).revision != revision:
                return
            await news.wait()

    async def _look(self, accounts: Sequence[str]) -> Mapping[str, object]:
        return await self._in_thread(lambda: {name: self._trace(name) for name in accounts})

    async def beat(self, presence: Presence) -> list[Presence]:
        return await self._in_thread(lambda: self._beat(presence))

    async def leave(self, name: str) -> None:
        await self._in_thread(lambda: self._leave(name))

    async def close(self) -> None:
        """Who calls from now on, or waits for its turn, meets StoreUnavailableError."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._watch.close()

    def _beat(self, presence: Presence) -> list[Presence]:
        with self._locked(_REPLICAS):
            seen, present = presences.beat(self._load_seen(), presence, self._wall())
            self._save_seen(seen)
            return present

    def _leave(self, name: str) -> None:
        with self._locked(_REPLICAS):
            self._save_seen(presences.leave(self._load_seen(), name))

    def _load_seen(self) -> presences.Seen:
        """What cannot be read is left out: every replica writes itself again."""
        try:
            raw = json.loads(read_whole(self._path(_REPLICAS)))
            entries = [(name, _read_seen(name, entry)) for name, entry in raw.items()]
        except (FileNotFoundError, ValueError, AttributeError, RecursionError):
            return {}
        return {name: entry for name, entry in entries if entry is not None}

    def _save_seen(self, seen: presences.Seen) -> None:
        content = {name: (presences.encode(one), at) for name, (one, at) in seen.items()}
        self._save(self._path(_REPLICAS), content)

    def _trace(self, account: str) -> object:
        """What of the file is another after a write, without reading it."""
        try:
            found = self._path(account).stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _path(self, account: str) -> Path:
        return self._directory / f"{account}.json"

    async def _run(self, account: str, change: Callable[[Record], tuple[Record, T]]) -> T:
        return await self._in_thread(lambda: self._transact(account, change))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """A disk may be slow and a lock may be held: neither may stop the loop, nor, by taking
        all threads there are, what else needs one.
        """
        try:
            running = asyncio.wrap_future(self._threads.submit(work))
        except RuntimeError:
            raise self._unusable("it is closed") from None
        try:
            done, _ = await asyncio.wait([running], timeout=DEADLINE)
            if not done:
                raise self._unusable(f"no answer within {DEADLINE:g} s")
            if running.cancelled():
                raise self._unusable("it is closed")
            return running.result()
        except OSError as problem:
            raise self._unusable(problem.strerror or type(problem).__name__) from problem
        finally:
            running.cancel()  # it need not begin any more

    def _unusable(self, why: str) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"the file store in {self._directory} cannot be used: {why}: "
            "check the directory's owner, mode and free space (store.url)"
        )

    def _transact(self, account: str, change: Callable[[Record], tuple[Record, T]]) -> T:
        with self._locked(account):
            old = self._load(account)
            new, result = change(old)
            if new is not old:
                self._save(self._path(account), _written(new))
            return result

    @contextlib.contextmanager
    def _locked(self, account: str) -> Iterator[None]:
        deadline = time.monotonic() + self._lock_patience
        own = self._own_locks[account]
        if not own.acquire(timeout=self._lock_patience):
            raise _stuck()
        try:
            lock = self._lock_file(account)
            try:
                _take(lock, deadline)
                yield
            finally:
                os.close(lock)
        finally:
            own.release()

    def _lock_file(self, account: str) -> int:
        path = f"{self._directory}/{account}.lock"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(path, flags, 0o600)

    def _load(self, account: str) -> Record:
        try:
            text = read_whole(self._path(account))
        except FileNotFoundError:
            return Record()
        raw: Any = None
        try:
            raw = json.loads(text)
            return _read_record(raw)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            if _of_newer(raw):
                raise self._too_new(account) from None
            self._rename(account, "it is not a record of this gateway")
            return Record()

    def _too_new(self, account: str) -> StoreFormatError:
        return StoreFormatError(
            f"the token file {self._path(account)} is laid out in a way that this gateway does not"
            " know: a newer gateway wrote it; upgrade this one, or use another store (store.url)"
        )

    def _set_aside(self, account: str, revision: Stamp, problem: str) -> None:
        with self._locked(account):
            old = self._load(account)
            if old.document is None or old.revision != revision:
                return
            self._rename(account, problem)
            self._save(self._path(account), _written(rules.set_aside(old)))

    def _rename(self, account: str, problem: str) -> None:
        path = self._path(account)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._wall()))
        names = (f"{path.name}.corrupt-{stamp}-{number}" for number in itertools.count(1))
        aside = next(found for name in names if not (found := path.with_name(name)).exists())
        path.rename(aside)
        self._report(f"the token file {path} cannot be read ({problem}); it was kept as {aside}")

    def _save(self, path: Path, content: Any) -> None:
        """The lock is held."""
        # Text as a whole: what writes JSON piece by piece is the slow half of the library.
        replace_whole(path, json.dumps(content).encode())


def _take(lock: int, deadline: float) -> None:
    """Lock the file, which another process may hold. Raises TimeoutError."""
    pause, longest = LOCK_POLL
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _stuck() from None
        time.sleep(pause)
        pause = min(2 * pause, longest)


def _stuck() -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, "another process keeps its lock")


def _written(record: Record) -> dict[str, Any]:
    """As `asdict`, which would copy all of the document."""
    return {one.name: getattr(record, one.name) for one in fields(record)}


_FIELDS: Final = frozenset(one.name for one in fields(Record))


def _of_newer(raw: Any) -> bool:
    """Whether what cannot be read is a newer gateway's: that must stay where it is."""
    if not isinstance(raw, dict) or "document" not in raw:
        return False
    document = raw["document"]
    written = document.get("format") if isinstance(document, dict) else None
    return bool(raw.keys() - _FIELDS) or (type(written) is int and written > FORMAT)


def _read_record(raw: Any) -> Record:
    if raw.keys() - _FIELDS:
        raise ValueError("a field that is not known would be lost with the next write")
    document = raw["document"]
    if document is not None and not isinstance(document, dict):
        raise TypeError("document")
    return Record(
        document=document,
        revision=_read_stamp(raw["revision"]),
        fence=_read_stamp(raw["fence"]),
        lease_owner=str(raw["lease_owner"]),
        lease_until=float(raw["lease_until"]),
    )


def _read_stamp(raw: Any) -> Stamp:
    number, tag = raw
    if type(number) is not int or type(tag) is not str:
        raise TypeError("stamp")
    return Stamp(number, tag)


def _read_seen(name: str, raw: Any) -> tuple[Presence, float] | None:
    try:
        content, at = raw
        moment = float(at)
    except (ValueError, TypeError, OverflowError):
        return None
    presence = presences.decode(name, content)
    return None if presence is None else (presence, moment)
