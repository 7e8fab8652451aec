"""How much of its limits a process uses, and how often each was reached."""

import sys
from collections.abc import Callable, Mapping

from gateway.core.errors import CallRefusedError
from gateway.core.limits import Limits


class Hand:
    """The calls of one account in hand, and how many there may be."""

    __slots__ = ("calls", "most")

    def __init__(self, most: int) -> None:
        self.calls = 0
        self.most = most

    def take(self, account: str) -> None:
        """One more. Raises CallRefusedError."""
        if self.calls >= self.most:
            raise CallRefusedError(
                503,
                "too_many_calls",
                f"The account {account} has {self.most} calls in hand; nothing was sent.",
                limit="calls_per_account",
            )
        self.calls += 1


class Meters:
    """One for a process, whatever configuration its parts were made from.

    `told` hears of every limit that was reached, by its key, and must neither wait nor raise;
    `starved` that no file descriptor was free.
    """

    __slots__ = (
        "_hands",
        "_told",
        "calls",
        "connections",
        "kept_disk",
        "kept_memory",
        "refused",
        "starved",
    )

    def __init__(
        self,
        told: Callable[[str], None] = lambda _: None,
        starved: Callable[[], None] = lambda: None,
    ) -> None:
        self._told = told
        self.starved = starved
        self.calls = 0
        """In hand."""
        self.connections = 0
        """Of callers, open."""
        self.kept_memory = 0
        """Bytes of bodies in memory."""
        self.kept_disk = 0
        """Bytes of bodies in files."""
        self._hands: Mapping[str, Hand] = {}
        self.refused = {"calls": 0, "connections": 0}
        """What came and was turned away by a limit that is everybody's."""

    def hands(self, most: Mapping[str, int]) -> Mapping[str, Hand]:
        """Of the accounts of a configuration that may have so many calls; 0: no limit, no hand.

        What a former configuration's calls of them have in hand counts on.
        """
        hands = {name: self._hands.get(name) or Hand(count) for name, count in most.items()}
        for name, hand in hands.items():
            hand.most = most[name] or sys.maxsize
        self._hands = hands
        return {name: hand for name, hand in hands.items() if most[name]}

    def reached(self, limit: str) -> None:
        """A call or connection was refused or ended, or a body not kept, because of `limit`."""
        self._told(limit)

    def turned_away(self, limit: str) -> None:
        """A call or connection was refused. What one caller alone has too many of is no news."""
        if limit in self.refused:
            self.refused[limit] += 1


class Allowance:
    """What all bodies together may take of memory and disk, in bytes."""

    __slots__ = ("_disk", "_memory", "_meters")

    def __init__(self, limits: Limits, meters: Meters) -> None:
        self._memory = limits.kept_memory
        self._disk = limits.kept_disk
        self._meters = meters

    def share(self) -> "Share":
        """For one more body."""
        return Share(self._memory, self._disk, self._meters)


class Share:
    """What one body takes of the allowance. Each limit is told of once for a body."""

    __slots__ = ("_disk", "_disk_limit", "_memory", "_memory_limit", "_meters", "_told")

    def __init__(self, memory_limit: int, disk_limit: int, meters: Meters) -> None:
        self._memory_limit = memory_limit
        self._disk_limit = disk_limit
        self._meters = meters
        self._memory = self._disk = 0
        self._told: tuple[str, ...] = ()

    def remember(self, size: int) -> bool:
        """Take so much memory, whether there is enough or not; tell whether there was."""
        self._memory += size
        self._meters.kept_memory += size
        if self._meters.kept_memory <= self._memory_limit:
            return True
        self._tell("kept_memory")
        return False

    def store(self, size: int) -> bool:
        """Take so much of the disk, if there is enough."""
        if self._meters.kept_disk + size > self._disk_limit:
            self._tell("kept_disk")
            return False
        self._disk += size
        self._meters.kept_disk += size
        return True

    def forget(self, size: int) -> None:
        """Give so much memory back."""
        self._memory -= size
        self._meters.kept_memory -= size

    def end(self) -> None:
        """Give everything back. Idempotent."""
        self.forget(self._memory)
        self._meters.kept_disk -= self._disk
        self._disk = 0

    def _tell(self, limit: str) -> None:
        if limit not in self._told:
            self._told = (*self._told, limit)
            self._meters.reached(limit)
