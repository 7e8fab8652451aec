"""One line a call, or fewer where calls go well."""

import logging
from hashlib import blake2b
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from gateway.core.events import TokenEvent
from gateway.core.trace import chosen
from gateway.ports import CallReport

SLOW: Final = 5.0
"""Seconds from which a call's line is always written: clients give up at 10 to 15."""

_TURNED_AWAY: Final = "too_many_calls"
"""Such calls are told of in sum, as `limit_reached`: under an attack their lines would be a second
one, on the log."""

_ERROR: Final = 400
_SERVER_ERROR: Final = 500


class AccessLog:
    """Implements `Observer`: a `call` line for each call, a warning if its status is 5xx.

    Calls that were turned away, because there were too many, have none.
    Of calls that went well, a share of `sample` (0 to 1) is written.
    """

    def __init__(self, log: FilteringBoundLogger, sample: float = 1.0) -> None:
        self._log = log
        self._errors_only = not log.is_enabled_for(logging.INFO)
        self._sample = sample
        self._all = sample == 1.0

    def call_began(self, account: str) -> None: ...

    def call_ended(self, report: CallReport) -> None:
        if report.error == _TURNED_AWAY:
            pass
        elif report.status >= _SERVER_ERROR:
            self._log.warning("call", **_fields(report))
        elif self._errors_only:
            pass
        elif self._all or _notable(report):
            self._log.info("call", **_fields(report))
        elif chosen(_identity(report), self._sample):
            self._log.info("call", **_fields(report), sample_rate=self._sample)

    def token_event(self, account: str, event: TokenEvent) -> None: ...


def _notable(report: CallReport) -> bool:
    """Tell whether the call's line is written whatever the share: there may be questions."""
    return bool(
        report.status >= _ERROR
        or report.error
        or report.outcome is not None
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


def _fields(report: CallReport) -> dict[str, Any]:
    """The last ones only where there is something to say."""
    fields: dict[str, Any] = {
        "request_id": report.request_id,
        "caller": report.caller,
        "account": report.account,
        "method": report.method,
        "route": report.route,
        "status": report.status,
        "duration_ms": _ms(report.duration),
        "upstream_ms": _ms(report.upstream_duration),
        "token_wait_ms": _ms(report.token_wait),
        "generation": report.generation,
        "replays": report.replays,
        "bytes_in": report.bytes_in,
        "bytes_out": report.bytes_out,
    }
    if report.caller_name:
        fields["caller_name"] = report.caller_name
    if report.outcome is not None:
        fields["replay_outcome"] = report.outcome.value
    if report.tracking_id:
        fields["tracking_id"] = report.tracking_id
    if report.error:
        fields["error"] = report.error
    if report.rule:
        fields["rule"] = report.rule
    if report.reason:
        fields["reason"] = report.reason
    if report.trace is not None:
        fields["trace_id"] = report.trace.context.trace_id
        fields["span_id"] = report.trace.context.span_id
    return fields


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
