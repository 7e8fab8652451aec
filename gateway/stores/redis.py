"""`redis://` and `rediss://`: the replicas of a fleet share their tokens through a Redis server.

One hash an account; every call is one script, which Redis runs as a whole. The store's time is
Redis' clock. A document that cannot be read stays: it is everybody's.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError

from gateway.ports import Lease, Stored
from gateway.stores import redis_scripts as scripts
from gateway.stores.redis_problems import content_error, store_error

CONNECT_TIMEOUT: Final = 1.0
"""Seconds for a connection, TLS included."""

ANSWER_TIMEOUT: Final = 2.0
"""Seconds for an answer."""

POLL: Final = 1.0
"""Seconds between looks at a revision, in case its message was lost."""

_NUMBER: Final = re.compile(rb"0|[1-9][0-9]*")


class RedisStore:
    """Implements `TokenStore`. Connects at the first call, and again after every error.

    `time_offset_ms` is for tests alone: milliseconds to add to Redis' time.
    """

    def __init__(self, url: str, time_offset_ms: Callable[[], int] = lambda: 0) -> None:
        parts = urlsplit(url)
        self._server = parts.netloc.rpartition("@")[2]
        self._time_offset_ms = time_offset_ms
        self._redis = _client(parts)
        self._read = self._redis.register_script(scripts.READ)
        self._write = self._redis.register_script(scripts.WRITE)
        self._acquire = self._redis.register_script(scripts.ACQUIRE)
        self._renew = self._redis.register_script(scripts.RENEW)
        self._release = self._redis.register_script(scripts.RELEASE)

    async def read(self, account: str) -> Stored:
        now, document, revision, fence, owner = await self._run(self._read, account)
        try:
            return Stored(
                _document(document, revision),
                _number(b"0" if revision is None else revision),
                int(now) / 1e6,
                owner.decode() or None,
                _number(fence),
            )
        except (ValueError, RecursionError) as problem:
            raise content_error(
                _key(account), self._server, "its content cannot be read"
            ) from problem

    async def write(
        self, account: str, document: dict[str, Any], *, revision: int, fence: int | None = None
    ) -> bool:
        text = json.dumps(document)
        expected = "" if fence is None else fence
        channel = _channel(account)
        return bool(await self._run(self._write, account, text, revision, expected, channel))

    async def acquire(self, account: str, owner: str, ttl: float) -> Lease | None:
        fence = await self._run(self._acquire, account, owner, _microseconds(ttl))
        return None if fence is None else Lease(account, owner, int(fence))

    async def renew(self, lease: Lease, ttl: float) -> bool:
        arguments = (lease.owner, lease.fence, _microseconds(ttl))
        return bool(await self._run(self._renew, lease.account, *arguments))

    async def release(self, lease: Lease) -> None:
        await self._run(self._release, lease.account, lease.owner, lease.fence)

    async def set_aside(self, account: str, revision: int, problem: str) -> bool:
        """What is shared is never moved: another replica may be able to read it."""
        del account, revision, problem
        return False

    async def changed(self, account: str, revision: int) -> None:
        with self._told(account):
            async with self._redis.pubsub() as news:
                async with asyncio.timeout(CONNECT_TIMEOUT + ANSWER_TIMEOUT):
                    await news.subscribe(_channel(account))
                # The look after the subscription's answer finds what was written before it.
                while (await self.read(account)).revision == revision:
                    await _message(news)

    async def close(self) -> None:
        """Close every connection. Who waits in another call meets StoreUnavailableError."""
        await self._redis.aclose()

    async def _run(self, script: Any, account: str, *arguments: str | int) -> Any:
        with self._told(account):
            async with asyncio.timeout(CONNECT_TIMEOUT + ANSWER_TIMEOUT):
                return await script(keys=[_key(account)], args=[*arguments, self._time_offset_ms()])

    @contextmanager
    def _told(self, account: str) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as problem:
            raise store_error(problem, _key(account), self._server) from problem


def _client(parts: SplitResult) -> Redis:
    """Connections to the server of a checked URL; nothing is sent yet."""
    security: dict[str, Any] = {"ssl": True, "ssl_check_hostname": True}
    return Redis(
        host=parts.hostname or "",
        port=parts.port or 6379,
        db=int(parts.path.strip("/") or 0),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=ANSWER_TIMEOUT,
        socket_keepalive=True,
        # A script that was sent again after a lost answer would fail on its own work; and who
        # calls has better things to do than to wait.
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **(security if parts.scheme == "rediss" else {}),
    )


def _key(account: str) -> str:
    """The account's hash. The braces keep all of an account's keys together."""
    return f"zoom-gateway:{{{account}}}"


def _channel(account: str) -> str:
    return f"{_key(account)}:changed"


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)


def _number(text: bytes) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number as this gateway writes it")
    return int(text)


def _document(text: bytes | None, revision: bytes | None) -> dict[str, Any] | None:
    if text is None:
        return None
    document = json.loads(text)
    if not isinstance(document, dict) or revision is None:
        raise ValueError("not a document that this gateway wrote")
    return document


async def _message(news: PubSub) -> None:
    """Wait for any message, at most `POLL` seconds."""
    try:
        await news.get_message(ignore_subscribe_messages=True, timeout=POLL)
    except NoPermissionError:  # on the channel: the key may still be looked at
        await asyncio.sleep(POLL)
