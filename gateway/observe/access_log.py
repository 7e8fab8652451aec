"""One line a call, or fewer where calls go well."""

import logging
from hashlib import blake2b
from typing import Final

from structlog.typing import FilteringBoundLogger

from gateway.core.events import TokenEvent
from gateway.core.trace import chosen
from gateway.observe.logs import call_writer
from gateway.ports import Observer
from gateway.reports import CallReport

SLOW: Final = 5.0
"""Seconds from which a call's line is always written: clients give up at 10 to 15."""

_TURNED_AWAY: Final = "too_many_calls"
"""Such calls are told of in sum, as `limit_reached`: under an attack their lines would be a second
one, on the log."""

_ERROR: Final = 400
_SERVER_ERROR: Final = 500


class AccessLog(Observer):
    """Implements `Observer`: a `call` line for each call, a warning if its status is 5xx.

    `gateway.observe.call_line` says what is written of a report.

    Calls that were turned away, because there were too many, have none.
    Of calls that went well, a share of `sample` (0 to 1) is written.
    """

    def __init__(self, log: FilteringBoundLogger, sample: float = 1.0) -> None:
        self._write = call_writer(log)
        self._errors_only = not log.is_enabled_for(logging.INFO)
        self._sample = sample
        self._all = sample == 1.0

    def call_ended(self, report: CallReport) -> None:
        if report.error == _TURNED_AWAY:
            pass
        elif report.status >= _SERVER_ERROR:
            self._write("warning", report, None)
        elif self._errors_only:
            pass
        elif self._all or _notable(report):
            self._write("info", report, None)
        elif chosen(_identity(report), self._sample):
            self._write("info", report, self._sample)

    def token_event(self, account: str, event: TokenEvent) -> None: ...


def _notable(report: CallReport) -> bool:
    """Tell whether the call's line is written whatever the share: there may be questions."""
    return bool(
        report.status >= _ERROR
        or report.error
        or report.outcome is not None
        or report.throttling is not None
        or report.duration >= SLOW
    )


def _identity(report: CallReport) -> str:
    """What decides: the trace, as it does about spans, or else the request's id.

    So a call that goes through several gateways, or is repeated under its id, is logged by all of
    them or by none.
    """
    if report.trace is not None:
        return report.trace.context.trace_id
    return blake2b(report.request_id.encode(), digest_size=8).hexdigest()
