"""Which other hosts callers may name, and the way to them."""

from collections.abc import Callable, Iterable

from gateway.core.errors import CallRefusedError
from gateway.core.zoom_hosts import is_trusted, is_zooms
from gateway.ports import Upstream
from gateway.web.following import Following
from gateway.web.origins import Origin


class Elsewhere:
    """Zoom's hosts beside the API, and those that are trusted like them."""

    def __init__(self, upstream_at: Callable[[str], Upstream], trusted: Iterable[str] = ()) -> None:
        """`upstream_at` gives the way to any host; `trusted` get the token beside Zoom's own."""
        self._upstream_at = upstream_at
        self._trusted = tuple(trusted)

    def origin(self, host: str) -> Origin:
        """Where calls for a host go, its name in canonical form. Raises CallRefusedError (403)."""
        if not self._is_zooms(host):
            raise CallRefusedError(
                403,
                "host_not_zooms",
                "The gateway goes to Zoom's hosts alone: zoom.us, zoomgov.com, and those below"
                " them.",
            )
        return Origin(Following(host, self._upstream_at, self._is_zooms), host.encode("ascii"))

    def _is_zooms(self, host: str) -> bool:
        return is_zooms(host) or is_trusted(host, self._trusted)
