"""The hosts that the gateway connects to, as it does: for those who ask whether it can."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway.core.egress import EgressProxy
from gateway.settings import Settings
from gateway.wiring.outward import Outward
from gateway.wiring.store import redis_options
from gateway.zoom.upstream import HttpUpstream
from gateway.zoom.upstream.dial import parse_origin


@dataclass(frozen=True, slots=True)
class Way:
    """To one host. `key` is the setting that names it; without `tls` all travels in clear."""

    key: str
    host: str
    port: int
    tls: ssl.SSLContext | None = field(repr=False)
    proxy: EgressProxy | None = None
    """Which resolves the name, and makes the connection."""


def zoom_ways(settings: Settings) -> Iterator[Way]:
    """To the token endpoint and to the API: the order in which a first call needs them.

    Raises ConfigurationError, see `Outward`.
    """
    outward = Outward(settings.upstream)
    ways = (
        ("token_url", settings.upstream.token_url, outward.token_proxy),
        ("api_url", settings.upstream.api_origin, outward.api_proxy),
    )
    for key, url, proxy in ways:
        origin = parse_origin(_origin(url), outward.trust)
        tls = origin.tls and origin.tls()
        yield Way(f"upstream.{key}", origin.host, origin.port, tls, proxy)


def store_ways(settings: Settings) -> Iterator[Way]:
    """To Redis, or to each Sentinel. Raises OSError or ValueError if a file of TLS is unusable."""
    options = redis_options(settings.store)
    if options is None:
        return
    tls = options.tls() if options.tls else None
    for host, port in options.nodes:
        yield Way("store.url", host, port, tls)


def token_host(settings: Settings) -> HttpUpstream:
    """The host of the token endpoint, for requests that mint nothing.

    Raises ConfigurationError, see `Outward`.
    """
    outward = Outward(settings.upstream)
    return HttpUpstream(
        _origin(settings.upstream.token_url),
        connect_timeout=settings.upstream.connect_timeout,
        tls=outward.trust,
        proxy=outward.token_proxy,
        names=outward.names,
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
