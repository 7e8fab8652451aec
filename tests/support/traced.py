"""A gateway that makes spans, the simulator behind it, and the collector that takes them."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tests.support.collector import Collector, Span, collector
from tests.support.load import session
from tests.support.processes import Gateway, eventually, gateway, simulator

ROUTE = "/v2/users/{userId}"

OTEL = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    "OTEL_EXPORTER_OTLP_HEADERS": "x-extra=yes",
    "OTEL_RESOURCE_ATTRIBUTES": "k8s.pod.name=pod-1,service.name=another",
    "OTEL_SERVICE_NAME": "another",
    "OTEL_SDK_DISABLED": "true",
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_TRACES_SAMPLER": "always_off",
    "HTTP_PROXY": "http://127.0.0.1:9",
}
"""What a cluster may put into every container: the settings beat it, and it adds what they lack."""


@dataclass
class Scene:
    sim: str
    taken: Collector
    gate: Gateway
    client: aiohttp.ClientSession

    async def get(self, target: str = "/v2/users/me", **headers: str) -> int:
        url = f"{self.gate.url}{target}"
        async with self.client.get(url, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def spans(self, name: str, kind: str = "", count: int = 1) -> list[Span]:
        """Those that came so far, once there are `count`."""
        found = self.taken.named
        await eventually(lambda: len(found(name, kind)) >= count, f"{count} spans {kind} {name}")
        assert len(found(name, kind)) == count
        return found(name, kind)

    async def end(self) -> None:
        """Stop the gateway: what is left is exported then."""
        self.gate.signal(signal.SIGTERM)
        assert await self.gate.ended(25) == 0

    async def at_zoom(self) -> list[dict[str, str]]:
        """The header fields of each call that Zoom got, by lower-case name, mints included."""
        async with self.client.get(f"{self.sim}/_sim/requests?limit=100") as answer:
            requests = await answer.json()
        return [{name.lower(): value for name, value in one["headers"]} for one in requests]


@asynccontextmanager
async def scene(
    *options: str, to: str = "", impatient: bool = False, **tracing: str
) -> AsyncIterator[Scene]:
    """`to` another collector than the one that is there; a key of `tracing` each.

    Calls that are `impatient` wait a second for a token.
    """
    async with collector() as taken, simulator() as sim, session() as client:
        keys = {"ENDPOINT": to or taken.url, **tracing}
        variables = {f"ZOOM_GATEWAY_TRACING__{key}": text for key, text in keys.items()}
        quick = {
            "ZOOM_GATEWAY_DRAIN__DELAY": "0",
            "ZOOM_GATEWAY_DRAIN__TIMEOUT": "5",
            **OTEL,
        }
        if impatient:
            quick |= {
                "ZOOM_GATEWAY_TOKEN__MINT_TIMEOUT": "0.9",
                "ZOOM_GATEWAY_TOKEN__WAIT_TIMEOUT": "1",
            }
        async with gateway(sim, *options, **quick, **variables) as gate:
            yield Scene(sim, taken, gate, client)
