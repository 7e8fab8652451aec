"""A line for each thing that happens to a token."""

import logging

from structlog.typing import FilteringBoundLogger

from gateway.core.events import RefusalCause, Refused, TokenEvent
from gateway.observe.throttle import Later, Throttle, call_later
from gateway.observe.token_lines import became, line_of, refusals_line
from gateway.ports import Observer
from gateway.reports import CallReport

REFUSALS_PERIOD = 1.0
"""Seconds between two warnings of refusals with the same cause: a dead token brings hundreds."""


class TokenLog(Observer):
    """Implements `Observer`."""

    def __init__(self, log: FilteringBoundLogger, later: Later = call_later) -> None:
        self._log = log
        self._debug = log.is_enabled_for(logging.DEBUG)
        self._throttle = Throttle(REFUSALS_PERIOD, later)

    def call_ended(self, report: CallReport) -> None: ...

    def token_event(self, account: str, event: TokenEvent) -> None:
        if isinstance(event, Refused):
            self._refused(account, event)
            return
        line = line_of(event)
        if line is not None:
            tell = getattr(self._log, line.level)
            tell(line.event, message=line.message, account=account, **line.fields)

    def _refused(self, account: str, event: Refused) -> None:
        if self._debug:  # one for each call that a dead token brings
            self._log.debug(
                "token_refused",
                message=f"Zoom refused token {event.generation}, which {became(event.cause)}.",
                account=account,
                generation=event.generation,
                endpoint=event.endpoint,
                cause=event.cause.value,
            )
        self._throttle.hit(
            (account, event.cause), lambda count: self._refusals(account, event.cause, count)
        )

    def _refusals(self, account: str, cause: RefusalCause, count: int) -> None:
        line = refusals_line(cause, count)
        self._log.warning(line.event, message=line.message, account=account, **line.fields)
