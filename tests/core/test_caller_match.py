import pytest

from gateway.core.caller import caller_at
from gateway.core.caller_match import CallerMatch, name_pattern, network


def match(
    *networks: str, certificates: tuple[str, ...] = (), keys: tuple[str, ...] = ()
) -> CallerMatch:
    return CallerMatch(
        tuple(network(one) for one in networks if one != "unix"),
        "unix" in networks,
        tuple(map(name_pattern, certificates)),
        frozenset(keys),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("10.0.0.1/8", "did you mean 10.0.0.0/8"),
        ("fd00::1/8", "did you mean fd00::/8"),
        ("ten", "is no network"),
        ("10.0.0.0/33", "is no network"),
        ("::ffff:10.0.0.0/104", "give it as IPv4"),
    ],
)
def test_what_is_no_network(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        network(text)


@pytest.mark.parametrize(
    ("networks", "inside", "outside"),
    [
        (("10.0.0.0/8",), "10.9.8.7", "11.0.0.1"),
        (("10.0.0.0/8",), "::ffff:10.9.8.7", "::10.9.8.7"),
        (("192.0.2.7", "fd00::/8"), "fd12::1", "fe80::1"),
        (("unix",), "", "127.0.0.1"),
        (("127.0.0.0/8",), "127.0.0.1", ""),
    ],
)
def test_networks(networks: tuple[str, ...], inside: str, outside: str) -> None:
    rule = match(*networks)
    assert rule.fits(caller_at(inside), None)
    assert not rule.fits(caller_at(outside), None)
    assert not rule.everybody


@pytest.mark.parametrize(
    ("pattern", "name", "answer"),
    [
        ("spiffe://a.example/ns/reports/*", "spiffe://a.example/ns/reports/sa/web", True),
        ("spiffe://a.example/ns/reports/*", "spiffe://a.example/ns/reports", False),
        ("spiffe://a.example/ns/reports/*", "spiffe://a.example/ns/reports/", False),
        ("spiffe://a.example/ns/reports/*", "spiffe://a.example/ns/reports/../admin", False),
        ("spiffe://a.example/ns/reports/*", "spiffe://a.example/ns/reports/%2e%2e/admin", False),
        ("spiffe://a.example/ns/reports/*", "spiffe://a.example/ns/reports2/sa/web", False),
        ("spiffe://a.example/ns/reports/*", "spiffe://b.example/ns/reports/sa/web", False),
        ("spiffe://a.example/*", "spiffe://a.example.evil/x", False),
        ("spiffe://a.example/*", "spiffe://a.example/x", True),
        ("spiffe://A.example/x", "SPIFFE://a.EXAMPLE/x", True),
        ("spiffe://a.example/x", "spiffe://a.example/X", False),
        ("spiffe://a.example/x", "spiffe://a.example/x/y", False),
        ("uri:https://a.example/x", "https://a.example/x", True),
        ("uri:https://a.example/x", "spiffe://a.example/x", False),
        ("dns:Web.example.com", "dns:web.example.com", True),
        ("dns:*.example.com", "dns:web.example.com", True),
        ("dns:*.example.com", "dns:a.b.example.com", False),
        ("dns:*.example.com", "dns:example.com", False),
        ("dns:*.example.com", "dns:.example.com", False),
        ("dns:*.example.com", "dns:*.example.com", True),
        ("dns:example.com", "email:example.com", False),
        ("email:Bob@example.com", "email:bob@example.com", True),
        ("email:*@example.com", "email:bob@example.com", True),
        ("email:*@example.com", "email:bob@b.example.com", False),
        ("ip:192.0.2.7", "ip:192.0.2.7", True),
        ("ip:192.0.2.7", "ip:192.0.2.77", False),
        ("ip:fd00:0::1", "ip:fd00::1", True),
    ],
)
def test_names_in_certificates(pattern: str, name: str, answer: bool) -> None:  # noqa: FBT001
    caller = caller_at("10.0.0.1", frozenset({"dns:other.test", name}))
    assert match(certificates=(pattern,)).fits(caller, None) is answer


@pytest.mark.parametrize(
    "text",
    [
        "web.example.com",
        "dns:",
        "dns:*",
        "dns:a.*.com",
        "dns:*web.example.com",
        "email:bob",
        "email:b*@example.com",
        "ip:web",
        "uri:web",
        "https://a.example/x",
        "spiffe://*/ns",
        "spiffe://*.example/ns",
        "spiffe://a.example/*/x",
        "spiffe://a.example/x*",
        "spiffe://a.example/x?y",
        "spiffe://a.example//x",
        "spiffe:///x",
        "",
    ],
)
def test_what_is_no_name_in_a_certificate(text: str) -> None:
    with pytest.raises(ValueError, match="no name in a certificate"):
        name_pattern(text)


def test_kinds_must_all_fit_and_entries_are_alternatives() -> None:
    rule = match("10.0.0.0/8", "unix", certificates=("dns:a.test", "dns:b.test"), keys=("x", "y"))
    b = frozenset({"dns:b.test"})
    assert rule.fits(caller_at("10.0.0.1", b), "y")
    assert rule.fits(caller_at("", b), "x")
    assert not rule.fits(caller_at("11.0.0.1", b), "y")
    assert not rule.fits(caller_at("10.0.0.1"), "y")
    assert not rule.fits(caller_at("10.0.0.1", b), "z")
    assert not rule.fits(caller_at("10.0.0.1", b), None)


def test_nothing_given_is_everybody() -> None:
    assert CallerMatch().everybody
    assert CallerMatch().fits(caller_at(""), None)


EVERYBODY = match()
CERTIFICATES = {
    ("spiffe://a/ns/*", "spiffe://a/ns/x"): True,
    ("spiffe://a/ns/*", "spiffe://a/ns/x/*"): True,
    ("spiffe://a/ns/*", "spiffe://a/ns/*"): True,
    ("spiffe://a/ns/*", "spiffe://a/ns"): False,
    ("spiffe://a/ns/x", "spiffe://a/ns/*"): False,
    ("spiffe://a/ns/x/*", "spiffe://a/ns/*"): False,
    ("dns:*.test", "dns:a.test"): True,
    ("dns:a.test", "dns:*.test"): False,
    ("email:*@a.test", "email:b@a.test"): True,
    ("ip:192.0.2.7", "ip:192.0.2.7"): True,
    ("ip:192.0.2.7", "ip:192.0.2.8"): False,
    ("uri:https://a/x", "uri:https://a/y"): False,
}


@pytest.mark.parametrize(
    ("wide", "narrow", "answer"),
    [
        (EVERYBODY, match("10.0.0.0/8"), True),
        (match("10.0.0.0/8"), EVERYBODY, False),
        (match("10.0.0.0/8", "fd00::/8"), match("10.1.0.0/16", "fd00::1"), True),
        (match("10.0.0.0/8"), match("fd00::/8"), False),
        (match("fd00::/8"), match("10.0.0.0/8"), False),
        (match("10.0.0.0/8"), match("10.0.0.0/8", "unix"), False),
        (match("unix"), match("unix"), True),
        (match(keys=("a", "b")), match(keys=("a",)), True),
        (match(keys=("a",)), match(keys=("a", "b")), False),
        (match(keys=("a",)), EVERYBODY, False),
        (match(certificates=("dns:a.test",)), EVERYBODY, False),
        *(
            (match(certificates=(wide,)), match(certificates=(narrow,)), answer)
            for (wide, narrow), answer in CERTIFICATES.items()
        ),
    ],
)
def test_covering(wide: CallerMatch, narrow: CallerMatch, answer: bool) -> None:  # noqa: FBT001
    assert wide.covers(narrow) is answer
