"""The schedule of calls in Redis: a hash an account, written only as it was read.

What the replicas make of it is `gateway.core.rate_book`, here as in the other stores; Redis gives
the time, and says whether another replica was quicker, who then reads what that has written.
"""

import json
from collections.abc import Mapping
from typing import Final

from gateway.core.errors import StoreUnavailableError
from gateway.core.rate_book import DAY, Ask, decode
from gateway.ports import Reserved
from gateway.stores.record import tag
from gateway.stores.redis import RedisStore
from gateway.stores.redis_scripts import READ_RATES, WRITE_RATES

TRIES: Final = 20
"""Of a hundred replicas that ask together, some are quicker each time."""

_KEPT: Final = round(2 * DAY * 1000)
"""Milliseconds after its last change that it is kept: it counts the calls of a day."""


class RedisRates:
    """Implements `RateStore`. The store's time is Redis' clock. `server` is its own, and closed
    with it.
    """

    def __init__(self, server: RedisStore) -> None:
        self._server = server

    async def reserve(self, account: str, replica: str, asks: Mapping[str, Ask]) -> Reserved:
        key = f"zoom-gateway:{{{account}}}:rates"
        for _ in range(TRIES):
            at, version, content = await self._server.run(READ_RATES, key)
            now = int(at) / 1e6
            book = decode(_loaded(content))
            shares = book.exchange(replica, asks, now)
            written = json.dumps(book.encode(), separators=(",", ":"))
            if await self._server.run(WRITE_RATES, key, version or "", tag(), written, _KEPT):
                return Reserved(now, shares)
        raise StoreUnavailableError(
            f"the key {key} in Redis is changed by too many replicas at once (store.url)"
        )

    async def close(self) -> None:
        await self._server.close()


def _loaded(content: bytes | None) -> object:
    """None for what is no schedule: it begins anew."""
    try:
        return None if content is None else json.loads(content)
    except (ValueError, RecursionError):
        return None
