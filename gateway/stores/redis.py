"""The replicas of a fleet share their tokens through Redis: one server, or one with Sentinels.

One hash an account, and one for the replicas that are there; every call is one script, which
Redis runs as a whole. The store's time is Redis' clock. A document that cannot be read stays: it
is everybody's.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Callable
from typing import Any, Final

from gateway.core.errors import StoreError, StoreUnavailableError
from gateway.core.presence import Presence
from gateway.ports import Claim, Compose, Lease, Seizure, Stamp, Stored
from gateway.stores import presences
from gateway.stores import redis_scripts as scripts
from gateway.stores.record import tag
from gateway.stores.redis_connections import Connections
from gateway.stores.redis_listener import CHANNEL, Listener
from gateway.stores.redis_options import RedisOptions
from gateway.stores.redis_problems import FAULTS, content_error, store_error

DEADLINE: Final = 3.0
"""Seconds for a call in all: a connection, its turn, its answer."""

_AGAIN: Final = 0.1
"""Seconds until a call that goes on although it was cancelled is cancelled once more."""

AT_ONCE: Final = 16
"""Calls that are under way together; more wait for their turn."""

REPLICAS: Final = "zoom-gateway:replicas"
"""The hash of the replicas. An account's is in braces, so this is none's."""

_STAMP: Final = re.compile(rf"(0|[1-9][0-9]{{0,{scripts.DIGITS - 1}}})\.([0-9a-z]{{0,32}})")


class RedisStore:
    """Implements `TokenStore`. Connects at the first call, and again after every error.

    Raises StoreRefusedError, a StoreUnavailableError, where the server does not let it in.
    `time_offset_ms` is for tests alone: milliseconds to add to Redis' time.
    """

    def __init__(
        self, options: RedisOptions, time_offset_ms: Callable[[], int] = lambda: 0
    ) -> None:
        self._server = options.shown
        self._time_offset_ms = time_offset_ms
        self._connections = Connections(options)
        self._listener = Listener(self._connections)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False
        register = self._connections.client.register_script
        self._scripts = {text: register(text) for text in scripts.ALL}

    async def read(self, account: str) -> Stored:
        key = _key(account)
        now, document, revision, fence, owner = await self.run(scripts.READ, key)
        try:
            return Stored(
                _document(document),
                _stamp(revision),
                int(now) / 1e6,
                owner.decode() or None,
                _stamp(fence),
            )
        except (ValueError, RecursionError):
            raise content_error(key, self._server, "its content cannot be read") from None

    async def write(
        self,
        account: str,
        document: dict[str, Any],
        *,
        revision: Stamp,
        fence: Stamp | None = None,
        ends: bool = False,
    ) -> Stamp | None:
        written = Stamp(revision.number + 1, tag())
        expected = (str(revision), "" if fence is None else str(fence))
        arguments = (json.dumps(document), *expected, str(written), CHANNEL, account, int(ends))
        return written if await self.run(scripts.WRITE, _key(account), *arguments) else None

    async def acquire(self, account: str, owner: str, ttl: float) -> Lease | None:
        return await self._acquire(account, Claim(owner, ttl, tag()))

    async def _acquire(self, account: str, claim: Claim) -> Lease | None:
        arguments = (claim.owner, _microseconds(claim.ttl), claim.tag)
        fence = await self.run(scripts.ACQUIRE, _key(account), *arguments)
        return None if fence is None else Lease(account, claim.owner, _stamp(fence))

    async def seize(
        self, account: str, claim: Claim, *, revision: Stamp, compose: Compose
    ) -> Seizure:
        """Two scripts: only the first one knows the fence, which the document names."""
        lease = await self._acquire(account, claim)
        document = None if lease is None else compose(lease.fence)
        if lease is None or document is None:
            return Seizure(lease)
        try:
            written = await self.write(account, document, revision=revision, fence=lease.fence)
        except StoreError:
            with contextlib.suppress(StoreError):
                await self.release(lease)  # nobody else knows that it was given out
            raise
        return Seizure(lease, written)

    async def renew(self, lease: Lease, ttl: float) -> bool:
        arguments = (lease.owner, str(lease.fence), _microseconds(ttl))
        return bool(await self.run(scripts.RENEW, _key(lease.account), *arguments))

    async def release(self, lease: Lease) -> None:
        await self.run(scripts.RELEASE, _key(lease.account), lease.owner, str(lease.fence))

    async def set_aside(self, account: str, revision: Stamp, problem: str) -> bool:
        """What is shared is never moved: another replica may be able to read it."""
        del account, revision, problem
        return False

    async def changed(self, account: str, revision: Stamp) -> None:
        while True:
            news = self._listener.news(account)
            if (await self.read(account)).revision != revision:
                return
            await self._listener.wait(news)

    async def beat(self, presence: Presence) -> list[Presence]:
        content = json.dumps(presences.encode(presence))
        now, *found = await self.run(scripts.BEAT, REPLICAS, presence.name, content)
        seen: dict[str, tuple[Presence, float]] = {}
        for name, entry in zip(found[::2], found[1::2], strict=True):
            one = _present(name, entry)
            if one is not None:
                seen[one[0].name] = one
        return presences.present(seen, int(now) / 1e6)

    async def leave(self, name: str) -> None:
        await self.run(scripts.LEAVE, REPLICAS, name)

    async def close(self) -> None:
        """Close every connection. Who waits in another call meets StoreUnavailableError."""
        self._closed = True
        await self._listener.close()
        while running := set(self._running):
            for task in running:
                task.cancel()
            # The client may swallow one cancellation, not all.
            await asyncio.wait(running, timeout=_AGAIN)
        await self._connections.close()

    async def run(self, script: str, key: str, *arguments: str | int | bytes) -> Any:
        """Run one of `scripts.ALL` in a task of its own, which is not the caller's to cancel.

        The client may swallow a cancellation that comes together with an answer, and cuts the
        connection at any other; so a caller leaves at once, and the answer is still fetched.
        """
        if self._closed:
            raise self._ended(key)
        task = asyncio.create_task(self._call(script, key, arguments))
        self._running.add(task)
        task.add_done_callback(self._done)
        await asyncio.wait({task})
        if task.cancelled():
            raise self._ended(key)
        problem = task.exception()
        if isinstance(problem, FAULTS):
            # Without its cause: a server's text may quote what it was sent.
            raise store_error(problem, key, self._server) from None
        return task.result()

    async def _call(self, script: str, key: str, arguments: tuple[str | int | bytes, ...]) -> Any:
        async with asyncio.timeout(DEADLINE), self._turns:
            return await self._scripts[script](
                keys=[key], args=[*arguments, self._time_offset_ms()]
            )

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have left

    def _ended(self, key: str) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"the key {key} in Redis at {self._server} cannot be used: this replica closed the"
            " store (store.url)"
        )


def _key(account: str) -> str:
    """The account's hash. The braces keep all of an account's keys together."""
    return f"zoom-gateway:{{{account}}}"


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)


def _stamp(text: bytes) -> Stamp:
    found = _STAMP.fullmatch(text.decode())
    if found is None:
        raise ValueError("not a stamp as this gateway writes it")
    return Stamp(int(found[1]), found[2])


def _document(text: bytes | None) -> dict[str, Any] | None:
    if text is None:
        return None
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not a document that this gateway wrote")  # noqa: TRY004  as JSON's are
    return document


def _present(name: bytes, entry: bytes) -> tuple[Presence, float] | None:
    moment, _, content = entry.partition(b" ")
    try:
        presence = presences.decode(name.decode(), json.loads(content))
        at = int(moment) / 1e6
    except (ValueError, RecursionError, OverflowError):
        return None
    return None if presence is None else (presence, at)
