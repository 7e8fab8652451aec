"""The hosts that get the token, whom to believe there, and the proxy on the way."""

from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.settings import Settings, UpstreamSettings, load
from gateway.settings.store_urls import SecretUrl
from tests.settings.certificates import make_ca

ACCOUNT = {"ZOOM_ACCOUNT_ID": "account", "ZOOM_CLIENT_ID": "client", "ZOOM_CLIENT_SECRET": "x"}
PASSWORD = "canary-proxy"


def loaded(directory: Path, text: str, **environ: str) -> Settings:
    file = directory / "gateway.yaml"
    file.write_text(f"upstream: {text}\n")
    return load(file, {**ACCOUNT, **environ})


def problems(directory: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        loaded(directory, text, **environ)
    assert PASSWORD not in str(caught.value)
    return caught.value.problems


@pytest.mark.parametrize("key", ["api_url", "token_url"])
@pytest.mark.parametrize(
    "host",
    [
        "notzoom.us",
        "zoom.us.evil.example",
        "zoomgov.com.evil.example",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "zoom.us.127.1",
        "api.zoom.com",
    ],
)
def test_the_token_goes_to_zoom_alone(tmp_path: Path, key: str, host: str) -> None:
    path = "" if key == "api_url" else "/oauth/token"
    (problem,) = problems(tmp_path, f'{{{key}: "https://{host}{path}"}}')
    assert problem.startswith(f"upstream.{key}: must be at zoom.us, zoomgov.com or a host below")
    assert "upstream.trusted_hosts" in problem


@pytest.mark.parametrize("key", ["api_url", "token_url"])
@pytest.mark.parametrize(
    "host",
    [
        "zoom.us@evil.example",
        "evil.example@zoom.us",
        "zoom.us%2eevil.example",
        "zoom.us%00.zoom.us",
        "\u24e9oom.us",
        "zo\u043em.us",
        "zoom\u3002us",
        "evil.example\\\\.zoom.us",
        "evil.example\\\\@zoom.us",
        "zoom.us\\t.evil.example",
        "zoom.us.",
        "api.zoom.us:443@evil.example",
    ],
)
def test_tricks_with_urls(tmp_path: Path, key: str, host: str) -> None:
    path = "" if key == "api_url" else "/oauth/token"
    (problem,) = problems(tmp_path, f'{{{key}: "https://{host}{path}"}}')
    assert problem.startswith(f"upstream.{key}: must")


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "0",
        "0.0.0.0",
        "[::]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost.evil.example",
        "evil.localhost",
        "[::ffff:10.0.0.1]",
        "[::1%25lo]",
    ],
)
def test_only_this_machine_gets_secrets_in_clear(tmp_path: Path, host: str) -> None:
    # Nor does it help to say that such a host is trusted.
    text = f'{{trusted_hosts: ["evil.localhost"], api_url: "http://{host}:8081"}}'
    assert any(one.startswith("upstream.api_url: must") for one in problems(tmp_path, text))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.zoom.us",
        "https://API-EU.Zoom.US",
        "https://api.zoomgov.com",
        "https://fileapi.zoom.us:8443",
        "http://127.0.0.1:1",
        "https://127.0.0.1:1",
        "http://localhost:1",
        "http://[::1]:1",
        "http://[::ffff:127.0.0.1]:1",
        "https://front.example.com",
        "https://a.relay.test",
        "https://10.1.2.3",
    ],
)
def test_where_the_token_may_go(tmp_path: Path, url: str) -> None:
    hosts = '["Front.Example.com.", "*.relay.test", "10.1.2.3"]'
    upstream = loaded(tmp_path, f'{{trusted_hosts: {hosts}, api_url: "{url}"}}').upstream
    assert upstream.api_url == url
    assert upstream.trusted_hosts == ("front.example.com", "*.relay.test", "10.1.2.3")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("https://front.example.com", "is no host"),
        ("front.example.com:443", "is no host"),
        ("front.example.com/x", "is no host"),
        ("*", "is no host"),
        ("*.", "is no host"),
        ("*.10.0.0.1", "is no host"),
        ("a.*.example.com", "is no host"),
        ("*.com", "is too wide"),
        ("zo\u043em.us", "is no host"),
        ("", "is no host"),
    ],
)
def test_a_trusted_host_that_is_none(tmp_path: Path, name: str, words: str) -> None:
    (problem,) = problems(tmp_path, f'{{trusted_hosts: [zoom.example.com, "{name}"]}}')
    assert problem.startswith("upstream.trusted_hosts: item 2 ")
    assert words in problem


@pytest.mark.parametrize("text", ["off", "'off'", "OFF"])
def test_off_as_yaml_has_it(tmp_path: Path, text: str) -> None:
    upstream = loaded(tmp_path, f"{{egress_proxy: {text}}}", HTTPS_PROXY="http://a:1").upstream
    assert upstream.egress_proxy == "off"
    assert upstream.shown_proxy({"HTTPS_PROXY": "http://a:1"}) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("on", "must be auto, off, or a URL"),
        ("'true'", "must be auto, off, or a URL"),
        ("5", "must be auto, off, or a URL"),
        ("proxy:3128", "must be auto, off, or a URL"),
        (f"'socks5://u:{PASSWORD}@p:1'", "SOCKS"),
        (f"'ftp://u:{PASSWORD}@p:1'", "must be a proxy's URL"),
        (f"'http://u:{PASSWORD}#@p:1'", "%23"),
    ],
)
def test_a_proxy_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    (problem,) = problems(tmp_path, f"{{egress_proxy: {text}}}")
    assert problem.startswith("upstream.egress_proxy: ")
    assert words in problem


def test_a_proxys_password_is_not_shown(tmp_path: Path) -> None:
    settings = loaded(tmp_path, f"{{egress_proxy: 'http://user:{PASSWORD}@proxy.test:3128'}}")
    upstream = settings.upstream
    assert isinstance(upstream.egress_proxy, SecretUrl)
    proxy = upstream.proxy_to(upstream.api_url, {})
    assert proxy is not None
    assert proxy.login is not None
    assert proxy.login.reveal() == f"user:{PASSWORD}"
    shown = [settings, upstream, proxy, settings.describe(), upstream.model_dump_json()]
    shown += [upstream.shown_proxy({}), str(upstream.egress_proxy)]
    assert PASSWORD not in "".join(f"{one!r}{one!s}" for one in shown)
    # And it is kept where the model is made anew.
    again = UpstreamSettings.model_validate(dict(upstream))
    assert again == upstream
    other = UpstreamSettings(egress_proxy=f"http://user:{PASSWORD}2@proxy.test:3128")
    assert other != upstream


def test_the_environment(tmp_path: Path) -> None:
    environ = {"HTTPS_PROXY": f"http://u:{PASSWORD}@proxy.test:3128", "NO_PROXY": "api.zoom.us"}
    upstream = loaded(tmp_path, "{}", **environ).upstream
    assert upstream.proxy_to(upstream.api_url, environ) is None
    assert str(upstream.proxy_to(upstream.token_url, environ)) == "proxy.test:3128"
    assert upstream.shown_proxy(environ) == "proxy.test:3128"
    environ["NO_PROXY"] = "zoom.us:8443"
    assert upstream.shown_proxy(environ) == "proxy.test:3128"
    assert upstream.shown_proxy({}) is None


def test_a_proxy_of_the_environment_that_is_none(tmp_path: Path) -> None:
    socks = {"ALL_PROXY": f"socks5h://u:{PASSWORD}@proxy.test:1080"}
    (problem,) = problems(tmp_path, "{}", **socks)
    assert problem.startswith("ALL_PROXY: is a SOCKS proxy")
    assert problem.endswith("(or set upstream.egress_proxy: off)")
    # It does not matter where it would not be used.
    for text in (
        "{egress_proxy: off}",
        "{egress_proxy: 'http://p:1'}",
        "{api_url: 'http://127.0.0.1:1', token_url: 'http://127.0.0.1:1/oauth/token'}",
    ):
        assert loaded(tmp_path, text, **socks).upstream.shown_proxy({}) in (None, "p:1")
    upstream = loaded(tmp_path, "{}", **socks, NO_PROXY=".zoom.us").upstream
    assert upstream.shown_proxy({}) is None


def test_a_bundle_of_cas(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    make_ca(bundle)
    # The system's own, with one more, is larger than a secret may be.
    bundle.write_bytes(bundle.read_bytes() + b"# a comment\n" * 20_000)
    assert loaded(tmp_path, f"{{ca_file: {bundle}}}").upstream.ca_file == bundle
    bundle.write_text("no certificate")
    (problem,) = problems(tmp_path, f"{{ca_file: {bundle}}}")
    assert "holds no CA certificate in PEM" in problem
    (problem,) = problems(tmp_path, f"{{ca_file: {tmp_path}/none.pem}}")
    assert "cannot be read" in problem
