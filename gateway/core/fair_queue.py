"""Those who wait, by caller: each caller has its turn before any has its next.

A caller that comes, or comes again, stands behind all that wait, so that nobody waits for more
than one turn of each other caller, whatever those do and however many come after.
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Final, Generic, TypeVar

T = TypeVar("T", bound=Hashable)

PER_CALLER: Final = 64
"""Who has more waiting than could be served in time only makes the wait of its own calls longer."""

CALLERS: Final = 1024
"""Callers that wait at once."""


class FairQueue(Generic[T]):
    """What waits is unique. Takes memory for `callers * per_caller` at most."""

    __slots__ = ("_callers", "_most", "_size", "per_caller")

    def __init__(self, per_caller: int = PER_CALLER, callers: int = CALLERS) -> None:
        self._callers: OrderedDict[str, OrderedDict[T, None]] = OrderedDict()
        """In the order of their turns."""
        self._most = callers
        self._size = 0
        self.per_caller = per_caller

    def __len__(self) -> int:
        return self._size

    def put(self, caller: str, item: T) -> bool:
        """Behind the caller's own; False: it has too many waiting, or too many callers wait."""
        own = self._callers.get(caller)
        if own is None:
            if len(self._callers) >= self._most:
                return False
            own = self._callers[caller] = OrderedDict()
        elif len(own) >= self.per_caller:
            return False
        own[item] = None
        self._size += 1
        return True

    def take(self, caller: str = "") -> tuple[str, T] | None:
        """The first of this caller, or of that whose turn it is if this one has none waiting."""
        if not self._callers:
            return None
        own = self._callers.pop(caller, None)
        if own is None:
            caller, own = self._callers.popitem(last=False)
        item, _ = own.popitem(last=False)
        self._size -= 1
        if own:
            self._callers[caller] = own
        return caller, item

    def remove(self, caller: str, item: T) -> bool:
        """It waits no more; whether it did."""
        own = self._callers.get(caller)
        if own is None or item not in own:
            return False
        del own[item]
        self._size -= 1
        if not own:
            del self._callers[caller]
        return True

    def waiting(self) -> Mapping[str, int]:
        """How many each caller has waiting, in the order of their turns."""
        return {caller: len(own) for caller, own in self._callers.items()}

    def of(self, caller: str) -> int:
        """How many this one has waiting."""
        return len(self._callers.get(caller, ()))
