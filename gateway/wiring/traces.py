"""The tracing that is in force, if any: it may be switched on and off while the gateway runs."""

import asyncio
from typing import TYPE_CHECKING

from gateway.core.events import TokenEvent
from gateway.core.headers import CallerHeaders
from gateway.core.status import Replica
from gateway.core.trace import CallTrace, foreign
from gateway.ports import Clock, Observer
from gateway.reports import CallReport
from gateway.settings import Settings
from gateway.wiring.lines import Lines

if TYPE_CHECKING:
    from gateway.observe.tracing import Tracer


class Traces(Observer):
    """Implements `Observer`."""

    def __init__(self, replica: Replica, clock: Clock, lines: Lines) -> None:
        self._replica = replica
        self._clock = clock
        self._lines = lines
        self._tracer: Tracer | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def use(self, settings: Settings) -> None:
        """Trace as these say from now on. Call it inside the running loop."""
        former = self._tracer
        self._tracer = self._made(settings)
        if former is not None:
            task = asyncio.create_task(former.close())
            self._closing.add(task)
            task.add_done_callback(self._closed)

    def _closed(self, task: "asyncio.Task[None]") -> None:
        self._closing.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._lines.defect(problem)

    def _made(self, settings: Settings) -> "Tracer | None":
        tracing = settings.tracing
        if tracing.endpoint is None:
            return None
        # OpenTelemetry is loaded only where spans are wanted.
        from gateway.observe.tracing import Collector, Tracer  # noqa: PLC0415

        collector = Collector(
            tracing.endpoint,
            tracing.service_name,
            self._replica.name,
            self._replica.version,
            tracing.ca_file,
            tracing.current_headers,
        )
        return Tracer(
            collector,
            tracing.sample,
            settings.upstream.api_origin,
            self._clock,
            self._lines.spans_lost,
        )

    def trace_of(self, headers: CallerHeaders, began: float) -> CallTrace | None:
        """Give a call's place in a trace; None: it belongs to none."""
        return self._tracer.begin(headers, began) if self._tracer else foreign(headers)

    def call_ended(self, report: CallReport) -> None:
        if self._tracer is not None:
            self._tracer.call_ended(report)

    def token_event(self, account: str, event: TokenEvent) -> None:
        if self._tracer is not None:
            self._tracer.token_event(account, event)

    async def close(self) -> None:
        """Let what is left get away, in bounded time."""
        if self._tracer is not None:
            await self._tracer.close()
        if self._closing:
            await asyncio.wait(self._closing)
