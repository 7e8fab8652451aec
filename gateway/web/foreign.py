"""What a browser asks the admin port for on behalf of another site's page.

Such a page reads no answer, but it can ask without end, and hold the few places that there are for
open status pages. A link to the status page, in a wiki say, is somebody's wish to see it.
"""

from typing import Final

from aiohttp.web_request import BaseRequest

from gateway.core.hosts import cross_site

REFUSED: Final = (
    "A browser asked for this on behalf of another site's page. Open the gateway's own status page,"
    " or ask with a program."
)

_STREAM: Final = "/events"
"""Nobody has a link to it, and a window with it would hold a place like any reader."""


def is_foreign(request: BaseRequest) -> bool:
    """Whether it is refused for that. Programs and probes send nothing that a browser would."""
    sites, origins = values(request, "Sec-Fetch-Site"), values(request, "Origin")
    if not (sites or origins) or _is_link(request):
        return False
    host = next(iter(values(request, "Host")), None)
    return cross_site(sites, origins, host)


def _is_link(request: BaseRequest) -> bool:
    """Whether somebody goes there, in a window or a tab of its own: frames are no document."""
    return (
        request.method == "GET"
        and request.rel_url.path_safe != _STREAM
        and values(request, "Sec-Fetch-Mode") == [b"navigate"]
        and values(request, "Sec-Fetch-Dest") == [b"document"]
    )


def values(request: BaseRequest, name: str) -> list[bytes]:
    """Those of a header field, as they came."""
    return [one.encode("utf-8", "surrogateescape") for one in request.headers.getall(name, ())]
