"""The store that the settings name, and what it seals the tokens with."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.clock import SystemClock
from gateway.core.secret import Secret
from gateway.ports import TokenStore
from gateway.settings import Settings, StoreSettings
from gateway.settings.tls_files import client_context
from gateway.stores.file import FileStore
from gateway.stores.memory import MemoryStore
from gateway.stores.redis_options import RedisOptions
from gateway.stores.sealed import Key, SealedStore

if TYPE_CHECKING:
    from gateway.stores.redis_facts import RedisFacts


def token_store(settings: Settings, report: Callable[[str], None]) -> TokenStore:
    """Where the tokens are kept; `report` is told of a file that had to be set aside.

    Raises ConfigurationError if the file of an encryption key cannot be read (any more).
    """
    current, previous = settings.store.encryption_keys()
    # Without a key, too: what another replica has sealed is no token.
    return SealedStore(_plain_store(settings.store, report), _key(current), _key(previous))


def _plain_store(settings: StoreSettings, report: Callable[[str], None]) -> TokenStore:
    options = redis_options(settings)
    if options is not None:
        # Only who uses Redis loads its client.
        from gateway.stores.redis import RedisStore  # noqa: PLC0415

        return RedisStore(options)
    directory = settings.directory
    if directory is None:
        return MemoryStore(SystemClock())
    return FileStore(directory, report)


def load_clients(settings: Settings) -> None:
    """Load now what a store would load when it is made: for who measures times side by side."""
    if redis_options(settings.store) is not None:
        import gateway.stores.redis  # noqa: PLC0415  only who uses Redis loads its client
    if settings.store.encryption_key_file is not None:
        import gateway.stores.sealing  # noqa: F401, PLC0415  only who encrypts loads the library


async def redis_facts(settings: Settings) -> "RedisFacts | None":
    """What the Redis of the settings tells of itself; None if it does not."""
    options = redis_options(settings.store)
    if options is None:
        return None
    from gateway.stores import redis_facts as facts  # noqa: PLC0415  only who uses Redis loads it

    return await facts.redis_facts(options)


def _key(key: Secret | None) -> Key | None:
    if key is None:
        return None
    # Only who encrypts loads the library.
    from gateway.stores.sealing import SealingKey  # noqa: PLC0415

    return SealingKey(key)


def redis_options(settings: StoreSettings) -> RedisOptions | None:
    """How Redis is reached and entered; None for another store."""
    address = settings.redis
    if address is None:
        return None
    return RedisOptions(
        nodes=address.nodes,
        sentinel_master=address.master,
        database=address.database,
        username=address.user,
        password=lambda: _revealed(settings.redis_password()),
        sentinel_password=lambda: _revealed(settings.current_sentinel_password()),
        tls=_TlsContext(settings) if settings.tls else None,
    )


def _revealed(secret: Secret | None) -> str | None:
    return secret.reveal() if secret else None


class _TlsContext:
    """Gives the context for a new connection; made anew when one of its files has changed.

    The system's CAs alone take 30 ms to load, which would hold up every call in flight.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self._files = (
            settings.ca_file,
            settings.client_certificate_file,
            settings.client_key_file,
        )
        self._state: list[object] = []
        self._context: ssl.SSLContext | None = None

    def __call__(self) -> ssl.SSLContext:
        """Raises OSError or ValueError if a file cannot be used (any more)."""
        state = [_state(path) for path in self._files]
        if self._context is None or state != self._state:
            self._context, self._state = client_context(*self._files), state
        return self._context


def _state(path: Path | None) -> object:
    if path is None:
        return None
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
