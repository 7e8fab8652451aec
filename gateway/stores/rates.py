"""The schedule of calls in memory: of one replica, or of a fleet whose store is away."""

from collections.abc import Mapping

from gateway.core.rate_book import Ask, Book
from gateway.ports import Clock, Reserved


class MemoryRates:
    """Implements `RateStore`. No call waits, so each is atomic by itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._books: dict[str, Book] = {}

    async def reserve(self, account: str, replica: str, asks: Mapping[str, Ask]) -> Reserved:
        now = self._clock.wall()
        book = self._books.setdefault(account, Book())
        return Reserved(now, book.exchange(replica, asks, now))

    async def close(self) -> None:
        """Nothing to close."""
