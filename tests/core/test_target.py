import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.errors import CallRefusedError
from gateway.core.target import (
    MAX_TARGET,
    Emulated,
    Target,
    chosen_account,
    plain_target,
    read_target,
    with_query,
)

HOST = b"gateway.test:8080"


def read(raw: bytes, host: bytes | None = HOST) -> Target:
    return read_target(raw, host)


def refused(raw: bytes, host: bytes | None = HOST) -> tuple[int, str]:
    with pytest.raises(CallRefusedError) as error:
        read_target(raw, host)
    return error.value.status, error.value.slug_


VISIBLE = [bytes([byte]) for byte in range(0x21, 0x7F) if byte != ord("#")]
PIECE = st.one_of(
    st.sampled_from(VISIBLE),
    st.integers(0, 255).map(lambda byte: b"%%%02X" % byte),
    st.integers(0, 255).map(lambda byte: b"%%%02x" % byte),
    st.sampled_from([b"//", b"%252F", b"%25252f", b"?", b"&", b"=", b";", b"@", b"+", b"%", b".."]),
)
TARGETS = st.lists(PIECE, max_size=60).map(lambda pieces: b"/v2/" + b"".join(pieces))


@given(TARGETS)
@example(b"/v2/past_meetings/%252Fa%252Fb%253D%253D")
@example(b"/v2/meetings/%2Fabc%3D%3D?occurrence_id=")
@example(b"/v2/meetings//abc==/recordings")
@example(b"/v2/users?")
@example(b"/v2/users?next_page_token=")
@example(b"/meetings/?page_size=30&")
@example(b"/v2/users/a+b@example.com;x=1/settings")
@example(b"/v2/" + b"a" * (MAX_TARGET - 4))
@example(b"/")
@example(b"/?")
def test_a_target_passes_byte_for_byte(raw: bytes) -> None:
    target = read(raw)
    assert target.upstream == raw
    assert target.path == raw.split(b"?")[0]
    assert (target.account, target.prefix, target.emulated) == (None, b"", None)


@given(TARGETS | st.text("/@oauthOAUTHkenv2.%", max_size=14).map(str.encode))
@example(b"/oauth/token")
@example(b"/OAUTH/token")
@example(b"/@eu/v2/users")
@example(b"/v2/users/bob@example.com")
@example(b"/" + b"a" * 9000)
def test_what_is_plain_is_read_as_any_other(path: bytes) -> None:
    plain = plain_target(path)
    if plain is not None:
        assert plain == read(path)


def test_most_paths_are_plain() -> None:
    assert plain_target(b"/v2/users/bob@example.com")
    assert plain_target(b"/v2/users/7/")
    for other in (
        b"/v2/a%20b",
        b"/@eu/v2",
        b"/v2/oauthorize",
        b"/a?b",
        b"",
        b"*",
        b"/" + b"a" * 8192,
    ):
        assert plain_target(other) is None


@given(TARGETS, st.sampled_from([b"/@eu", b"/%40eu"]))
def test_an_accounts_prefix_is_cut_off_and_nothing_else(raw: bytes, prefix: bytes) -> None:
    target = read(prefix + raw)
    assert (target.upstream, target.account, target.prefix) == (raw, "eu", prefix)


@pytest.mark.parametrize(
    ("raw", "upstream", "account"),
    [
        (b"/@eu", b"/", "eu"),
        (b"/@eu/", b"/", "eu"),
        (b"/@eu?a=b", b"/?a=b", "eu"),
        (b"/@/v2", b"/v2", ""),
        (b"/@e%75/v2", b"/v2", "e%75"),
        (b"/@eu//v2", b"//v2", "eu"),
        (b"/@eu/@us/v2", b"/@us/v2", "eu"),
    ],
)
def test_prefixes_at_their_edges(raw: bytes, upstream: bytes, account: str) -> None:
    target = read(raw)
    assert (target.upstream, target.account) == (upstream, account)


@pytest.mark.parametrize("raw", [b"/v2/@eu", b"/a@b/v2"])
def test_an_at_sign_elsewhere_is_no_prefix(raw: bytes) -> None:
    assert read(raw).account is None


@pytest.mark.parametrize("byte", [*range(0x21), ord("#"), *range(0x7F, 0x100)])
def test_bytes_that_no_target_holds(byte: int) -> None:
    assert refused(b"/a%bb" % bytes([byte])) == (400, "bad_target")


@pytest.mark.parametrize(
    "raw",
    [b"", b"*", b"v2/users", b"api.zoom.us:443", b"?a", b"@eu/v2", b"ftp://gateway.test:8080/"],
)
def test_only_the_origin_form_and_our_own_absolute_form(raw: bytes) -> None:
    assert refused(raw) == (400, "bad_target")


def test_a_target_may_be_8_kib() -> None:
    assert refused(b"/" + b"a" * MAX_TARGET) == (414, "target_too_long")


@pytest.mark.parametrize(
    ("raw", "host", "upstream"),
    [
        (b"http://gateway.test:8080/v2/%2f?x=", HOST, b"/v2/%2f?x="),
        (b"HTTP://GATEWAY.test:8080/v2", HOST, b"/v2"),
        (b"http://gateway.test:8080", HOST, b"/"),
        (b"http://gateway.test:8080?a", HOST, b"/?a"),
        (b"http://g:80/a", b"g", b"/a"),
        (b"http://g/a", b"g:80", b"/a"),
        (b"https://g:443//a", b"G", b"//a"),
        (b"http://[::1]:8080/a", b"[::1]:8080", b"/a"),
    ],
)
def test_the_absolute_form_of_our_own_host(raw: bytes, host: bytes, upstream: bytes) -> None:
    assert read(raw, host).upstream == upstream


def test_the_absolute_form_knows_accounts() -> None:
    target = read(b"http://gateway.test:8080/@eu/v2")
    assert (target.upstream, target.account, target.prefix) == (b"/v2", "eu", b"/@eu")


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        (b"http://evil.test/v2", HOST),
        (b"http://gateway.test/v2", HOST),
        (b"https://g:80/a", b"g"),
        (b"http://g/a", None),
    ],
)
def test_another_host_is_refused(raw: bytes, host: bytes | None) -> None:
    assert refused(raw, host) == (421, "other_host")


def test_credentials_in_the_authority_are_refused() -> None:
    assert refused(b"http://user@gateway.test:8080/v2") == (400, "bad_target")


@pytest.mark.parametrize(
    ("raw", "emulated"),
    [
        (b"/oauth/token", Emulated.TOKEN),
        (b"/oauth/token?grant_type=account_credentials", Emulated.TOKEN),
        (b"/@eu/oauth/token", Emulated.TOKEN),
        (b"http://gateway.test:8080/oauth/token", Emulated.TOKEN),
        (b"/oauth/revoke?token=x", Emulated.REVOKE),
    ],
)
def test_the_emulated_endpoints(raw: bytes, emulated: Emulated) -> None:
    assert read(raw).emulated is emulated


LENIENT = [
    b"/oauth/token/",
    b"//oauth/token",
    b"/oauth//token",
    b"/OAuth/Token",
    b"/%6fauth/token",
    b"/%6Fauth/token?x=y",
    b"/oauth%2Ftoken",
    b"/oauth%2ftoken%2f",
    b"/oauth%252Ftoken",
    b"/%25256fauth/token",
    b"/%2525256fauth/token",
    b"/./oauth/token",
    b"/oauth/./token",
    b"/v2/../oauth/token",
    b"/v2/%2e%2e/oauth/token",
    b"/../oauth/token",
    b"/oauth/x/../token",
    b"/oauth;a=b/token",
    b"/oauth/token;jsessionid=1",
    b"/oauth/token%20",
    b"/oauth/token%00",
    b"/oauth/token%3Fgrant_type=x",
    b"/oauth/token%23x",
    b"/oauth\\token",
    b"/oauth%5Ctoken",
    b"/oauth/revoke/",
    b"/@eu//oauth/token",
    b"/%40eu/oauth/%74oken",
    b"/oauth%c0%aftoken",
    b"/oauth%u002ftoken",
    b"/oauth%ef%bc%8ftoken",
    b"/%EF%BD%8Fauth/token",
    b"/%C2%ADoauth/token",
    b"/oauth/token.json",
    b"/oauth/tok%0aen",
    b"/oauth/token%00x",
    b"//elsewhere/oauth/token",
    b"/oauth/revoke.json",
    b"/oauth/token" + b"%00x" * 300,
]


@pytest.mark.parametrize(
    "raw",
    [b"/oauth/authorize", b"/v2/a%C3%A4b", b"/v2/oauth/token%2fx", b"/v2/meetings/%2B%2Foauth"],
)
def test_what_only_resembles_them_does(raw: bytes) -> None:
    assert read_target(raw, b"h").upstream == raw


@pytest.mark.parametrize("raw", LENIENT)
def test_no_other_spelling_of_them_reaches_zoom(raw: bytes) -> None:
    assert refused(raw) == (404, "oauth_not_forwarded")


@pytest.mark.parametrize(
    "raw",
    [
        b"/oauth",
        b"/oauth/authorize",
        b"/oauth/tokens",
        b"/oauth/token/x",
        b"/v2/oauth/token",
        b"/v2/users/oauth%2Ftoken",
        b"/xoauth/token",
        b"/v2/x?u=/oauth/token",
    ],
)
def test_what_only_resembles_them_is_forwarded(raw: bytes) -> None:
    assert read(raw).upstream == raw


@given(st.text("oauthken/%25f6.;", max_size=30).map(lambda text: b"/" + text.encode()))
def test_nothing_that_is_forwarded_decodes_to_them(raw: bytes) -> None:
    try:
        target = read(raw)
    except CallRefusedError:
        return
    assert target.emulated or raw.lower().rstrip(b"/") not in {b"/oauth/token", b"/oauth/revoke"}


def choose(raw: bytes, names: list[bytes], authorizations: list[bytes]) -> str | None:
    return chosen_account(read(raw), names, authorizations)


@pytest.mark.parametrize(
    ("raw", "names", "authorizations", "account"),
    [
        (b"/v2", [], [], None),
        (b"/@eu/v2", [], [], "eu"),
        (b"/v2", [b"eu"], [], "eu"),
        (b"/v2", [b""], [], ""),
        (b"/v2", [], [b"Bearer zoom-gateway.eu"], "eu"),
        (b"/v2", [], [b"bearer  zoom-gateway.a.b"], "a.b"),
        (b"/v2", [], [b"Bearer zoom-gateway"], None),
        (b"/v2", [], [b"Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"], None),
        (b"/v2", [], [b"Basic em9vbS1nYXRld2F5LmV1"], None),
        (b"/v2", [], [b"Bearer None", b"Bearer zoom-gateway.eu"], "eu"),
        (b"/@eu/v2", [b"eu", b"eu"], [b"Bearer zoom-gateway.eu"], "eu"),
        (b"/@eu/v2", [], [b"Bearer zoom-gateway"], "eu"),
    ],
)
def test_the_account_that_a_call_names(
    raw: bytes, names: list[bytes], authorizations: list[bytes], account: str | None
) -> None:
    assert choose(raw, names, authorizations) == account


@pytest.mark.parametrize(
    ("raw", "names", "authorizations"),
    [
        (b"/@eu/v2", [b"us"], []),
        (b"/v2", [b"eu", b"us"], []),
        (b"/@eu/v2", [], [b"Bearer zoom-gateway.us"]),
        (b"/v2", [b"eu"], [b"Bearer zoom-gateway.us"]),
        (b"/v2", [], [b"Bearer zoom-gateway.eu", b"Bearer zoom-gateway.us"]),
    ],
)
def test_names_that_disagree(raw: bytes, names: list[bytes], authorizations: list[bytes]) -> None:
    with pytest.raises(CallRefusedError) as error:
        choose(raw, names, authorizations)
    assert (error.value.status, error.value.slug_) == (400, "account_conflict")


@pytest.mark.parametrize(
    "raw",
    [
        *(b"//@two/v2/users", b"/./@two/v2", b"/%2540two/v2", b"/%2e/@two", b"/%2F@two"),
        *(b"/x/..//@two/v2", b"/x/%2e%2E/@two/v2", b"/;x/@two/v2", b"/%09@two/v2", b"/%00/@two"),
    ],
)
def test_an_account_named_in_another_spelling_is_not_sent_on(raw: bytes) -> None:
    assert refused(raw) == (404, "unknown_account")


@pytest.mark.parametrize("raw", [b"/v2/@me", b"/v2//@me/x", b"/%2E%2Ev2/a@b", b"/.@x.d/v2"])
def test_an_at_sign_elsewhere_is_none_of_our_business(raw: bytes) -> None:
    assert read(raw).upstream == raw


@pytest.mark.parametrize(
    "raw", [b"/v2/users/jo@example.com", b"/v2/users/jo%40example.com", b"/a@"]
)
def test_an_at_sign_elsewhere_names_no_account(raw: bytes) -> None:
    assert read_target(raw, b"gateway").upstream == raw


@pytest.mark.parametrize(
    "path", [b"/v2/users", b"/@sales/v2/users", b"/%40sales", b"/", b"/@sales"]
)
@pytest.mark.parametrize("query", [b"?", b"?a=1", b"?a?b=%2F", b"?/@other"])
def test_a_query_behind_a_path_that_was_read(path: bytes, query: bytes) -> None:
    assert with_query(read(path), query) == read(path + query)


@pytest.mark.parametrize("query", [b"?a b", b"?#", b"?\xff", b"?\0"])
def test_a_query_that_no_target_holds(query: bytes) -> None:
    assert with_query(read(b"/v2/users"), query) is None
    assert refused(b"/v2/users" + query) == (400, "bad_target")


def test_a_query_that_makes_a_target_too_long() -> None:
    path = b"/@sales/v2"
    longest = b"?" + b"a" * (MAX_TARGET - len(path) - 1)
    assert with_query(read(path), longest) == read(path + longest)
    assert with_query(read(path), longest + b"a") is None
