"""The ways to Zoom: its API, its token endpoint, and the probe."""

from typing import Final
from urllib.parse import urlsplit

from gateway.core.verdict import classify, decode_body
from gateway.core.zoom_hosts import is_loopback, is_trusted
from gateway.settings import AccountSettings, Settings
from gateway.wiring.outward import Outward
from gateway.zoom.minter import TokenEndpoint
from gateway.zoom.prober import TokenProber
from gateway.zoom.public import PublicNames
from gateway.zoom.upstream import HttpUpstream
from gateway.zoom.upstream.hosts import HostUpstreams

_IDLE_ELSEWHERE: Final = 8
"""Idle connections that are kept to each of Zoom's other hosts."""


def upstream(
    settings: Settings, outward: Outward | None = None, url: str | None = None
) -> HttpUpstream:
    """The way to Zoom's API, or to another origin. Raises ConfigurationError, see `Outward`."""
    outward = outward or Outward(settings.upstream)
    url = url or settings.upstream.api_origin
    return HttpUpstream(
        url,
        connect_timeout=settings.upstream.connect_timeout,
        idle_timeout=settings.upstream.idle_timeout,
        tls=outward.trust,
        proxy=outward.proxy_to(url),
        names=outward.names,
        own=outward.own,
    )


def other_hosts(settings: Settings, outward: Outward) -> HostUpstreams:
    """The ways to Zoom's other hosts, and to where they redirect.

    A simulator plays them all: where tokens come from this machine, without TLS, they are where the
    API is.
    """
    zoom = settings.upstream
    if _is_here(zoom.token_url):
        url = zoom.api_origin if _is_here(zoom.api_origin) else _origin(zoom.token_url)
        return HostUpstreams(lambda _: upstream(settings, outward, url))

    def exempt(host: str) -> bool:
        return host in zoom.addresses or is_trusted(host, zoom.trusted_hosts)

    names = PublicNames(outward.names, exempt)

    def make(host: str) -> HttpUpstream:
        url = f"https://{host}"
        return HttpUpstream(
            url,
            connect_timeout=zoom.connect_timeout,
            idle_timeout=zoom.idle_timeout,
            tls=outward.trust,
            proxy=outward.proxy_to(url),
            names=names,
            own=outward.own,
            max_idle=_IDLE_ELSEWHERE,
        )

    return HostUpstreams(make)


def _is_here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def minter(
    settings: Settings, account: AccountSettings, outward: Outward | None = None
) -> TokenEndpoint:
    """The token endpoint, for one account. Raises ConfigurationError, see `Outward`."""
    outward = outward or Outward(settings.upstream)
    return TokenEndpoint(
        settings.upstream.token_url,
        account.account_id,
        {app.name: app.credentials for app in account.apps},
        connect_timeout=settings.upstream.connect_timeout,
        tls=outward.trust,
        proxy=outward.token_proxy,
        names=outward.names,
    )


def prober(api: HttpUpstream) -> TokenProber:
    """Asks the API whether a token is alive."""
    return TokenProber(api, api.host, _is_refusal)


def _is_refusal(status: int, is_head: bool, body: bytes, encoding: str) -> bool:  # noqa: FBT001  the prober's signature
    del is_head
    decoded = decode_body(encoding.encode("latin-1"), body)
    return classify(status, decoded).refuses
