"""What a call's line says: a processor that makes fields of a report, and a quick way to JSON.

A gateway writes a line for each call, so this one is put together by hand; every other goes through
`Shape` and an encoder. Both ways give the same line, and a test holds them to it.
"""

from json.encoder import encode_basestring_ascii
from typing import Any, Final

from gateway.observe.fields import LONGEST, Event
from gateway.reports import CallReport

KEY: Final = "call"
"""The keyword by which a report comes to the log."""


def expand(logger: object, method: str, fields: Event) -> Event:
    """A structlog processor: in place of a report come its fields."""
    del logger, method
    report = fields.pop(KEY, None)
    if isinstance(report, CallReport):
        fields.update(_always(report))
        fields.update(_sometimes(report))
        if "sample_rate" in fields:  # it stands last
            fields["sample_rate"] = fields.pop("sample_rate")
    return fields


def _always(report: CallReport) -> dict[str, Any]:
    return {
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


def _sometimes(report: CallReport) -> dict[str, str | float]:
    """What stands there only where there is something to say."""
    fields: dict[str, str | float] = {
        "caller_name": report.caller_name,
        "key_name": report.key,
        "host": report.host,
        "replay_outcome": "" if report.outcome is None else report.outcome.value,
        "tracking_id": report.tracking_id,
        "error": report.error,
        "rule": report.rule,
        "reason": report.reason,
        "pace_wait_ms": _ms(report.pace_wait),
    }
    if report.throttling is not None:
        last = report.throttling.seen[-1]
        fields["rate_limit"], fields["rate_category"] = last.kind.value, last.category
        fields["rate_retries"] = report.throttling.retries
    if report.trace is not None:
        fields["trace_id"] = report.trace.context.trace_id
        fields["span_id"] = report.trace.context.span_id
    return {name: value for name, value in fields.items() if value}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def json_line(stamp: str, level: str, report: CallReport, sample_rate: float | None) -> bytes:
    """What `expand`, `Shape` and JSON make of it."""
    text = encode_basestring_ascii
    line = (
        f'{{"timestamp":"{stamp}","level":"{level}","event":"call"'
        f',"request_id":{text(report.request_id)},"caller":{text(report.caller)}'
        f',"account":{text(report.account)},"method":{text(report.method)}'
        f',"route":{text(report.route)},"status":{report.status}'
        f',"duration_ms":{report.duration * 1000:.1f}'
        f',"upstream_ms":{report.upstream_duration * 1000:.1f}'
        f',"token_wait_ms":{report.token_wait * 1000:.1f}'
        f',"generation":{report.generation},"replays":{report.replays}'
        f',"bytes_in":{report.bytes_in},"bytes_out":{report.bytes_out}'
    )
    if (
        report.tracking_id
        or report.error
        or report.trace is not None
        or report.outcome is not None
        or report.caller_name
        or report.rule
        or report.reason
        or report.key
        or report.throttling is not None
        or report.host
        or report.pace_wait
    ):
        for name, value in _sometimes(report).items():
            said = text(value[:LONGEST]) if isinstance(value, str) else value
            line += f',"{name}":{said}'
    if sample_rate is not None:
        line += f',"sample_rate":{sample_rate!r}'
    return f"{line}}}".encode("ascii")
