"""Whom the two clients of Zoom believe, and what becomes of that when the file changes."""

import ssl
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.settings import UpstreamSettings
from gateway.wiring.outward import Outward
from tests.settings.certificates import make_ca, serial


def trusted(context: ssl.SSLContext) -> list[str]:
    return [str(one["serialNumber"]) for one in context.get_ca_certs()]


def test_a_bundle_counts_instead_of_the_systems_and_anew_when_it_changes(tmp_path: Path) -> None:
    bundle, complaints = tmp_path / "ca.pem", list[str]()
    make_ca(bundle)
    outward = Outward(UpstreamSettings(ca_file=bundle), complaints.append, {})
    first = outward.trust()
    assert trusted(first) == [serial(bundle)]
    assert first.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert outward.trust() is first
    make_ca(tmp_path / "new.pem")
    (tmp_path / "new.pem").replace(bundle)
    assert trusted(outward.trust()) == [serial(bundle)]
    assert trusted(first) != [serial(bundle)]
    assert complaints == []


def test_a_bundle_that_cannot_be_used_any_more(tmp_path: Path) -> None:
    bundle, complaints = tmp_path / "ca.pem", list[str]()
    make_ca(bundle)
    outward = Outward(UpstreamSettings(ca_file=bundle), complaints.append, {})
    known = outward.trust()
    whole = bundle.read_bytes()
    for content in (b"", whole[: len(whole) // 2], None):
        bundle.unlink() if content is None else bundle.write_bytes(content)
        for _ in range(3):
            assert outward.trust() is known
    assert len(complaints) == 3
    assert all(str(bundle) in one and "stays in force" in one for one in complaints)
    make_ca(bundle)
    assert trusted(outward.trust()) == [serial(bundle)]
    bundle.unlink()
    with pytest.raises(ConfigurationError, match=r"upstream\.ca_file"):
        Outward(
            UpstreamSettings.model_construct(**(dict(UpstreamSettings()) | {"ca_file": bundle}))
        )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_systems_cas_are_read_at_once_only_where_tls_is_spoken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    early, late = tmp_path / "early.pem", tmp_path / "late.pem"
    make_ca(early)
    make_ca(late)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_FILE", str(early))
    url = f"{scheme}://127.0.0.1:8081"
    outward = Outward(UpstreamSettings(api_url=url, token_url=f"{url}/oauth/token"), environ={})
    monkeypatch.setenv("SSL_CERT_FILE", str(late))
    read = outward.trust()
    assert trusted(read) == [serial(early if scheme == "https" else late)]
    assert outward.trust() is read


def test_the_ways_out() -> None:
    environ = {"HTTPS_PROXY": "http://user:canary@proxy.test:3128", "NO_PROXY": "api.zoom.us"}
    outward = Outward(UpstreamSettings(), environ=environ)
    assert (outward.status.api, outward.status.proxy) == ("api.zoom.us", None)
    assert str(outward.token_proxy) == "proxy.test:3128"
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY: is a SOCKS"):
        Outward(UpstreamSettings(), environ={"HTTPS_PROXY": "socks5://x"})
