"""Which of Zoom's hosts a call is for, where DNS sends clients that name those here."""

from typing import Final, NamedTuple

from gateway.core.zoom_hosts import ZOOMS, canonical, is_zooms

_APIS: Final = frozenset(f"api.{domain}" for domain in ZOOMS)
"""Hosts of which each account's calls go to its own API, wherever that is."""

_REMEMBERED: Final = 256
"""Values of `Host`: callers use few, and one that makes up new ones must not fill the memory."""


class Route(NamedTuple):
    """`zooms`: the caller means one of Zoom's hosts; `other` is its name if that is not the API."""

    zooms: bool
    other: str | None


_OURS: Final = Route(zooms=False, other=None)


class HostRoutes:
    """Reads `Host` fields, and remembers what it read."""

    def __init__(self) -> None:
        self._known: dict[bytes, Route] = {}

    def of(self, host: bytes) -> Route:
        """For whom a call with this field is."""
        route = self._known.get(host)
        if route is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            route = self._known[host] = _read(host)
        return route


def _read(host: bytes) -> Route:
    name = named(host)
    if name is None or not is_zooms(name):
        return _OURS
    return Route(zooms=True, other=None if name in _APIS else name)


def named(host: bytes) -> str | None:
    """The name in a `Host` field, in its canonical form and without the port; None: it has none."""
    name, _, port = host.strip().partition(b":")
    return canonical(name.decode("latin-1")) if port.isdigit() or not port else None


def api_beside(host: bytes) -> str | None:
    """The URL of the API for a client that knows one of Zoom's hosts; None: it is not Zoom's.

    It keeps the port that the client used, as that is where its connections end up here.
    """
    name = named(host)
    if name is None or not is_zooms(name):
        return None
    domain = next(one for one in ZOOMS if name == one or name.endswith(f".{one}"))
    port = host.strip().partition(b":")[2].decode("ascii")
    shown = f":{port}" if port not in {"", "443"} else ""
    return f"https://api.{domain}{shown}"
