"""Who calls."""

from ipaddress import ip_address

import pytest

from gateway.core.caller import caller_at, names_in


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


def test_alternative_names_as_openssl_writes_them() -> None:
    assert names_in(
        [
            ("DNS", "Reports.Example.COM"),
            ("email", "Ops@Example.com"),
            ("URI", "spiffe://Cluster.local/ns/a/sa/B"),
            ("IP Address", "192.0.2.7"),
            ("IP Address", "2001:DB8:0:0:0:0:0:1\n"),
            ("DNS", "reports.example.com"),
        ]
    ) == {
        "dns:reports.example.com",
        "email:ops@example.com",
        "spiffe://Cluster.local/ns/a/sa/B",
        "ip:192.0.2.7",
        "ip:2001:db8::1",
    }


@pytest.mark.parametrize(
    "alternative",
    [
        ("DirName", "/CN=admin"),
        ("IP Address", "<invalid>"),
        ("Registered ID", "1.2.3"),
        # What a rule reads as a DNS name must be one.
        ("URI", "dns:admin.example.com"),
        ("URI", "DNS:admin.example.com"),
        ("URI", "ip:192.0.2.1"),
        ("URI", ""),
    ],
)
def test_what_names_nobody(alternative: tuple[str, str]) -> None:
    assert names_in([alternative]) == frozenset()


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ((), ""),
        (("ip:192.0.2.1", "email:a@b.c", "dns:b", "dns:a"), "dns:a"),
        (("dns:a", "urn:x"), "urn:x"),
        (("urn:x", "spiffe://z/", "spiffe://b/"), "spiffe://b/"),
        (("ip:192.0.2.1",), "ip:192.0.2.1"),
        (("spiffe://" + "x" * 1000,), "spiffe://" + "x" * 247),
    ],
)
def test_one_name_stands_for_all_in_logs(names: tuple[str, ...], shown: str) -> None:
    assert caller_at("192.0.2.1", frozenset(names)).name == shown
