"""What is known of a call, or of a mint, as spans. `docs/tracing.md` shows them.

Needs the extra `otel`. The SDK's tracer is passed by: it names spans as they begin, and what is
made here has begun, has ended and has its name already. No span holds a path, a query, a body, a
token or a secret: routes come from a fixed table, accounts and apps from the configuration.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from gateway.core.events import Minted, MintFailed
from gateway.core.routes import OTHER
from gateway.core.trace import CallTrace, Sending, Steps, TraceContext
from gateway.reports import CallReport

SHORTEST_WAIT: Final = 0.001
"""Seconds: a shorter wait for a token is no span."""

LONGEST: Final = 256
"""Characters of a text of Zoom's."""

Attributes = dict[str, str | int | float | bool]

_SERVER_ERROR: Final = 500
_ERROR: Final = 400


class Place(NamedTuple):
    """What all spans have in common."""

    resource: Resource
    scope: InstrumentationScope
    zoom: Attributes
    """Where calls go."""


class Mark(NamedTuple):
    """A mint that ended, for those who waited for it."""

    ended: float
    """On the gateway's clock."""
    context: SpanContext


class CallSpans:
    """The spans of one call.

    `epoch` turns a time of the gateway's clock into nanoseconds since the epoch; `mints` are the
    last ones of the call's account.
    """

    def __init__(
        self,
        report: CallReport,
        place: Place,
        epoch: Callable[[float], int],
        mints: Sequence[Mark] = (),
    ) -> None:
        self._report = report
        self._place = place
        self._epoch = epoch
        self._mints = mints
        self._method = "_OTHER" if report.method == OTHER else report.method
        plain = "HTTP" if report.method == OTHER else report.method
        self._name = plain if report.route == OTHER else f"{plain} {report.route}"

    def make(self, trace: CallTrace, steps: Steps) -> Iterator[ReadableSpan]:
        """Give them, the children first."""
        own = span_context(trace.context)
        for resent, sending in enumerate(steps.sendings):
            last = resent + 1 == len(steps.sendings)
            yield self._sending(own, sending, resent, self._report.error if last else "")
        for number, wait in enumerate(steps.waits):
            if wait.ended - wait.began >= SHORTEST_WAIT:
                yield self._wait(own, steps, number)
        yield self._call(own, trace, steps)

    def _call(self, own: SpanContext, trace: CallTrace, steps: Steps) -> ReadableSpan:
        report = self._report
        broken = report.status >= _SERVER_ERROR or (report.error and report.status < _ERROR)
        parent = None
        if trace.parent_id:
            parent = span_context(trace.context._replace(span_id=trace.parent_id), remote=True)
        return ReadableSpan(
            name=self._name,
            context=own,
            parent=parent,
            resource=self._place.resource,
            instrumentation_scope=self._place.scope,
            attributes=self._of_call(broken=bool(broken)),
            events=tuple(self._events(steps)),
            kind=SpanKind.SERVER,
            status=_status(broken=bool(broken)),
            start_time=self._epoch(steps.began),
            end_time=self._epoch(steps.began + report.duration),
        )

    def _of_call(self, *, broken: bool) -> Attributes:
        report = self._report
        found: Attributes = {
            "http.request.method": self._method,
            "http.response.status_code": report.status,
            "url.scheme": "https" if report.secure else "http",
            "zoom_gateway.account": report.account,
            "zoom_gateway.request_id": report.request_id,
            "zoom_gateway.replays": report.replays,
        }
        if report.route != OTHER:
            found["http.route"] = report.route
        if report.error or broken:
            found["error.type"] = report.error or str(report.status)
        if report.outcome is not None:
            found["zoom_gateway.replay_outcome"] = report.outcome.value
        if report.tracking_id:
            found["zoom_gateway.tracking_id"] = report.tracking_id[:LONGEST]
        return found

    def _events(self, steps: Steps) -> Iterator[Event]:
        for resent, sending in enumerate(steps.sendings):
            at, about = self._epoch, {"zoom_gateway.generation": sending.generation}
            if resent:
                yield Event("replay", about, at(sending.began))
            if sending.refused:
                yield Event("refusal", about, at(sending.answered))

    def _sending(self, own: SpanContext, sending: Sending, resent: int, error: str) -> ReadableSpan:
        found: Attributes = {
            "http.request.method": self._method,
            "zoom_gateway.generation": sending.generation,
            **self._place.zoom,
        }
        if self._report.route != OTHER:
            found["url.template"] = self._report.route
        if resent:
            found["http.request.resend_count"] = resent
        if sending.status:
            found["http.response.status_code"] = sending.status
        failed = not sending.status or sending.status >= _ERROR or bool(error)
        if failed:
            found["error.type"] = error or str(sending.status or "cancelled")
        return ReadableSpan(
            name=self._name,
            context=SpanContext(
                own.trace_id, int(sending.span_id, 16), False, own.trace_flags, own.trace_state
            ),
            parent=own,
            resource=self._place.resource,
            instrumentation_scope=self._place.scope,
            attributes=found,
            kind=SpanKind.CLIENT,
            status=_status(broken=failed),
            start_time=self._epoch(sending.began),
            end_time=self._epoch(max(sending.began, sending.ended)),
        )

    def _wait(self, own: SpanContext, steps: Steps, number: int) -> ReadableSpan:
        wait = steps.waits[number]
        ended = [mint for mint in self._mints if wait.began <= mint.ended <= wait.ended]
        return ReadableSpan(
            name="token wait",
            context=SpanContext(
                own.trace_id, steps.bits(64) or 1, False, own.trace_flags, own.trace_state
            ),
            parent=own,
            resource=self._place.resource,
            instrumentation_scope=self._place.scope,
            attributes={"zoom_gateway.account": self._report.account},
            links=[Link(mint.context) for mint in ended],
            start_time=self._epoch(wait.began),
            end_time=self._epoch(wait.ended),
        )


def mint_span(
    account: str, event: Minted | MintFailed, context: SpanContext, place: Place, ended: int
) -> ReadableSpan:
    """Give the span of a mint that ended so many nanoseconds after the epoch."""
    slot = event.slot
    found: Attributes = {
        "zoom_gateway.account": account,
        "zoom_gateway.app": slot.app,
        "zoom_gateway.index": slot.index,
        "zoom_gateway.reason": event.cause.value,
    }
    if isinstance(event, Minted):
        found["zoom_gateway.generation"] = event.generation
        found["zoom_gateway.result"] = "previous_secret" if event.previous_secret else "success"
    else:
        found["zoom_gateway.result"] = found["error.type"] = event.failure.value
    return ReadableSpan(
        name="mint",
        context=context,
        resource=place.resource,
        instrumentation_scope=place.scope,
        attributes=found,
        status=_status(broken=isinstance(event, MintFailed)),
        start_time=ended - round(event.took * 1e9),
        end_time=ended,
    )


def span_context(context: TraceContext, *, remote: bool = False) -> SpanContext:
    """Give a context as the SDK has it."""
    state = TraceState.from_header([context.state]) if context.state else None
    flags = TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), remote, flags, state)


def _status(*, broken: bool) -> Status:
    return Status(StatusCode.ERROR if broken else StatusCode.UNSET)
