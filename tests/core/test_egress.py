"""Which proxy a connection goes by, as curl and Go read the same variables."""

import pytest

from gateway.core.egress import (
    AUTO,
    OFF,
    EgressProxy,
    choose,
    excepted,
    host_and_port,
    parse_proxy,
    variable,
)

PASSWORD = "canary-pass"


@pytest.mark.parametrize(
    ("url", "host", "port", "secure"),
    [
        ("http://proxy.example:3128", "proxy.example", 3128, False),
        ("HTTP://Proxy.Example./", "proxy.example", 80, False),
        ("https://proxy.example", "proxy.example", 443, True),
        ("proxy.example:3128", "proxy.example", 3128, False),
        ("proxy", "proxy", 80, False),
        ("http://10.0.0.1:8080", "10.0.0.1", 8080, False),
        ("http://[fd00::1]:8080", "fd00::1", 8080, False),
    ],
)
def test_what_a_url_says(url: str, host: str, port: int, secure: bool) -> None:  # noqa: FBT001
    proxy = parse_proxy(url)
    assert (proxy.host, proxy.port, proxy.secure) == (host, port, secure)
    assert proxy.login is proxy.authorization is None
    assert str(proxy) == host_and_port(host, port)
    assert proxy.url == f"{'https' if secure else 'http'}://{proxy}"


@pytest.mark.parametrize(
    ("userinfo", "login", "basic"),
    [
        (f"user:{PASSWORD}", f"user:{PASSWORD}", "Basic dXNlcjpjYW5hcnktcGFzcw=="),
        ("user", "user:", "Basic dXNlcjo="),
        ("us%40er:p%3A%2Fx", "us@er:p:/x", "Basic dXNAZXI6cDoveA=="),
        ("a:b@c", "a:b@c", "Basic YTpiQGM="),
        ("%E9:x", "\udce9:x", "Basic 6Tp4"),
    ],
)
def test_user_and_password(userinfo: str, login: str, basic: str) -> None:
    proxy = parse_proxy(f"http://{userinfo}@proxy.example:3128", "HTTPS_PROXY")
    assert proxy.login is not None
    assert proxy.login.reveal() == login
    assert proxy.authorization is not None
    assert proxy.authorization.reveal() == basic
    assert proxy.source == "HTTPS_PROXY"
    for shown in (repr(proxy), str(proxy), proxy.url):
        assert PASSWORD not in shown
        assert "dXNl" not in shown


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"socks5://user:{PASSWORD}@proxy.example:1080", "SOCKS"),
        ("socks5h://proxy.example", "SOCKS"),
        ("SOCKS4://proxy.example", "SOCKS"),
        ("ftp://proxy.example", "must be a proxy's URL"),
        ("", "must be a proxy's URL"),
        ("http://", "must be a proxy's URL"),
        ("http://proxy.example/path", "without a path"),
        (f"http://user:{PASSWORD}/x@proxy.example", "written %2F"),
        (f"http://user:{PASSWORD}#x@proxy.example", "written %3F and %23"),
        ("http://proxy.example?x", "nothing after"),
        ("http://proxy example:1", "must be a proxy's URL"),
        ("http://pr\u00f6xy.example", "must be a proxy's URL"),
        ("http://[::1", "must be a proxy's URL"),
        ("http://127.1:80", "must be a proxy's URL"),
        ("http://proxy.example:0", "1 to 65535"),
        ("http://proxy.example:65536", "1 to 65535"),
        (f"http://:{PASSWORD}@proxy.example", "must have a user"),
    ],
)
def test_what_is_no_proxy(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_proxy(url)
    assert PASSWORD not in str(caught.value)


def proxy_for(
    environ: dict[str, str], host: str = "api.zoom.us", choice: str = AUTO, *, secure: bool = True
) -> EgressProxy | None:
    return choose(choice, environ, host, 443, secure=secure)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": " http://a:1 "}, "a:1"),
        ({"https_proxy": "http://b:1", "HTTPS_PROXY": "http://a:1"}, "b:1"),
        ({"HTTPS_PROXY": "http://a:1", "all_proxy": "socks5://c:1"}, "a:1"),
        ({"ALL_PROXY": "http://c:1"}, "c:1"),
        ({"all_proxy": "http://d:1", "ALL_PROXY": "http://c:1"}, "d:1"),
        ({"HTTP_PROXY": "http://a:1", "http_proxy": "http://a:1"}, None),
    ],
)
def test_the_variables(environ: dict[str, str], expected: str | None) -> None:
    proxy = proxy_for(environ)
    assert (proxy and str(proxy)) == expected
    if proxy is not None:
        assert proxy.source == variable(environ)


def test_off_and_a_proxy_of_the_configuration() -> None:
    environ = {"HTTPS_PROXY": "http://a:1", "NO_PROXY": "*"}
    assert proxy_for(environ, choice=OFF) is None
    mine = proxy_for(environ, choice="https://mine:2")
    assert mine == EgressProxy("mine", 2, secure=True)


@pytest.mark.parametrize("choice", [AUTO, "http://mine:2"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_what_stays_here_goes_by_no_proxy(choice: str, host: str) -> None:
    assert proxy_for({"HTTPS_PROXY": "http://a:1"}, host, choice) is None


def test_what_is_in_clear_goes_by_no_proxy() -> None:
    assert proxy_for({"HTTPS_PROXY": "http://a:1"}, secure=False) is None


def test_a_variable_that_is_wrong_is_named_and_only_where_it_counts() -> None:
    environ = {"ALL_PROXY": f"socks5://u:{PASSWORD}@a:1"}
    with pytest.raises(ValueError, match="ALL_PROXY: is a SOCKS proxy") as caught:
        proxy_for(environ)
    assert PASSWORD not in str(caught.value)
    assert proxy_for(environ | {"NO_PROXY": "zoom.us"}) is None
    assert proxy_for(environ, choice=OFF) is None


@pytest.mark.parametrize(
    ("text", "host", "port", "expected"),
    [
        ("", "zoom.us", 443, False),
        ("*", "zoom.us", 443, True),
        ("a, *", "10.0.0.1", 443, True),
        ("zoom.us", "zoom.us", 443, True),
        ("zoom.us", "api.zoom.us", 443, True),
        ("zoom.us", "notzoom.us", 443, False),
        ("api.zoom.us", "zoom.us", 443, False),
        (".zoom.us", "zoom.us", 443, True),
        (".zoom.us", "api.zoom.us", 443, True),
        ("*.zoom.us", "api.zoom.us", 443, True),
        ("*zoom.us", "api.zoom.us", 443, False),
        ("ZOOM.us.", "api.zoom.us", 443, True),
        ("localhost,.svc\tzoom.us", "zoom.us", 443, True),
        ("zoom.us:443", "zoom.us", 443, True),
        ("zoom.us:8443", "zoom.us", 443, False),
        ("10.0.0.1", "10.0.0.1", 443, True),
        ("10.0.0.1:443", "10.0.0.1", 443, True),
        ("0.0.1", "10.0.0.1", 443, False),
        ("10.0.0.0/8", "10.9.9.9", 443, True),
        ("10.0.0.1/8", "10.9.9.9", 443, True),
        ("10.0.0.0/8", "11.0.0.1", 443, False),
        ("10.0.0.0/8", "zoom.us", 443, False),
        ("10.0.0.0/99", "10.0.0.1", 443, False),
        ("fd00::1", "fd00::1", 443, True),
        ("[fd00::1]", "fd00::1", 443, True),
        ("[fd00::1]:443", "fd00::1", 443, True),
        ("[fd00::1]:1", "fd00::1", 443, False),
        ("fd00::/8", "fdff::1", 443, True),
        ("fd00::/8", "10.0.0.1", 443, False),
        ("://,%%,zo\u043em.us", "zoom.us", 443, False),
        ("*", "no host", 443, False),
    ],
)
def test_exceptions(text: str, host: str, port: int, expected: bool) -> None:  # noqa: FBT001
    assert excepted({"NO_PROXY": text}, host, port) is expected
    assert excepted({"no_proxy": text, "NO_PROXY": "nothing.example"}, host, port) is expected
