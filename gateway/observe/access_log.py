"""One line a call."""

import logging
from typing import Any

from structlog.typing import FilteringBoundLogger

from gateway.core.events import TokenEvent
from gateway.ports import CallReport

_SERVER_ERROR = 500


class AccessLog:
    """Implements `Observer`: a `call` line for each call, a warning if its status is 5xx."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._errors_only = not log.is_enabled_for(logging.INFO)

    def call_began(self, account: str) -> None: ...

    def call_ended(self, report: CallReport) -> None:
        if report.status >= _SERVER_ERROR:
            self._log.warning("call", **_fields(report))
        elif not self._errors_only:
            self._log.info("call", **_fields(report))

    def token_event(self, account: str, event: TokenEvent) -> None: ...


def _fields(report: CallReport) -> dict[str, Any]:
    """The last three only where there is something to say."""
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
    if report.outcome is not None:
        fields["replay_outcome"] = report.outcome.value
    if report.tracking_id:
        fields["tracking_id"] = report.tracking_id
    if report.error:
        fields["error"] = report.error
    return fields


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
