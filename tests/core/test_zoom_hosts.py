"""The token goes to Zoom alone: which names are Zoom's, and which only look like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.zoom_hosts import (
    address,
    canonical,
    is_api,
    is_loopback,
    is_trusted,
    is_zooms,
    may_have_token,
    within,
)


@pytest.mark.parametrize(
    "host",
    [
        "zoom.us",
        "ZOOM.us",
        "zoom.us.",
        "api.zoom.us",
        "us02web.zoom.us",
        "a.b.c.zoom.us",
        "_x.zoom.us",
        "xn--oom-3ya.zoom.us",
        "zoomgov.com",
        "api.zoomgov.com",
        "Api.ZoomGov.Com.",
    ],
)
def test_zooms_own(host: str) -> None:
    assert is_zooms(host)
    assert may_have_token(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "us",
        "notzoom.us",
        "api-zoom.us",
        "zoom.us.evil.example",
        "zoom.us@evil.example",
        "evil.example@zoom.us",
        "zoom.us%2eevil.example",
        "zoom.us%00.zoom.us",
        "evil.example#.zoom.us",
        "evil.example/.zoom.us",
        "evil.example\\.zoom.us",
        "evil.example:443.zoom.us",
        "evil.example\n.zoom.us",
        "evil example.zoom.us",
        "\u24e9oom.us",  # a z in a circle, which NFKC makes a z
        "zo\u043em.us",  # a Cyrillic o
        "zoom\u3002us",  # an ideographic full stop
        "zoom\uff0eus",  # a full-width full stop
        "zoom\u00ad.us",  # a soft hyphen, which IDNA drops
        "z\u00f6om.us",
        "evil.example\u2024zoom.us",
        "xn--zom-wlc.us",  # the Cyrillic one, as DNS has it
        "zoom.us..",
        ".zoom.us",
        "api..zoom.us",
        "-x.zoom.us",
        "x-.zoom.us",
        f"{'x' * 64}.zoom.us",
        f"{'x.' * 130}zoom.us",
        "zoom.com",
        "zoomgov.us",
        "evilzoomgov.com",
        "10.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "::",
        "::ffff:10.0.0.1",
        "fe80::1%eth0",
        "::1%lo",
        "[::1]",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.localhost",
    ],
)
def test_what_is_not_zooms(host: str) -> None:
    assert not is_zooms(host)
    assert not may_have_token(host)


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "localhost.", "127.0.0.1", "127.8.9.1", "::1",
             "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"],
)  # fmt: skip
def test_this_machine(host: str) -> None:
    assert is_loopback(host)
    assert may_have_token(host)
    assert not is_zooms(host)


TRUSTED = ("front.example.com", "*.Relay.Test", "10.1.2.3", "fd00::1")


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("front.example.com", True),
        ("FRONT.example.com.", True),
        ("a.front.example.com", False),
        ("example.com", False),
        ("a.relay.test", True),
        ("a.b.relay.test", True),
        ("relay.test", False),
        ("notrelay.test", False),
        ("a.relay.test.evil", False),
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("10.1.2.4", False),
        ("fd00:0::1", True),
        ("zo\u043em.us", False),
    ],
)
def test_hosts_that_the_operator_trusts(host: str, trusted: bool) -> None:  # noqa: FBT001
    assert is_trusted(host, TRUSTED) is trusted
    assert may_have_token(host, TRUSTED) is trusted


def test_nothing_is_below_an_address_or_what_is_no_name() -> None:
    assert not is_trusted("10.0.0.1", ("*.0.0.1", "*.", "*.[x]"))


def test_the_one_way_to_write_a_host() -> None:
    assert canonical("API.zoom.us.") == "api.zoom.us"
    assert canonical("::ffff:192.0.2.1") == "192.0.2.1"
    assert canonical("2001:DB8::0001") == "2001:db8::1"
    assert canonical("a b") is None
    assert address("fe80::1%eth0") is None
    assert within("zoom.us", "zoom.us")


@given(st.text(max_size=40))
def test_only_what_ends_in_a_label_of_zooms_is_zooms(prefix: str) -> None:
    if is_zooms(f"{prefix}zoom.us"):
        assert prefix == "" or (prefix.endswith(".") and prefix.isascii())


@given(st.text(min_size=1, max_size=40))
def test_nothing_after_zooms_name_keeps_it_zooms(suffix: str) -> None:
    if is_zooms(f"zoom.us{suffix}"):
        assert suffix == "." or suffix.lower().removesuffix(".").endswith(
            (".zoom.us", ".zoomgov.com")
        )


def test_the_hosts_of_the_api() -> None:
    hosts = ["api", "api-eu", "api-us", "fileapi", "file"]
    assert all(is_api(f"{one}.zoom.us") and is_api(f"{one}.zoomgov.com") for one in hosts)
    others = "zoom.us us02web.zoom.us apis.zoom.us api-eu.evil.example api.eu.zoom.us file"
    assert not any(map(is_api, others.split()))
