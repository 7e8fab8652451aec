"""Who calls."""

from ipaddress import ip_address

import pytest

from gateway.core.caller import caller_at


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_the_address_of_a_caller(host: str, address: str) -> None:
    caller = caller_at(host)
    assert caller.address == ip_address(address)
    assert str(caller) == address


def test_a_unix_socket_has_none() -> None:
    caller = caller_at("")
    assert caller.address is None
    assert not str(caller)


def test_the_names_of_its_certificate() -> None:
    names = frozenset({"spiffe://cluster.local/ns/a/sa/b", "dns:reports.svc"})
    assert caller_at("192.0.2.1", names).names == names
    assert caller_at("192.0.2.1").names == frozenset()
