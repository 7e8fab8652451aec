"""Sends spans to a collector. Needs the extra `otel`: import it only where spans are wanted.

Spans are made when a call, or a mint, has ended; a thread of the SDK's sends them. Nobody waits
for it: what it cannot get rid of is lost.
"""

import asyncio
import contextlib
import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gateway.core import trace
from gateway.core.events import Minted, MintFailed, TokenEvent
from gateway.core.headers import CallerHeaders
from gateway.core.secret import Secret
from gateway.core.trace import CallTrace
from gateway.observe.spans import Attributes, CallSpans, Mark, Place, mint_span, span_context
from gateway.ports import Clock, Observer
from gateway.reports import CallReport

QUEUE: Final = 4096
"""Spans that are kept while the collector is slow; of more, the oldest are lost."""

BATCH: Final = 512
"""Spans in one export."""

PERIOD: Final = 2.0
"""Seconds between two exports, if no batch is full before."""

TIMEOUT: Final = 10.0
"""Seconds for an export, its retries included."""

FLUSH: Final = 3.0
"""Seconds for the last spans to get away when the gateway stops."""

_MINTS: Final = 4
"""Mints of an account that those who waited can be linked to."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Where spans go, and under which name."""

    endpoint: str
    service_name: str
    replica: str
    version: str
    ca_file: Path | None
    headers: Callable[[], Mapping[str, Secret]]
    """What the collector asks for now. Raises ValueError, with words that may be shown."""


class Tracer(Observer):
    """Implements `Observer`, and names the traces of calls. Made inside the running loop.

    `share` of the traces that begin here are recorded; mints always. `api_url` is where calls go.
    `lost` is told, in the loop, of a batch of spans that could not be exported, and why.
    """

    def __init__(
        self,
        collector: Collector,
        share: float,
        api_url: str,
        clock: Clock,
        lost: Callable[[str], None],
    ) -> None:
        self._share = share
        self._clock = clock
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._mints: dict[str, deque[Mark]] = {}
        self._place = _place(collector, api_url)
        # It tells of each try, and fills in what the collector and its host answered.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL + 1)
        self._exporter = _Exporter(collector, self._failed)
        self._batches = BatchSpanProcessor(
            self._exporter,
            max_queue_size=QUEUE,
            schedule_delay_millis=PERIOD * 1000,
            max_export_batch_size=BATCH,
            export_timeout_millis=TIMEOUT * 1000,
        )

    def begin(self, headers: CallerHeaders, began: float) -> CallTrace:
        """Give a call its place in a trace."""
        return trace.begin(headers, self._share, random.getrandbits, began)

    def call_ended(self, report: CallReport) -> None:
        call = report.trace
        if call is None or call.steps is None:
            return
        spans = CallSpans(report, self._place, self._epoch(), self._mints.get(report.account, ()))
        for span in spans.make(call, call.steps):
            self._batches.on_end(span)

    def token_event(self, account: str, event: TokenEvent) -> None:
        if not isinstance(event, Minted | MintFailed):
            return
        now = self._clock.now()
        context = span_context(trace.root(1.0, random.getrandbits))
        self._mints.setdefault(account, deque(maxlen=_MINTS)).append(Mark(now, context))
        self._batches.on_end(mint_span(account, event, context, self._place, self._epoch()(now)))

    async def close(self) -> None:
        """Export what is left, within `FLUSH` seconds."""
        done = asyncio.Event()

        def flush() -> None:
            self._batches.shutdown()  # type: ignore[no-untyped-call]  # theirs
            self._in_the_loop(done.set)

        # A thread that does not keep the process: a collector may never answer.
        threading.Thread(target=flush, name="flush-spans", daemon=True).start()
        try:
            async with asyncio.timeout(FLUSH):
                await done.wait()
        except TimeoutError:
            self._lost(self._exporter.problem or f"no answer within {FLUSH:g} s")

    def _epoch(self) -> Callable[[float], int]:
        base = self._clock.wall() - self._clock.now()
        return lambda time: round((base + time) * 1e9)

    def _failed(self, reason: str) -> None:
        self._in_the_loop(lambda: self._lost(reason))

    def _in_the_loop(self, call: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # it is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(call)


def _place(collector: Collector, api_url: str) -> Place:
    """The variable OTEL_RESOURCE_ATTRIBUTES adds to the resource, and changes nothing of ours."""
    zoom = urlsplit(api_url)
    attributes: Attributes = {
        "url.scheme": zoom.scheme,
        "server.address": zoom.hostname or "",
        "server.port": zoom.port or (443 if zoom.scheme == "https" else 80),
    }
    resource = Resource.create(
        {
            "service.name": collector.service_name,
            "service.version": collector.version,
            "service.instance.id": collector.replica,
        }
    )
    return Place(resource, InstrumentationScope("zoom-gateway", collector.version), attributes)


class _Exporter(SpanExporter):
    """The library's, which tells in our words when it fails. Lives in a thread."""

    def __init__(self, collector: Collector, failed: Callable[[str], None]) -> None:
        self._session = _Session(collector.headers)
        self._failed = failed
        self._exporter = OTLPSpanExporter(
            endpoint=collector.endpoint,
            certificate_file=str(collector.ca_file) if collector.ca_file else None,
            timeout=TIMEOUT,
            compression=Compression.Gzip,
            session=self._session,
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._session.problem = ""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001  the thread must go on; its text may quote a header
            self._session.problem = type(error).__name__
            result = SpanExportResult.FAILURE
        # The library takes a redirect for a success.
        if result is not SpanExportResult.SUCCESS or self.problem:
            result = SpanExportResult.FAILURE
            self._failed(self.problem or "no answer")
        return result

    @property
    def problem(self) -> str:
        """Why the last try failed, in words that may be shown; empty: it did not, or goes on."""
        return self._session.problem

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # theirs


class _Session(requests.Session):
    """Sends what the collector asks for, as it is now, and knows why the last try failed.

    It follows no redirect. No proxy, no `.netrc` and no other certificates out of the environment.
    """

    def __init__(self, headers: Callable[[], Mapping[str, Secret]]) -> None:
        super().__init__()
        self.trust_env = False
        self.problem = ""
        self._headers = headers

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """As the base class does. Raises requests.RequestException, and ValueError for headers
        that cannot be had.
        """
        try:
            fields = {name: value.reveal() for name, value in self._headers().items()}
        except ValueError as error:
            self.problem = str(error)
            raise
        options["headers"] = {**(options.get("headers") or {}), **fields}
        # Another host must not get these fields, whichever version of the library asks.
        options["allow_redirects"] = False
        try:
            answer = super().request(*args, **options)
        except Exception as error:
            self.problem = type(error).__name__  # its text may quote a header
            raise
        taken = answer.ok and not answer.is_redirect
        self.problem = "" if taken else f"status {answer.status_code}"
        return answer
