import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.spelling import (
    LONGEST,
    is_plain,
    leniently,
    readings,
    segments_of,
    with_whole_uuids,
)

UUID = "abcdefghijklmnopqrstuv=="


def read(path: str) -> frozenset[str]:
    found = readings(path)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "reading"),
    [
        ("/v2/%75sers", "/v2/users"),
        ("/v2/%2575sers", "/v2/users"),
        ("/v2/x/%2e%2E/users", "/v2/users"),
        ("/v2/x/..%2fusers", "/v2/users"),
        ("/v2/x/..%5Cusers", "/v2/users"),
        ("/v2\\users", "/v2/users"),
        ("/v2//users", "/v2/users"),
        ("/v2//../users", "/v2/users"),
        ("/v2/users;a=b", "/v2/users"),
        ("/v2/x/..;a/users", "/v2/users"),
        ("/v2/users%3Fa=b", "/v2/users"),
        ("/v2/users%23", "/v2/users"),
        ("/v2/users%00.json", "/v2/users"),
        ("/v2/us%65rs/%2e/a%2Fb", "/v2/users/a%2Fb"),
        ("/v2/us%0Aers", "/v2/users"),
        ("/v2/users%20", "/v2/users"),
        ("/v2/users+", "/v2/users"),
        ("/v2/+users", "/v2/users"),
        ("/v2/users.", "/v2/users"),
        ("/v2/%c0%af/users", "/v2/users"),
        ("/v2/x/%c0%ae%c0%ae/users", "/v2/users"),
        ("/v2/x/%e0%80%ae./users", "/v2/users"),
        ("/v2%u002fusers", "/v2/users"),
        ("/v2/%ef%bd%95sers", "/v2/users"),
        ("/v2/%e2%88%95/phone%c4%b1ds", "/v2/phoneids"),
        ("/v2/x/..%e2%81%84users", "/v2/users"),
        ("/v2%e2%88%96users", "/v2/users"),
        ("/v2/us%e2%80%8bers%ef%bb%bf", "/v2/users"),
        ("/v2/users%ff", "/v2/users\xff"),
        ("/v2/x/%f0%80%80%ae./users", "/v2/users"),
        ("/v2/users.json", "/v2/users"),
        ("/v2/users.a.json/", "/v2/users/"),
        ("/v2/users%2ejson", "/v2/users"),
        ("//host/v2/users", "/v2/users"),
        ("/%3f", "/"),
        ("/v2/users/.", "/v2/users/"),
        ("/v2/x/..", "/v2/"),
        ("/../v2", "/v2"),
    ],
)
def test_what_a_server_may_come_to_is_a_reading(path: str, reading: str) -> None:
    assert {path, reading} <= read(path)
    assert not is_plain(path.encode("latin-1"))


@pytest.mark.parametrize(
    "path",
    [
        "/v2/users/me",
        "/v2/users/bob.smith@example.com",
        "/v2/v1.2/users",
        "/v2/Users/a+b@example.com/",
        "/v2/meetings/abc==",
        "/scim2/Groups",
    ],
)
def test_a_plain_path_has_one_reading(path: str) -> None:
    assert is_plain(path.encode())
    assert read(path) == {path}


PLAIN = st.text("aZ0_~@!$&'()*,:=-.+/", max_size=30).map(lambda text: f"/{text}")


@given(PLAIN)
@example("/v2/a")
@example("/v2/a.")
def test_what_is_plain_has_one_reading(path: str) -> None:
    if is_plain(path.encode()):
        assert read(path) == {path}


def test_too_many_readings_are_none() -> None:
    assert readings("/v2/users/%2e%2e%3b/%5cphone%00%20/;/..;/%252e%252e/a") is None


def test_what_is_too_long_is_not_read() -> None:
    assert readings("/" + "a" * LONGEST) is None
    assert readings("/" + "a" * (LONGEST - 1)) is not None


@given(st.text(st.sampled_from("aA./\\;%25ef0+ \0?#\xc0\xaf"), max_size=40))
def test_reading_ends_and_every_reading_is_a_path(text: str) -> None:
    for one in readings(f"/{text}") or ():
        assert one.startswith("/")


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", []),
        ("/v2", ["v2"]),
        ("/v2/", ["v2"]),
        ("/v2//", ["v2", ""]),
        ("//v2", ["", "v2"]),
    ],
)
def test_segments(path: str, segments: list[str]) -> None:
    assert segments_of(path) == segments


@pytest.mark.parametrize(
    "encoded",
    ["%2Fbcdefghi%2F%2Flmnopqrstuv%3D%3D", "%252F" + UUID[1:], "%2FajXp112QmuoKj4854875=="],
)
def test_a_uuid_with_slashes_stays_in_one_segment(encoded: str) -> None:
    whole = with_whole_uuids(f"/v2/meetings/{encoded}/recordings")
    assert whole is not None
    assert whole.count("/") == 4
    assert read(whole) == {whole}


@pytest.mark.parametrize(
    "path",
    [
        "/v2/users/me",
        f"/v2/meetings/{UUID}",
        "/v2/meetings/abcdefghijklmnopqrstuv%3D%3D",
        "/v2/meetings/%2Fbcdefghijklmnopqrstuvw%3D%3D",
        "/v2/meetings/%2Fbcdefghijklmnopqrs%3D%3D",
        "/v2/meetings/%2F..defghijklmnopqrstuv%3D%3D",
        "/v2/a%2Fb",
    ],
)
def test_all_else_is_no_uuid_with_slashes(path: str) -> None:
    assert with_whole_uuids(path) is None


@pytest.mark.parametrize(
    "path",
    [
        b"/oauth/token",
        b"//OAuth//%74oken/",
        b"/x/../oauth/./token;a=b",
        b"\\oauth\\token%20?x",
        b"/%25252foauth%23".replace(b"%23", b"/token%23"),
    ],
)
def test_all_at_once(path: bytes) -> None:
    assert leniently(path) == (b"oauth", b"token")
