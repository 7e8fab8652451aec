"""Names that a call may come under, and pages that may make one."""

import pytest

from gateway.core.hosts import HostNames, cross_site

ALWAYS = [
    "127.0.0.1",
    "127.0.0.1:8080",
    "10.1.2.3:80",
    "[::1]",
    "[::1]:8080",
    "[2001:db8::7]:8080",
    "localhost",
    "LocalHost:8080",
    "localhost.",
    "api.localhost:8080",
    "gateway",
    "zoom-gateway:8080",
    "zoom_gateway",
    "zoom-gateway.tools.svc",
    "zoom-gateway.tools.svc.cluster.local:8080",
    "zoom-gateway.tools.svc.cluster.local.:8080",
    "host.docker.internal:8080",
    "gateway.test",
    "",
    ":8080",
    "gateway:",
]

NEVER = [
    "evil.example",
    "evil.example:8080",
    "rebind.evil.example.",
    "zoom.us",
    "127.0.0.1.nip.io:8080",
    "localhost.evil.example",
    "svc.evil.example",
    "evilsvc.example",
    "gateway.local",
    "printer.local:8080",
    "127.1",
    "0x7f.0.0.1",
    "[::1].evil.example",
    "[::1",
    "::1",
    "[1.2.3.4]x",
    "[evil.example]",
    "user@localhost",
    "localhost/evil.example",
    "localhost:80:80",
    "localhost:http",
    "local host",
    "localhost, evil.example",
    "evil.example\u0000.localhost",
    "\u00e9vil.localhost",
]


@pytest.mark.parametrize("host", ALWAYS)
def test_a_name_that_no_stranger_can_own_passes(host: str) -> None:
    assert HostNames().allow(host.encode())


@pytest.mark.parametrize("host", NEVER)
def test_any_other_name_is_refused(host: str) -> None:
    assert not HostNames(["zoom.example.com"]).allow(host.encode("utf-8"))


def test_a_name_that_is_listed_passes() -> None:
    names = HostNames(["Zoom.Example.com", "*.apps.example.com"])
    for host in ("zoom.example.com", "ZOOM.example.com:443", "zoom.example.com."):
        assert names.allow(host.encode())
    for host in ("a.apps.example.com", "a.b.apps.example.com:8080"):
        assert names.allow(host.encode())
    for host in ("apps.example.com", "xapps.example.com", "a.zoom.example.com", "example.com"):
        assert not names.allow(host.encode())


def test_what_is_remembered_stays_right_and_bounded() -> None:
    names = HostNames(["zoom.example.com"])
    for number in range(1000):
        assert not names.allow(b"h%d.evil.example" % number)
    assert len(names._verdicts) <= 256
    assert names.allow(b"zoom.example.com")
    assert names.allow(b"zoom.example.com")


def test_programs_send_neither_field() -> None:
    assert not cross_site((), (), b"localhost:8080")
    assert not cross_site((), (), None)


@pytest.mark.parametrize("site", [b"same-origin", b"none", b"None"])
def test_own_pages_and_the_user_may(site: bytes) -> None:
    assert not cross_site((site,), (), b"localhost:8080")


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"whatever", b""])
def test_pages_of_other_sites_may_not(site: bytes) -> None:
    assert cross_site((site,), (), b"localhost:8080")
    assert cross_site((b"same-origin", site), (), b"localhost:8080")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"http://localhost:8080", b"localhost:8080"),
        (b"http://LOCALHOST:8080", b"localhost:8080"),
        (b"http://localhost", b"localhost:80"),
        (b"https://zoom.example.com", b"zoom.example.com:443"),
        (b"https://zoom.example.com", b"zoom.example.com"),
    ],
)
def test_our_own_origin_may(origin: bytes, host: bytes) -> None:
    assert not cross_site((), (origin,), host)


@pytest.mark.parametrize(
    "origin",
    [
        b"null",
        b"",
        b"http://evil.example",
        b"http://localhost",
        b"http://localhost:3000",
        b"https://localhost:80",
        b"chrome-extension://localhost:8080",
        b"file://",
        b"localhost:8080",
    ],
)
def test_another_origin_may_not(origin: bytes) -> None:
    assert cross_site((), (origin,), b"localhost:8080")
    assert cross_site((b"same-origin",), (origin,), b"localhost:8080")
    assert cross_site((), (origin, b"http://localhost:8080"), b"localhost:8080")


def test_without_a_host_no_origin_is_ours() -> None:
    assert cross_site((), (b"http://",), b"")
    assert cross_site((), (b"http://localhost",), None)


def test_an_origin_that_is_trusted_may_whatever_its_site() -> None:
    trusted = frozenset({b"http://localhost:3000"})
    for sites in ((), (b"cross-site",), (b"same-site",)):
        assert not cross_site(sites, (b"HTTP://localhost:3000",), b"localhost:8080", trusted)
        assert cross_site(sites, (b"http://evil.example",), b"localhost:8080", trusted)
    two = (b"http://localhost:3000", b"http://evil.example")
    assert cross_site((), two, b"localhost:8080", trusted)
    assert cross_site((b"cross-site",), (), b"localhost:8080", trusted)


@pytest.mark.parametrize(
    "host", [b"api.zoom.us", b"ZOOM.us:443", b"us02web.zoom.us.", b"zoomgov.com"]
)
def test_zooms_own_names_are_let_in_where_callers_are_sent_here_by_them(host: bytes) -> None:
    assert HostNames(zooms=True).allow(host)
    assert not HostNames().allow(host)


@pytest.mark.parametrize("host", [b"zoom.us.evil.example", b"notzoom.us", b"evil.example@zoom.us"])
def test_no_name_that_only_looks_like_zooms_is(host: bytes) -> None:
    assert not HostNames(zooms=True).allow(host)
