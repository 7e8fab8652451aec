"""Which of Zoom's hosts a call is for, by its `Host`."""

import pytest

from gateway.core import host_routes
from gateway.core.host_routes import HostRoutes, Route, api_beside


@pytest.mark.parametrize(
    ("host", "route"),
    [
        (b"api.zoom.us", Route(True, None)),
        (b"API.Zoom.US.", Route(True, None)),
        (b" api.zoom.us:443 ", Route(True, None)),
        (b"api.zoomgov.com", Route(True, None)),
        (b"zoom.us", Route(True, "zoom.us")),
        (b"Zoom.us:8443", Route(True, "zoom.us")),
        (b"us02web.zoom.us", Route(True, "us02web.zoom.us")),
        (b"api-eu.zoom.us", Route(True, "api-eu.zoom.us")),
        (b"gateway.svc", Route(False, None)),
        (b"127.0.0.1:8080", Route(False, None)),
        (b"[::1]:8080", Route(False, None)),
        (b"zoom.us.evil.example", Route(False, None)),
        (b"notzoom.us", Route(False, None)),
        (b"evil.example@zoom.us", Route(False, None)),
        (b"zoom.us:zoom.us", Route(False, None)),
        ("\u24e9oom.us".encode(), Route(False, None)),
        (b"", Route(False, None)),
    ],
)
def test_a_host_says_for_whom_a_call_is(host: bytes, route: Route) -> None:
    routes = HostRoutes()
    assert routes.of(host) == routes.of(host) == route


def test_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_routes, "_REMEMBERED", 3)
    routes = HostRoutes()
    for number in range(10):
        assert routes.of(b"%d.zoom.us" % number).other == f"{number}.zoom.us"
        assert len(routes._known) <= 3


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (b"zoom.us", "https://api.zoom.us"),
        (b"zoom.us:443", "https://api.zoom.us"),
        (b"zoom.us:8443", "https://api.zoom.us:8443"),
        (b"zoom.us:", "https://api.zoom.us"),
        (b"zoom.us:x", None),
        (b"api.zoom.us", "https://api.zoom.us"),
        (b"zoomgov.com", "https://api.zoomgov.com"),
        (b"gateway.svc", None),
        (b"[::1]", None),
    ],
)
def test_where_the_api_is_for_who_knows_zooms_names(host: bytes, url: str | None) -> None:
    assert api_beside(host) == url
