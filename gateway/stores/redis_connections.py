"""Connections to Redis: to the one server, or to the primary that the Sentinels name."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    SentinelConnectionPool,
    SentinelManagedConnection,
)
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import ResponseError

from gateway.stores.redis_options import RedisOptions
from gateway.stores.redis_problems import FAULTS, UnreadablePasswordError, code_of

CONNECT_TIMEOUT: Final = 1.0
"""Seconds for a connection, TLS included."""

ANSWER_TIMEOUT: Final = 2.0
"""Seconds for an answer."""

Address = tuple[str, int]


class Connections:
    """All connections of one store; `client` uses those of a pool."""

    def __init__(self, options: RedisOptions) -> None:
        self._sentinels: Sentinels | None = None
        self._pool: Any  # redis-py's, which has few types
        settings = {
            "db": options.database,
            "credential_provider": Credentials(options.username, options.password),
            **_settings(options.tls),
        }
        if options.sentinel_master is None:
            host, port = options.nodes[0]
            self._pool = ConnectionPool(_kind(options.tls), host=host, port=port, **settings)
        else:
            self._sentinels = Sentinels(options)
            kind = SentinelWire if options.tls is None else SentinelTlsWire
            pool: Any = SentinelPool
            self._pool = pool(
                options.sentinel_master, self._sentinels, connection_class=kind, **settings
            )
        self.client: Redis = Redis.from_pool(self._pool)

    def apart(self) -> Any:
        """A new connection, not connected yet, that is not the pool's but its user's to end."""
        return self._pool.make_connection()

    async def lead_astray(self, wire: Any) -> bool:
        """Whether the Sentinels name another primary by now; all connections follow them.

        A primary that was replaced goes on answering until it is told, which may take long.
        """
        if self._sentinels is None:
            return False
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                address = await self._pool.get_master_address()
        except FAULTS:
            return False  # without Sentinels the primary is as good as before
        return bool((wire.host, wire.port) != address)

    async def close(self) -> None:
        await self.client.aclose()
        if self._sentinels is not None:
            await self._sentinels.close()


def _kind(tls: Callable[[], ssl.SSLContext] | None) -> type[Connection]:
    return Wire if tls is None else TlsWire


def _settings(tls: Callable[[], ssl.SSLContext] | None) -> dict[str, Any]:
    secure: Mapping[str, Any] = {} if tls is None else {"tls": tls}
    return {
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": ANSWER_TIMEOUT,
        "socket_keepalive": True,
        # A script that was sent again after a lost answer would fail on its own work; and who
        # calls has better things to do than to wait.
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        **secure,
    }


class Credentials(CredentialProvider):
    """Implements redis-py's provider, which is asked at every new connection."""

    def __init__(self, username: str | None, password: Callable[[], str | None]) -> None:
        self._username = username
        self._password = password

    async def get_credentials_async(self) -> Any:
        return self.get_credentials()

    def get_credentials(self) -> Any:
        # redis-py closes the connection for its own errors alone; after another it would go on
        # to use one that is not logged in. So nothing waits here, either.
        try:
            password = self._password()
        except (OSError, ValueError):
            raise UnreadablePasswordError from None
        if self._username:
            return self._username, password or ""
        return () if password is None else (password,)


class Wire(Connection):
    """A connection that ends when the server turns out to be a replica: the next is made anew."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except ResponseError as problem:
            if code_of(problem) != "READONLY":
                raise
            await self.disconnect(nowait=True)
            raise ResponseError("READONLY") from None


class _Given:
    """Stands in for redis-py's maker of TLS contexts."""

    def __init__(self, tls: Callable[[], ssl.SSLContext]) -> None:
        self.get = tls


class TlsWire(Wire, SSLConnection):
    """A connection under TLS, by a context that is asked for anew."""

    def __init__(self, *, tls: Callable[[], ssl.SSLContext], **settings: Any) -> None:
        super().__init__(**settings)
        self.ssl_context = _Given(tls)  # type: ignore[assignment]


class SentinelWire(SentinelManagedConnection, Wire):
    """A connection to the primary.

    One that leads elsewhere since is left when its next user takes it, by that user alone: the
    pool's way of cutting the idle ones may cut one that was taken meanwhile.
    """

    async def connect(self) -> None:
        if (self.host, self.port) != self.connection_pool.master_address:
            await self.disconnect(nowait=True)
        await super().connect()  # type: ignore[no-untyped-call]  # redis-py's has no types


class SentinelTlsWire(SentinelWire, TlsWire):
    """The same under TLS."""


class SentinelPool(SentinelConnectionPool):
    """Knows where the primary is."""

    async def get_master_address(self) -> Address:
        address: Address = await self.sentinel_manager.discover_master(self.service_name)
        self.master_address = address
        return address


class Sentinels:
    """Asks all Sentinels at once: one that hangs must not keep the answer of another away."""

    def __init__(self, options: RedisOptions) -> None:
        settings = {
            "credential_provider": Credentials(None, options.sentinel_password),
            **_settings(options.tls),
        }
        self._clients: list[Redis] = [
            Redis.from_pool(ConnectionPool(_kind(options.tls), host=host, port=port, **settings))
            for host, port in options.nodes
        ]

    async def discover_master(self, name: str) -> Address:
        """Give the first answer. Raises what tells most of those that did not."""
        problems: list[Exception] = []
        asking = [asyncio.create_task(_ask(client, name)) for client in self._clients]
        try:
            for answer in asyncio.as_completed(asking):
                try:
                    return await answer
                except FAULTS as problem:
                    problems.append(problem)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        raise max(problems, key=_tells)

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


def _tells(problem: Exception) -> int:
    """How much an operator learns by it: most by a refusal, least by silence."""
    return 2 if code_of(problem) else int(isinstance(problem, MasterNotFoundError))


async def _ask(client: Any, name: str) -> Address:
    found = await client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
    if found is None:
        raise MasterNotFoundError
    host, port = found
    return host.decode(), int(port)
