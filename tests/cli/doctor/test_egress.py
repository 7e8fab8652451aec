"""A machine that reaches Zoom by a proxy: what check says of it."""

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.doctor.bench import account, answering, check, faked, said, server
from tests.stores.certificates import Authority
from tests.support.egress import ConnectProxy, proxying
from tests.zoom.certified import certified

LOGIN = "proxy-user:canary-proxy"
HOSTS = ("api.zoom.us", "zoom.us")
DEAD = faked(api_zoom_us="EAI_NONAME", zoom_us="EAI_NONAME")
"""No resolver here knows Zoom: only the proxy does."""


@contextlib.asynccontextmanager
async def behind(
    directory: Path,
    proxy: ConnectProxy,
    *,
    names: tuple[str, ...] = HOSTS,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[dict[str, str]]:
    authority = Authority(directory, "Corp CA")
    context = tls or certified(authority, names, days=(-1, 90))
    async with server(answering(), context) as port, proxying(proxy):
        yield {
            **account(f"https://api.zoom.us:{port}", f"https://zoom.us:{port}"),
            **DEAD,
            "ZOOM_GATEWAY_UPSTREAM__CA_FILE": str(authority.file),
            "HTTPS_PROXY": f"http://{LOGIN}@{proxy.authority}",
        }


async def test_a_way_by_a_proxy_that_works(tmp_path: Path) -> None:
    proxy = ConnectProxy(login=LOGIN)
    async with behind(tmp_path, proxy) as variables:
        found, words = await check(**variables), await said(**variables)
    for key, host in zip(("upstream.api_url", "upstream.token_url"), HOSTS, strict=True):
        used = found.one("proxy_used", key)
        details = {"host": host, "proxy": proxy.authority, "source": "HTTPS_PROXY"}
        assert (used["level"], used["details"]) == ("ok", details)
        assert found.one("tls_ok", key)["details"]["issuer"] == "Corp CA"
        assert found.one("reached", key)
    # What only the proxy need know is not asked for here.
    assert found.lacks("dns_unknown", "dns_ok", "proxy_ignored", "connection_failed")
    assert found.exit_code == 0
    assert f"is by the proxy {proxy.authority} (HTTPS_PROXY)" in words.stdout
    assert "canary" not in found.stdout + found.stderr + words.stdout + words.stderr


async def test_an_address_that_only_the_proxy_could_use(tmp_path: Path) -> None:
    proxy = ConnectProxy()
    async with behind(tmp_path, proxy) as variables:
        given = {"ZOOM_GATEWAY_UPSTREAM__ADDRESSES": '{"api.zoom.us": "192.0.2.7"}'}
        found = await check(**{**variables, **given})
    unused = found.one("address_unused")
    assert (unused["level"], unused["about"]) == ("notice", "upstream.api_url")
    assert unused["details"] == {"host": "api.zoom.us", "source": "upstream.addresses"}
    assert f"the proxy {proxy.authority} resolves it" in unused["sentence"]
    assert found.one("reached", "upstream.api_url")


async def test_a_host_that_is_excepted_is_reached_directly(tmp_path: Path) -> None:
    proxy = ConnectProxy()
    async with behind(tmp_path, proxy) as variables:
        here = {**variables, **faked(api_zoom_us="EAI_NONAME", zoom_us=["127.0.0.1"])}
        found = await check(**here, no_proxy="nothing.example,zoom.us:1")
        assert len(found.all("proxy_used")) == 2
        found = await check(**here, NO_PROXY="10.0.0.0/8,zoom.us")
    assert found.lacks("proxy_used")
    assert found.one("reached", "upstream.token_url")
    assert found.one("dns_unknown", "upstream.api_url")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", "407: it does not take the user and password of its URL"),
        (b"HTTP/1.1 400 No\r\n\r\n", "400: it may be no proxy that takes CONNECT."),
        (b"", "it hangs up"),
    ],
)
async def test_a_proxy_that_opens_no_way(tmp_path: Path, said: bytes, words: str) -> None:
    proxy = ConnectProxy(said=said)
    async with behind(tmp_path, proxy) as variables:
        found = await check("--mint", **variables)
    failed = found.one("proxy_failed")
    assert (failed["level"], failed["about"]) == ("problem", "HTTPS_PROXY")
    assert failed["details"]["proxy"] == proxy.authority
    assert words in failed["sentence"]
    assert found.lacks("reached", "tls_ok", "mint_ok", "defect")
    assert found.exit_code == 1
    assert "canary" not in found.stdout + found.stderr


async def test_a_proxy_that_does_not_answer(tmp_path: Path) -> None:
    async with behind(tmp_path, ConnectProxy(silent=True)) as variables:
        found = await check(**variables, ZOOM_GATEWAY_UPSTREAM__CONNECT_TIMEOUT="0.5")
    assert "it gave no answer within 0.5 s" in found.one("proxy_failed")["sentence"]


async def test_no_proxy_listens_and_its_name_is_not_known(tmp_path: Path) -> None:
    proxy = ConnectProxy()
    async with behind(tmp_path, proxy) as variables:
        pass
    found = await check(**variables)
    assert "Connection refused" in found.one("proxy_failed")["sentence"]
    assert "in NO_PROXY" in found.one("proxy_failed")["advice"]
    named = {"ZOOM_GATEWAY_UPSTREAM__EGRESS_PROXY": f"http://{proxy.authority}"}
    failed = (await check(**{**variables, **named})).one("proxy_failed")
    assert failed["about"] == "upstream.egress_proxy"
    assert "NO_PROXY" not in failed["advice"]  # which excepts nothing then
    variables |= {"ZOOM_GATEWAY_UPSTREAM__EGRESS_PROXY": "http://proxy.test:3128"}
    gone = faked(proxy_test="EAI_NONAME")
    found = await check(**{**variables, **gone})
    unknown = found.one("dns_unknown", "upstream.egress_proxy")
    assert "proxy.test" in unknown["sentence"]
    assert found.lacks("proxy_failed", "reached")


async def test_a_proxy_that_inspects_tls(tmp_path: Path) -> None:
    """Whose certificate it is is told, without a word to who shows it."""
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    inspected = certified(Authority(stranger, "Inspection CA"), HOSTS)
    async with behind(tmp_path, ConnectProxy(), tls=inspected) as variables:
        found = await check(**variables)
    seen = found.one("tls_intercepted")
    assert "issued by Inspection CA" in seen["sentence"]
    assert "upstream.ca_file" in seen["advice"]
    assert found.lacks("reached")


async def test_a_certificate_of_another_host_behind_a_proxy(tmp_path: Path) -> None:
    async with behind(tmp_path, ConnectProxy(), names=("portal.example",)) as variables:
        found = await check(**variables)
    assert "is for portal.example" in found.one("tls_wrong_host")["sentence"]


async def test_a_host_behind_a_proxy_that_speaks_no_tls(tmp_path: Path) -> None:
    proxy = ConnectProxy()
    async with behind(tmp_path, proxy) as variables, server(answering()) as plain:
        there = account(f"https://api.zoom.us:{plain}", f"https://zoom.us:{plain}")
        found = await check(**{**variables, **there})
    failed = found.one("tls_failed", "upstream.api_url")
    assert f"The proxy {proxy.authority} opens a way to api.zoom.us" in failed["sentence"]


async def test_a_proxy_that_is_no_http_proxy() -> None:
    variables = account("https://api.zoom.us", "https://zoom.us")
    found = await check(**variables, ALL_PROXY=f"socks5://{LOGIN}@127.0.0.1:1")
    assert found.one("configuration")["about"] == "ALL_PROXY"
    assert "SOCKS" in found.one("configuration")["sentence"]
    assert found.exit_code == 2
    assert "canary" not in found.stdout + found.stderr


async def test_a_host_that_is_not_zooms() -> None:
    found = await check(**account("https://api.zoom.us.evil.example", "https://zoom.us"))
    wrong = found.one("configuration")
    assert wrong["about"] == "upstream.api_url"
    assert "upstream.trusted_hosts" in wrong["sentence"]
    assert found.exit_code == 2
