"""A collector of spans: OTLP over HTTP, on loopback."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2


@dataclass(frozen=True)
class Event:
    name: str
    at: int
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Span:
    """A span as it came over the wire. Ids in hexadecimal, times in nanoseconds."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    began: int
    ended: int
    status: str
    attributes: dict[str, Any]
    events: list[Event]
    links: list[tuple[str, str]]
    """Trace and span ids."""
    resource: dict[str, Any]

    @property
    def seconds(self) -> float:
        return (self.ended - self.began) / 1e9


@dataclass
class Collector:
    """Takes spans, or behaves as badly as `status` and `hanging` say.

    One that redirects leads to this machine by another name.
    """

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """All that was received, decompressed."""
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    hanging: bool = False
    asked: int = 0
    strayed: list[dict[str, str]] = field(default_factory=list)
    """The fields of what came to the other name."""

    async def take(self, request: web.Request) -> web.Response:
        self.asked += 1
        body = await request.read()
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.hanging:
            await asyncio.Event().wait()
        if self.status != 200:
            # What a collector says is no business of the log.
            fields = {"Location": f"{self.url.replace('127.0.0.1', 'localhost')}/elsewhere"}
            text = "canary text"
            return web.Response(
                status=self.status, reason="Canary Reason", text=text, headers=fields
            )
        if body.startswith(b"\x1f\x8b"):
            body = gzip.decompress(body)
        self.bodies.append(body)
        self.spans += _spans(ExportTraceServiceRequest.FromString(body))
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")

    async def stray(self, request: web.Request) -> web.Response:
        self.strayed.append(dict(request.headers))
        return web.Response()

    def was_asked(self, times: int) -> bool:
        return self.asked >= times

    def named(self, name: str, kind: str = "") -> list[Span]:
        return [one for one in self.spans if one.name == name and kind in ("", one.kind)]

    def children(self, parent: Span) -> list[Span]:
        below = [one for one in self.spans if one.parent_id == parent.span_id]
        assert all(one.trace_id == parent.trace_id for one in below)
        return sorted(below, key=lambda one: one.began)


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    made = Collector()
    application = web.Application(client_max_size=1 << 24)
    application.router.add_post("/v1/traces", made.take)
    application.router.add_route("*", "/elsewhere", made.stray)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    try:
        yield made
    finally:
        await runner.cleanup()


def _spans(request: ExportTraceServiceRequest) -> list[Span]:
    found = []
    for batch in request.resource_spans:
        resource = _attributes(batch.resource.attributes)
        for scope in batch.scope_spans:
            assert scope.scope.name == "zoom-gateway"
            found += [_span(one, resource) for one in scope.spans]
    return found


def _span(one: trace_pb2.Span, resource: dict[str, Any]) -> Span:
    assert one.start_time_unix_nano <= one.end_time_unix_nano
    return Span(
        one.name,
        trace_pb2.Span.SpanKind.Name(one.kind).removeprefix("SPAN_KIND_").lower(),
        one.trace_id.hex(),
        one.span_id.hex(),
        one.parent_span_id.hex(),
        one.trace_state,
        one.start_time_unix_nano,
        one.end_time_unix_nano,
        trace_pb2.Status.StatusCode.Name(one.status.code).removeprefix("STATUS_CODE_").lower(),
        _attributes(one.attributes),
        [Event(e.name, e.time_unix_nano, _attributes(e.attributes)) for e in one.events],
        [(link.trace_id.hex(), link.span_id.hex()) for link in one.links],
        resource,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    def value(pair: KeyValue) -> Any:
        kind = pair.value.WhichOneof("value")
        assert kind is not None
        return getattr(pair.value, kind)

    return {pair.key: value(pair) for pair in pairs}
