"""Which addresses are the public Internet's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.public import is_public


@pytest.mark.parametrize(
    "text",
    ["170.114.52.2", "8.8.8.8", "2606:4700::6811:1", "::ffff:170.114.52.2", "64:ff9b::aa72:3402"],
)
def test_public(text: str) -> None:
    assert is_public(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zoom.us",
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12:3456::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:0a00:1::1",
        "2001:0:a9fe:a9fe::5601:5601",
    ],
)
def test_not_public(text: str) -> None:
    assert not is_public(text)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_as_public_however_it_is_wrapped(one: object) -> None:
    number = int(one)  # type: ignore[call-overload]  # an address is one
    assert is_public(f"::ffff:{one}") == is_public(str(one))
    assert is_public(f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}") == is_public(str(one))
