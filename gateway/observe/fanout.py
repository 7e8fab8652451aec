"""One observer that is several."""

import contextlib
from collections.abc import Callable

from gateway.core.events import TokenEvent
from gateway.ports import Observer
from gateway.reports import CallReport


class Fanout:
    """Implements `Observer`: tells each of `observers` in turn, whatever the others do.

    An exception of one of them is a defect of the gateway; `defect` is told, the caller is not.
    """

    def __init__(self, *observers: Observer, defect: Callable[[Exception], None]) -> None:
        self._observers = observers
        # Most care for ends alone.
        self._began = [one.call_began for one in observers if not _is_idle(one)]
        self._ended = [one.call_ended for one in observers]
        self._defect = defect

    def call_began(self, account: str) -> None:
        for tell in self._began:
            try:
                tell(account)
            except Exception as problem:  # noqa: BLE001  the call must go on
                self._tell(problem)

    def call_ended(self, report: CallReport) -> None:
        for tell in self._ended:
            try:
                tell(report)
            except Exception as problem:  # noqa: BLE001  the call must go on
                self._tell(problem)

    def token_event(self, account: str, event: TokenEvent) -> None:
        for observer in self._observers:
            try:
                observer.token_event(account, event)
            except Exception as problem:  # noqa: BLE001  the mint must go on
                self._tell(problem)

    def _tell(self, problem: Exception) -> None:
        with contextlib.suppress(Exception):  # there is nobody left to tell
            self._defect(problem)


def _is_idle(observer: Observer) -> bool:
    """Whether it inherits `call_began`, which does nothing."""
    return getattr(type(observer), "call_began", None) is Observer.call_began
