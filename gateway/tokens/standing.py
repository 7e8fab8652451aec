"""Whether the store can be used, as one replica has seen it last."""

from collections.abc import Callable

from gateway.core.errors import StoreContentError, StoreError, StoreRefusedError
from gateway.core.events import StoreDown, StoreUp, TokenEvent


class StoreStanding:
    """A store that is full, or that became read-only, may still be read: it is up again only when
    it takes a write.
    """

    def __init__(self, tell: Callable[[TokenEvent], None]) -> None:
        self._tell = tell
        self._unreadable: StoreError | None = None
        self._unwritable: StoreError | None = None
        self.reached = False
        """It worked at least once."""
        self.shut_out = False
        """It holds what cannot be read, or it has refused this replica ever since it started."""
        self.outages = 0
        """So many have begun."""
        self._told: set[str] = set()

    @property
    def problem(self) -> StoreError | None:
        return self._unwritable or self._unreadable

    @property
    def must_write(self) -> bool:
        """Only a write can tell whether the store takes one again."""
        return self._unwritable is not None

    def read_failed(self, problem: StoreError) -> None:
        before = self.problem
        self._unreadable = problem
        self._noted(before, problem)

    def write_failed(self, problem: StoreError) -> None:
        before = self.problem
        self._unwritable = problem
        self._noted(before, problem)

    def read_worked(self) -> None:
        before = self.problem
        self._unreadable = None
        self._cured(before)

    def write_worked(self) -> None:
        before = self.problem
        self._unwritable = None
        self._cured(before)

    def _noted(self, before: StoreError | None, problem: StoreError) -> None:
        """Each reason is told once in an outage."""
        if before is None:
            self.outages += 1
            self._told.clear()
        if isinstance(problem, StoreContentError) or (
            isinstance(problem, StoreRefusedError) and not self.reached
        ):
            self.shut_out = True
        if str(problem) not in self._told:
            self._told.add(str(problem))
            self._tell(StoreDown(str(problem)))

    def _cured(self, before: StoreError | None) -> None:
        self.reached = True
        if self.problem is None:
            self.shut_out = False
        if before is not None and self.problem is None:
            self._tell(StoreUp())
