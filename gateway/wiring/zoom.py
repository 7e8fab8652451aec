"""The ways to Zoom: its API, its token endpoint, and the probe."""

from gateway.core.verdict import classify, decode_body
from gateway.settings import AccountSettings, Settings
from gateway.wiring.outward import Outward
from gateway.zoom.minter import TokenEndpoint
from gateway.zoom.prober import TokenProber
from gateway.zoom.upstream import HttpUpstream


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
