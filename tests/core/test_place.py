"""Addresses in the configuration, with ports and without."""

import pytest

from gateway.core.place import Place, parse_place


@pytest.mark.parametrize(
    ("text", "place", "written"),
    [
        ("192.0.2.7", Place("192.0.2.7"), "192.0.2.7"),
        ("192.0.2.7:8443", Place("192.0.2.7", 8443), "192.0.2.7:8443"),
        ("2001:DB8::7", Place("2001:db8::7"), "2001:db8::7"),
        ("[2001:db8::7]", Place("2001:db8::7"), "2001:db8::7"),
        ("[2001:db8::7]:53", Place("2001:db8::7", 53), "[2001:db8::7]:53"),
        ("::ffff:192.0.2.7", Place("192.0.2.7"), "192.0.2.7"),
    ],
)
def test_what_a_place_says(text: str, place: Place, written: str) -> None:
    assert parse_place(text) == place
    assert str(place) == written
    assert parse_place(written) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.zoom.us",
        "192.0.2.7:",
        "192.0.2.7:x",
        "192.0.2",
        "127.1",
        "0x7f000001",
        "192.0.2.256",
        "192.0.2.7/24",
        "http://192.0.2.7",
        "[192.0.2.7",
        "fe80::1%eth0",
        "[fe80::1%eth0]:53",
        " 192.0.2.7",
        "192.0.2.7:123456",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        parse_place(text)


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_what_is_no_port(port: str) -> None:
    with pytest.raises(ValueError, match="port from 1 to 65535"):
        parse_place(f"192.0.2.7:{port}")
