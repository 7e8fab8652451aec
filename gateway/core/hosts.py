"""Whether a call came the way it should: under a name of ours, and from no other site's page.

The gateway asks callers for no password, so a web page in the browser of somebody who reaches it
is an attacker. The browser lets such a page send calls of many kinds, and by DNS rebinding (a
name of the attacker's that is given the gateway's address) read the answers, too. What the page
cannot do is lie in `Host`, `Origin` and `Sec-Fetch-Site`: the browser writes those.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Final

from gateway.core.zoom_hosts import is_zooms

_HOST: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._~!$&'()*+,;=-]*))(?::([0-9]*))?")
"""What `Host` may hold (RFC 9110 section 7.2), in lower case."""

_UNROUTED: Final = (".localhost", ".internal", ".test", ".svc", ".cluster.local")
"""Ends of names that no public DNS gives away: reserved (RFC 6761, ICANN's `internal`), or
Kubernetes' own, which has no top-level domain `svc`."""

_WILDCARD: Final = "*."

_REMEMBERED: Final = 256
"""Verdicts: callers use few names, and one that makes up new ones must not fill the memory."""

_OWN_PAGES: Final = frozenset({b"same-origin", b"none"})
"""Values of `Sec-Fetch-Site`: a page of this very origin; the user's own doing, with no page."""

_DEFAULT_PORTS: Final = {b"http": b":80", b"https": b":443"}
"""Which browsers leave away in `Origin`."""


class HostNames:
    """The names under which the gateway may be called."""

    def __init__(self, names: Iterable[str] = (), *, zooms: bool = False) -> None:
        """`names` beside those that always may: `zoom.example.com`, `*.example.com`.

        With `zooms`, Zoom's own may, too: no stranger can give those an address.
        """
        self._zooms = zooms
        names = [name.lower() for name in names]
        self._exact = frozenset(name for name in names if not name.startswith(_WILDCARD))
        self._ends = tuple(name[1:] for name in names if name.startswith(_WILDCARD))
        self._verdicts: dict[bytes, bool] = {}

    def allow(self, host: bytes) -> bool:
        """Whether a call may have this value in its `Host` field."""
        verdict = self._verdicts.get(host)
        if verdict is None:
            verdict = self._judge(host.decode("latin-1").strip().lower())
            if len(self._verdicts) >= _REMEMBERED:
                self._verdicts.clear()
            self._verdicts[host] = verdict
        return verdict

    def _judge(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        if match[1] is not None:
            return _is_address(match[1])
        name = match[2].removesuffix(".")
        # Without a name, as callers over a Unix socket send it; no browser does.
        if "." not in name or _is_address(name):
            return True
        if self._zooms and is_zooms(name):
            return True
        return name in self._exact or name.endswith((*_UNROUTED, *self._ends))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def cross_site(
    sites: Sequence[bytes],
    origins: Sequence[bytes],
    host: bytes | None,
    trusted: frozenset[bytes] = frozenset(),
) -> bool:
    """Whether a browser made this call for a page that is neither ours nor `trusted`.

    `sites` and `origins` are the values of `Sec-Fetch-Site` and `Origin`, `trusted` origins in
    lower case. Programs send neither field.
    """
    lowered = [origin.lower() for origin in origins]
    if lowered and trusted.issuperset(lowered):
        return False
    if any(site.lower() not in _OWN_PAGES for site in sites):
        return True
    return any(not _is_at(origin, host or b"") for origin in lowered)


def _is_at(origin: bytes, host: bytes) -> bool:
    """Whether an origin is this host's; who ends TLS in front of us makes it https, or not."""
    scheme, _, authority = origin.partition(b"://")
    port = _DEFAULT_PORTS.get(scheme)
    if port is None or not authority:
        return False  # `null`, or an extension's
    return authority.removesuffix(port) == host.lower().removesuffix(port)
