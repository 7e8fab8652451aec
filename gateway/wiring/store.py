"""The store that the settings name."""

from collections.abc import Callable

from gateway.clock import SystemClock
from gateway.ports import TokenStore
from gateway.settings import Settings
from gateway.settings.urls import whole_url
from gateway.stores.file import FileStore
from gateway.stores.memory import MemoryStore


def token_store(settings: Settings, report: Callable[[str], None]) -> TokenStore:
    """Where the tokens are kept; `report` is told of a file that had to be set aside."""
    url = whole_url(settings.store.url)
    if url.startswith(("redis:", "rediss:")):
        # Only who uses Redis loads its client.
        from gateway.stores.redis import RedisStore  # noqa: PLC0415

        return RedisStore(url)
    directory = settings.store.directory
    if directory is None:
        return MemoryStore(SystemClock())
    return FileStore(directory, report)
