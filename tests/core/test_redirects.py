"""Where redirects lead, and what goes along: the token to Zoom's hosts alone."""

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.errors import RedirectError
from gateway.core.redirects import (
    LONGEST,
    Leg,
    fields_of,
    first_leg,
    is_signed,
    next_leg,
)
from gateway.core.zoom_hosts import is_zooms

ASKED = b"/rec/download/abc?x=1"
DOWNLOAD = first_leg("GET", "us02web.zoom.us", ASKED)

TOKEN = (b"Authorization", b"Bearer secret")
FIELDS = [
    (b"Accept", b"*/*"),
    (b"X-Own", b"1"),
    (b"Range", b"bytes=5-"),
    (b"If-Range", b'"tag"'),
    (b"Content-Type", b"video/mp4"),
    (b"Host", b"us02web.zoom.us"),
    (b"Content-Length", b"7"),
    TOKEN,
]


def led(location: bytes, leg: Leg = DOWNLOAD, status: int = 302) -> Leg | None:
    return next_leg(leg, status, [location], is_zooms, ASKED)


def names(leg: Leg) -> set[bytes]:
    return {name.lower() for name, _ in fields_of(leg, FIELDS)}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_goes_to_another_host_of_zooms(status: int) -> None:
    leg = led(b"https://zoom.us/rec/x?y=%2F#z", status=status)
    assert leg == Leg("GET", "zoom.us", b"/rec/x?y=%2F")
    assert (b"Host", b"zoom.us") in fields_of(leg, FIELDS)
    assert TOKEN in fields_of(leg, FIELDS)


@pytest.mark.parametrize("status", [200, 300, 304, 305, 306, 400])
def test_what_is_no_redirect(status: int) -> None:
    assert led(b"https://zoom.us/", status=status) is None


def test_a_redirect_without_an_address_is_passed_on() -> None:
    assert next_leg(DOWNLOAD, 302, [], is_zooms, ASKED) is None


def test_two_addresses_are_none() -> None:
    here, there = b"https://zoom.us/a", b"https://zoom.us/b"
    assert next_leg(DOWNLOAD, 302, [here, here], is_zooms, ASKED) is not None
    with pytest.raises(RedirectError, match="several"):
        next_leg(DOWNLOAD, 302, [here, there], is_zooms, ASKED)


@pytest.mark.parametrize(
    "query",
    [
        b"Expires=1&Signature=a&Key-Pair-Id=b",
        b"fid=1&Policy=x&signature=y",
        b"X-Amz-Algorithm=a&X-Amz-Signature=b",
        b"X-Goog-Signature=b",
        b"sv=1&sig=b",
    ],
)
def test_a_signed_address_is_asked_without_the_token(query: bytes) -> None:
    leg = led(b"https://ssrweb.zoom.us/replay/a.mp4?" + query)
    assert leg is not None
    assert (leg.token, leg.signed, leg.abroad) == (False, True, False)
    assert TOKEN not in fields_of(leg, FIELDS)
    again = leg._replace(token=True, signed=False)
    assert TOKEN in fields_of(again, FIELDS)
    assert first_leg("GET", "ssrweb.zoom.us", b"/a?" + query) == leg._replace(target=b"/a?" + query)


def test_what_is_not_signed() -> None:
    assert not is_signed("zoom.us", b"/rec/x?signatures=1&x=signature#")
    assert not is_signed("zoom.us", b"/signature=/x")
    assert not is_signed("fileapi.zoom.us", b"/v2/x?signature=1")


def test_abroad_there_is_no_token_and_none_comes_back() -> None:
    leg = led(b"https://bucket.s3.amazonaws.com/a")
    assert leg is not None
    assert (leg.token, leg.abroad) == (False, True)
    expected = {b"accept", b"range", b"if-range", b"host", b"content-type", b"content-length"}
    assert names(leg) == expected
    back = led(b"https://api.zoom.us/v2/users", leg)
    assert back == Leg("GET", "api.zoom.us", b"/v2/users", token=False, abroad=True)
    assert TOKEN not in fields_of(back, FIELDS)
    # Whatever is said of it: nobody is shown the token there.
    assert TOKEN not in fields_of(back._replace(token=True), FIELDS)


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (302, "PATCH", "PATCH"),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (303, "HEAD", "HEAD"),
        (302, "HEAD", "HEAD"),
        (307, "PUT", "PUT"),
    ],
)
def test_methods(status: int, method: str, becomes: str) -> None:
    asked = b"/v2/chat/users/me/files"
    leg = first_leg(method, "fileapi.zoom.us", asked)
    further = next_leg(leg, status, [b"https://file.zoom.us" + asked], is_zooms, asked)
    assert further is not None
    assert (further.method, further.bodiless) == (becomes, becomes != method)
    assert (b"content-length" in names(further)) == (becomes == method)
    assert TOKEN in fields_of(further, FIELDS)
    last = next_leg(further, 307, [b"/v2/chat/users/me/files"], is_zooms, asked)
    assert last is not None
    assert last.bodiless == further.bodiless


@pytest.mark.parametrize(
    "location",
    [
        b"https://api.zoom.us/v2/users",
        b"https://us02web.zoom.us/v2/users",
        b"https://zoom.us/oauth/token",
        b"https://zoom.us/%6fauth/token",
        b"https://zoom.us/x/../v2/users/me",
        b"https://api.zoom.us//V2/users",
        b"/scim2/Users",
        b"https://zoom.us/_hosts/x",
    ],
)
def test_no_redirect_leads_into_the_api_but_to_what_was_asked_for(location: bytes) -> None:
    assert led(location) is None
    target = b"/" + location.split(b"/", 3)[3] if location.startswith(b"https") else location
    leg = next_leg(DOWNLOAD, 307, [location], is_zooms, target + b"?page=1")
    assert leg is not None
    assert leg.token


@pytest.mark.parametrize(
    ("location", "host", "target"),
    [
        (b"/rec/y", "us02web.zoom.us", b"/rec/y"),
        (b"//zoom.us/y", "zoom.us", b"/y"),
        (b"HTTPS://Zoom.US:443/y", "zoom.us", b"/y"),
        (b"https://zoom.us", "zoom.us", b"/"),
        (b"https://zoom.us?a", "zoom.us", b"/?a"),
        (b"https://zoom.us/a#https://evil.example/", "zoom.us", b"/a"),
        (b"y?z=1", "us02web.zoom.us", b"/rec/download/y?z=1"),
        (b"../y", "us02web.zoom.us", b"/rec/y"),
        (b"?y", "us02web.zoom.us", b"/rec/download/abc?y"),
        (b"", "us02web.zoom.us", ASKED),
        (b"#x", "us02web.zoom.us", ASKED),
        (b"https://zoom.us/a b\xc3\xa9%2f", "zoom.us", b"/a%20b%C3%A9%2f"),
        (b"  https://zoom.us/a?b=  ", "zoom.us", b"/a?b="),
        (b"https://zoom.us/a?", "zoom.us", b"/a?"),
        (
            b"https://zoom.us/a?next=https://evil.example/",
            "zoom.us",
            b"/a?next=https://evil.example/",
        ),
    ],
)
def test_addresses(location: bytes, host: str, target: bytes) -> None:
    leg = led(location)
    assert leg is not None
    assert (leg.host, leg.target) == (host, target)


@pytest.mark.parametrize(
    "location",
    [
        b"http://zoom.us/a",
        b"ftp://zoom.us/a",
        b"javascript:alert(1)",
        b"data:text/html,x",
        b"file:///etc/passwd",
        b"https:zoom.us/a",
        b"https:/zoom.us/a",
        b"https:///zoom.us/a",
        b"https:\\\\zoom.us\\a",
        b"https://zoom.us:8443/a",
        b"https://zoom.us:/a",
        b"https://zoom.us./a",
        b"https://user@zoom.us/a",
        b"https://zoom.us@evil.example/",
        b"https://zoom.us\\@evil.example/",
        b"https://evil.example\\.zoom.us/",
        b"https://evil.example%2f.zoom.us/",
        b"https://127.0.0.1/",
        b"https://169.254.169.254/latest/meta-data/",
        b"https://2130706433/",
        b"https://0x7f.1/",
        b"https://127.1/",
        b"https://[::1]/",
        b"https://[::ffff:10.0.0.1]/",
        b"https://zo\xc3\xb6m.us/",
        b"https://zoom\xe3\x80\x82us/",
        b"https:// zoom.us/",
        b"https://zoom.us/\r\nX: y",
        b"https://zoom.us/\x00",
        b"\thttps://zoom.us/",
        b"https://zoom.us/" + b"a" * LONGEST,
    ],
)
def test_addresses_that_nobody_is_sent_to(location: bytes) -> None:
    with pytest.raises(RedirectError):
        led(location)


TEXT = (
    "https:// http:// // / \\ @ : :443 :80 . zoom.us zoomgov.com evil.example api. us02web. xn-- -"
    " %2e %40 %00 # ? ?signature=x 127.0.0.1 [::1] 2130706433 user localhost v2 rec \u3002 \u24e9 a"
)
PIECES = st.sampled_from(TEXT.split())
LOCATIONS = st.lists(PIECES, max_size=7).map(lambda pieces: "".join(pieces).encode())
HOPS = st.lists(st.tuples(st.sampled_from([301, 302, 303, 307, 308]), LOCATIONS), max_size=6)
MINE = re.compile(r"([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*(zoom\.us|zoomgov\.com)")
"""An oracle of its own for Zoom's names."""


@given(st.sampled_from(["POST", "GET", "PUT"]), HOPS)
@example("GET", [(302, b"https://zoom.us@evil.example/")])
@example("GET", [(302, b"https://evil.example/"), (302, b"https://zoom.us/a")])
@example("GET", [(302, b"//evil.example/"), (302, b"/a"), (302, b"//api.zoom.us/a")])
def test_the_token_is_shown_to_zooms_hosts_alone(
    method: str, hops: list[tuple[int, bytes]]
) -> None:
    leg, left = first_leg(method, "zoom.us", b"/rec/a"), False
    for status, location in hops:
        try:
            further = next_leg(leg, status, [location], is_zooms, b"/rec/a")
        except RedirectError:
            return
        if further is None:
            return
        leg = further
        left = left or not MINE.fullmatch(leg.host)
        # What a browser's library would connect to is what is connected to here.
        whole = urlsplit(f"https://{leg.host}{leg.target.decode()}")
        assert (whole.hostname, whole.port, whole.username) == (leg.host, None, None)
        shown = TOKEN in fields_of(leg, FIELDS)
        assert not (shown and left)
        assert leg.abroad == left
        assert shown or left or is_signed(leg.host, leg.target)
        assert leg.target.startswith(b"/")
        assert re.fullmatch(rb"[\x21-\x7e]+", leg.target)
