"""Addresses and name servers in the configuration."""

import json

import pytest

from tests.settings.configured import SHORT, problem, settings


def test_what_is_given_is_kept_in_one_form() -> None:
    found = settings(
        "upstream: {nameservers: ['192.0.2.53', '[2001:DB8::1]:5353'],"
        " addresses: {API.zoom.us.: '192.0.2.7:8443', zoom.us: '2001:DB8::7'}}\n"
    ).upstream
    assert found.nameservers == ("192.0.2.53", "[2001:db8::1]:5353")
    assert found.addresses == {"api.zoom.us": "192.0.2.7:8443", "zoom.us": "2001:db8::7"}
    assert settings().upstream.addresses == {}
    assert settings().upstream.nameservers == ()


def test_the_environment_has_them_as_json() -> None:
    found = settings(
        None,
        SHORT
        | {
            "ZOOM_GATEWAY_UPSTREAM__ADDRESSES": json.dumps({"api.zoom.us": "192.0.2.7"}),
            "ZOOM_GATEWAY_UPSTREAM__NAMESERVERS": json.dumps(["192.0.2.53"]),
        },
    ).upstream
    assert (found.addresses, found.nameservers) == ({"api.zoom.us": "192.0.2.7"}, ("192.0.2.53",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nameservers: [dns.example]", "nameservers: item 1 is no address"),
        ("nameservers: ['192.0.2.1:0']", "nameservers: item 1 must have a port"),
        (f"nameservers: {['192.0.2.1'] * 9}", "nameservers: must be at most 8"),
        ("nameservers: 192.0.2.1", "nameservers: must be a list of addresses"),
        ("addresses: {api.zoom.us: zoom.us}", "addresses: the value of name 1 is no address"),
        ("addresses: {192.0.2.1: 192.0.2.1}", "addresses: name 1 is none of a host"),
        ("addresses: {https://zoom.us: 192.0.2.1}", "addresses: name 1 is none of a host"),
        ("addresses: {localhost: 192.0.2.1}", "addresses: name 1 is this machine's own"),
        ("addresses: {zoom.us: 192.0.2.1, ZOOM.us: 192.0.2.2}", "addresses: name 2 is there twice"),
        ("addresses: [192.0.2.1]", "addresses: must be a mapping of hosts to addresses"),
    ],
)
def test_what_makes_no_sense(text: str, said: str) -> None:
    assert problem(f"upstream: {{{text}}}\n").startswith(f"upstream.{said}")
