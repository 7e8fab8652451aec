"""Which targets name another host of Zoom's, and which only look like it."""

import re
from http import HTTPStatus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.errors import CallRefusedError
from gateway.core.other_hosts import Named, named_host
from gateway.core.spelling import decoded


def outcome(raw: bytes) -> Named | str | None:
    try:
        return named_host(raw)
    except CallRefusedError as error:
        return error.slug_ if error.status == HTTPStatus.NOT_FOUND else str(error.status)


@pytest.mark.parametrize(
    ("raw", "host", "rest"),
    [
        (
            b"/_hosts/us02web.zoom.us/rec/download/a?b=%2F",
            "us02web.zoom.us",
            b"/rec/download/a?b=%2F",
        ),
        (b"/_hosts/ZOOM.us/rec/x", "zoom.us", b"/rec/x"),
        (b"/_hosts/zoom.us", "zoom.us", b""),
        (b"/_hosts/zoom.us?a=/_hosts/", "zoom.us", b"?a=/_hosts/"),
        (b"/_hosts/zoom.us//x/..", "zoom.us", b"//x/.."),
        (b"/_hosts/a_b.zoom.us/%252Fx", "a_b.zoom.us", b"/%252Fx"),
        (b"/_hosts/zoom.us.evil.example/x", "zoom.us.evil.example", b"/x"),
        (b"/_hosts/xn--oom-3ya.us/x", "xn--oom-3ya.us", b"/x"),
        (b"/_hosts/localhost/x", "localhost", b"/x"),
    ],
)
def test_a_host_that_is_plainly_named(raw: bytes, host: str, rest: bytes) -> None:
    assert outcome(raw) == Named(host, rest)


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b".",
        b"zoom.us.",
        b".zoom.us",
        b"zoom..us",
        b"-zoom.us",
        b"zoom.us:443",
        b"zoom.us:8443",
        b"zoom.us@evil.example",
        b"evil.example@zoom.us",
        b"a:b@zoom.us",
        b"zoom%2eus",
        b"zoom.us%2f..%2fevil.example",
        b"%7a%6f%6fm.us",
        b"evil.example%00.zoom.us",
        b"evil.example%23.zoom.us",
        b"evil.example\\.zoom.us",
        b"evil.example;.zoom.us",
        b"z%C3%B6om.us",
        b"zoom%E3%80%82us",
        b"127.0.0.1",
        b"2130706433",
        b"0x7f.1",
        b"0x7f000001",
        b"127.1",
        b"[::1]",
        b"[::ffff:127.0.0.1]",
        b"::1",
        b"*",
        b"..",
        b"a" * 64 + b".zoom.us",
        b"a." * 130 + b"zoom.us",
    ],
)
@pytest.mark.parametrize("rest", [b"", b"/", b"/v2/users", b"?x"])
def test_what_is_not_plainly_a_name(host: bytes, rest: bytes) -> None:
    assert outcome(b"/_hosts/" + host + rest) == "unknown_host"


@pytest.mark.parametrize(
    "raw",
    [
        b"/_hosts",
        b"/_hosts?zoom.us",
        b"/_HOSTS/zoom.us/x",
        b"/%5fhosts/zoom.us/x",
        b"/%5Fhosts/zoom.us/x",
        b"/_host%73/zoom.us/x",
        b"/%255fhosts/zoom.us/x",
        b"//_hosts/zoom.us/x",
        b"/_hosts//zoom.us/x",
        b"/./_hosts/zoom.us/x",
        b"/v2/../_hosts/zoom.us/x",
        b"/v2/%2e%2e/_hosts/zoom.us/x",
        b"/;a/_hosts/zoom.us",
        b"/_hosts;a/zoom.us",
        b"/\\_hosts/zoom.us",
        b"/%2f_hosts/zoom.us",
        b"/_hosts%2fzoom.us/x",
        b"/_hosts%20/zoom.us",
        b"/_ho%C5%BFts/zoom.us",
        b"/%EF%BC%BFhosts/zoom.us",
        b"/_hosts/zoom.us/_hosts/zoom.us/x",
        b"/_hosts/zoom.us/%5fhosts/evil.example/x",
        b"/_hosts/zoom.us//_hosts/x",
        b"/_hosts/zoom.us/../_hosts/evil.example",
    ],
)
def test_what_a_lenient_reader_might_take_for_it(raw: bytes) -> None:
    assert outcome(raw) == "unknown_host"


def test_a_path_with_too_many_readings() -> None:
    path = b"/x" + b"/%25%32%65%3b;/..\\%5c_hosts" * 40
    assert outcome(path) == "unknown_host"


@pytest.mark.parametrize(
    "raw",
    [
        b"/",
        b"/v2/users",
        b"/v2/_hosts/zoom.us",
        b"/v2/meetings/%252Fabc%253D%253D?x=/_hosts/",
        b"/v2/users?next=/_hosts/zoom.us",
        b"/hosts/zoom.us",
        b"/_host/zoom.us",
        b"/x_hosts/zoom.us",
        b"/v2/users/%5fhosts",
        b"/v2/caf%C3%A9",
    ],
)
def test_what_names_none(raw: bytes) -> None:
    assert outcome(raw) is None


PIECES = st.lists(
    st.sampled_from(
        b"_hosts / zoom.us evil.example %2f %5f .. . @ : ? %25 a ; \\ 443 // %00 xn--".split()
    ),
    max_size=8,
).map(b"".join)


@given(st.sampled_from([b"/", b"/_hosts/", b"/_hosts"]), PIECES)
@example(b"/_hosts/", b"zoom.us:443/x")
@example(b"/_hosts/", b"..;")
@example(b"/_hosts/", b"%2e%2e")
def test_a_host_that_is_read_is_the_one_that_stands_there(front: bytes, rest: bytes) -> None:
    """An oracle of its own: nothing but letters, digits, dots and hyphens up to the next slash."""
    raw = front + rest
    found = outcome(raw)
    if isinstance(found, Named):
        match = re.match(rb"/_hosts/([a-z0-9._-]+)($|[/?])", raw)
        assert match
        assert found.host.encode() == match[1]
        assert raw == b"/_hosts/" + match[1] + found.rest
    elif found is None:
        assert not decoded(raw).startswith(b"/_hosts/")
