"""Where an account's API is, as the token endpoint names it beside a token.

What is named so gets the token, so that it is believed only of Zoom's hosts, and of those that the
operator trusts: whatever else stands there leaves calls where they went before.
"""

import re
from collections.abc import Iterable
from typing import Final

from gateway.core.zoom_hosts import canonical, is_loopback, is_trusted, is_zooms

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_.-]+))"
    r"(?::(?P<port>[0-9]{1,5}))?/?",
    re.IGNORECASE | re.ASCII,
)
"""Nothing of a URL but what names a host: no user, no path, no query."""

_PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 65535


def believed(url: str | None, trusted: Iterable[str] = (), *, here: bool = False) -> str | None:
    """The origin that a token's `api_url` names, in one way of writing it; None: not this one.

    `trusted` are hosts beside Zoom's own. `here`: the token endpoint is on this machine, and so
    the API may be.
    """
    parts = _URL.fullmatch(url) if url else None
    host = canonical(parts["ipv6"] or parts["name"]) if parts else None
    if parts is None or host is None:
        return None
    scheme = parts["scheme"].lower()
    port = int(parts["port"] or _PORTS[scheme])
    local = here and is_loopback(host)
    if not (local or (scheme == "https" and (is_zooms(host) or is_trusted(host, trusted)))):
        return None
    if not 0 < port <= _LAST_PORT:
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port == _PORTS[scheme] else f"{scheme}://{shown}:{port}"
