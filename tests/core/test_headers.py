import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import CallRefusedError, UpstreamBrokenError
from gateway.core.headers import (
    CHUNKED,
    AnswerHeaders,
    Field,
    KnownFields,
    authorized,
    dropping,
    for_upstream,
    framing,
    may_vary,
    read_answer,
    read_caller,
)
from gateway.core.repeated import Repeated, Varied

HOST = b"api.zoom.us"


def outgoing(*fields: Field, frame: Field | None = None) -> list[Field]:
    return authorized(for_upstream(read_caller(fields), HOST, frame), "secret")


def names(fields: list[Field]) -> list[bytes]:
    return [name.lower() for name, _ in fields]


def test_fields_are_copied_in_order_with_their_bytes_and_ours_come_last() -> None:
    copied = [
        (b"User-Agent", b"zoomus/1.0"),
        (b"x-A", b"1"),
        (b"ACCEPT-encoding", b"gzip, compress, deflate, br"),
        (b"X-a", b"\xe4 2"),
        (b"X-Request-Id", b"abc"),
    ]
    assert outgoing(*copied, frame=(b"Content-Length", b"007")) == [
        *copied,
        (b"Host", HOST),
        (b"Content-Length", b"007"),
        (b"Authorization", b"Bearer secret"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        b"Connection",
        b"Keep-Alive",
        b"Proxy-Connection",
        b"Proxy-Authenticate",
        b"Proxy-Authorization",
        b"TE",
        b"Trailer",
        b"Transfer-Encoding",
        b"Upgrade",
        b"Expect",
        b"Host",
        b"Authorization",
        b"Content-Length",
        b"Cookie",
        b"Forwarded",
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Forwarded-Anything",
        b"X-Real-IP",
        b"X-Zoom-Account",
        b"HTTP2-Settings",
        b"traceparent",
        b"tracestate",
        b"baggage",
    ],
)
def test_what_is_not_zooms_business_is_dropped_in_any_case(name: bytes) -> None:
    for spelled in (name, name.lower(), name.upper()):
        sent = outgoing((spelled, b"theirs"), (b"X-Kept", b"1"), (spelled, b"theirs"))
        assert b"theirs" not in [value for _, value in sent]
        assert (b"X-Kept", b"1") in sent


def test_connection_names_more_to_drop_but_cannot_strip_ours() -> None:
    sent = outgoing(
        (b"X-Secret", b"1"),
        (b"Accept", b"*/*"),
        (b"connection", b"close, x-secret"),
        (b"Connection", b"\tAuthorization ,HOST, content-length,, transfer-encoding"),
        (b"X-secret", b"2"),
        frame=(b"Content-Length", b"5"),
    )
    assert sent == [
        (b"Accept", b"*/*"),
        (b"Host", HOST),
        (b"Content-Length", b"5"),
        (b"Authorization", b"Bearer secret"),
    ]


def test_the_dropped_ones_can_still_be_asked_for() -> None:
    read = read_caller([(b"HOST", b"a"), (b"x-request-id", b"1"), (b"X-Request-ID", b"2")])
    assert read.values(b"host") == [b"a"]
    assert read.values(b"x-request-id") == [b"1", b"2"]
    assert read.values(b"authorization") == ()


@pytest.mark.parametrize(
    "field",
    [
        (b"X", b"a\r\nAuthorization: evil"),
        (b"X", b"a\nb"),
        (b"X", b"a\rb"),
        (b"X", b"a\0b"),
        (b"X\r\nY", b"a"),
        (b"X Y", b"a"),
        (b"X:", b"a"),
        (b"X\xe4", b"a"),
    ],
)
def test_no_field_can_smuggle_another(field: Field) -> None:
    with pytest.raises(CallRefusedError) as refused:
        read_caller([(b"A", b"b"), field])
    assert (refused.value.status, refused.value.close) == (400, True)
    with pytest.raises(UpstreamBrokenError):
        read_answer([(b"A", b"b"), field])


def test_a_token_cannot_end_its_field_nor_show_itself() -> None:
    with pytest.raises(ValueError, match="line break") as refused:
        authorized([], "canary\r\nX: y")
    assert "canary" not in str(refused.value)


def frame_of(*fields: Field, http11: bool = True) -> Field | None:
    return framing(read_caller(fields), http11=http11)


def test_the_framing_is_the_callers() -> None:
    assert frame_of() is None
    assert frame_of((b"content-length", b"007")) == (b"Content-Length", b"7")
    assert frame_of((b"content-length", b"0"), http11=False) == (b"Content-Length", b"0")
    assert frame_of((b"transfer-encoding", b" Chunked ")) == CHUNKED
    assert frame_of((b"Content-Length", b"%d" % (2**63 - 1))) is not None


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (400, [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")]),
        (400, [(b"Content-Length", b"5"), (b"Content-Length", b"5")]),
        (400, [(b"Content-Length", b"5, 5")]),
        (400, [(b"Content-Length", b"")]),
        (400, [(b"Content-Length", b"-1")]),
        (400, [(b"Content-Length", b"1_0")]),
        (400, [(b"Content-Length", b"18446744073709551615")]),
        (400, [(b"Content-Length", b"0" * 5000 + b"5")]),
        (501, [(b"Transfer-Encoding", b"gzip, chunked")]),
        (501, [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")]),
        (501, [(b"Transfer-Encoding", b"")]),
    ],
)
def test_doubtful_framing_is_refused_and_the_connection_closed(
    status: int, fields: list[Field]
) -> None:
    with pytest.raises(CallRefusedError) as refused:
        frame_of(*fields)
    assert (refused.value.status, refused.value.close) == (status, True)


def test_http_1_0_has_no_chunks() -> None:
    with pytest.raises(CallRefusedError, match="in doubt"):
        frame_of((b"Transfer-Encoding", b"chunked"), http11=False)


def test_an_answer_goes_on_in_order_with_doubles_and_bytes() -> None:
    raw = [
        (b"Date", b"Mon"),
        (b"content-LENGTH", b"5"),
        (b"Server", b"cloudflare"),
        (b"X-A", b"1"),
        (b"Content-Encoding", b"gzip"),
        (b"x-a", b"\xff"),
        (b"Vary", b"a"),
        (b"Vary", b"b"),
        (b"x-zm-trackingid", b"WEB_1"),
        (b"Content-Type", b"application/json"),
    ]
    answer = read_answer(raw)
    assert answer.kept == raw
    assert answer.length == 5
    assert answer.content_type == b"application/json"
    assert answer.content_encoding == b"gzip"
    assert answer.tracking_id == b"WEB_1"


def test_the_hop_cookies_and_what_only_we_say_are_dropped() -> None:
    answer = read_answer(
        [
            (b"Set-Cookie", b"zm_aid=1"),
            (b"SET-COOKIE2", b"x"),
            (b"Connection", b"keep-alive, X-Hop"),
            (b"Keep-Alive", b"timeout=5"),
            (b"X-Hop", b"1"),
            (b"Trailer", b"x"),
            (b"Upgrade", b"h2"),
            (b"Proxy-Authenticate", b"x"),
            (b"X-Request-Id", b"zoom's"),
            (b"X-Zoom-Gateway-Error", b"forged"),
            (b"X-Kept", b"1"),
        ]
    )
    assert answer.kept == [(b"X-Kept", b"1")]
    assert answer.length is None


def test_connection_cannot_strip_the_length() -> None:
    answer = read_answer([(b"Content-Length", b"005"), (b"Connection", b"Content-Length")])
    assert answer.kept == [(b"Content-Length", b"5")]
    assert answer.length == 5


def test_chunks_beat_a_length() -> None:
    answer = read_answer([(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")])
    assert answer.kept == []
    assert answer.length is None


def test_a_length_said_twice_is_said_once() -> None:
    answer = read_answer([(b"Content-Length", b"5"), (b"content-length", b"5")])
    assert answer.kept == [(b"Content-Length", b"5")]
    assert answer.length == 5


@pytest.mark.parametrize("values", [[b"5", b"6"], [b"five"], [b""], [b"5, 5"]])
def test_a_length_that_is_none_breaks_the_answer(values: list[bytes]) -> None:
    with pytest.raises(UpstreamBrokenError, match="one number"):
        read_answer([(b"Content-Length", value) for value in values])


def test_encodings_in_several_fields_are_one_list() -> None:
    answer = read_answer([(b"Content-Encoding", b"gzip"), (b"content-encoding", b"br")])
    assert answer.content_encoding == b"gzip,br"


TOKEN = st.text("abcXYZ-!#$%&'*+.^_`|~09", min_size=1, max_size=12).map(str.encode)
VALUE = st.binary(max_size=20).filter(lambda value: not set(value) & set(b"\0\r\n"))


@given(st.lists(st.tuples(TOKEN, VALUE), max_size=8))
def test_exactly_one_of_each_of_ours_whatever_comes(fields: list[Field]) -> None:
    hostile = [(b"Connection", name) for name, _ in fields] + [(b"authorization", b"x")]
    sent = outgoing(*fields, *hostile, frame=CHUNKED)
    assert names(sent).count(b"authorization") == 1
    assert names(sent).count(b"host") == 1
    assert names(sent).count(b"transfer-encoding") == 1
    assert sent[-1] == (b"Authorization", b"Bearer secret")


def test_all_fields_together_have_a_limit() -> None:
    fields = [(b"X", b"a" * 99)] * 10
    assert read_caller(fields, 1000).kept == fields
    with pytest.raises(CallRefusedError) as error:
        read_caller(fields, 999)
    assert (error.value.status, error.value.close) == (431, True)


def test_fields_that_show_keys_are_dropped_and_read() -> None:
    raw = [(b"X-Team", b"key"), (b"X-Zoom-Gateway-Key", b"old"), (b"Accept", b"*/*")]
    caller = read_caller(raw, dropped=dropping(b"X-TEAM"))
    assert caller.kept == [(b"Accept", b"*/*")]
    assert caller.values(b"x-team") == [b"key"]
    assert read_caller(raw).kept == [(b"X-Team", b"key"), (b"Accept", b"*/*")]
    assert read_caller(raw, dropped=dropping(b"x-new", b"X-Team")).kept == [(b"Accept", b"*/*")]


def test_names_that_are_made_up_change_nothing() -> None:
    """What becomes of a name is remembered, but not for ever, and never for what is no name."""
    fates = dropping(b"X-Team")
    made_up = [(b"X-%d" % number, b"1") for number in range(3000)]
    long = (b"X-" + b"a" * 100, b"1")
    usual = [(b"HOST", b"h"), (b"x-Forwarded-New", b"1"), (b"X-Request-Id", b"r")]
    for _ in range(2):
        caller = read_caller([*made_up, long, *usual], dropped=fates)
        assert caller.kept == [*made_up, long, usual[2]]
        assert caller.special == {b"host": [b"h"], b"x-request-id": [b"r"]}
        with pytest.raises(CallRefusedError):
            read_caller([(b"X Y", b"1")], dropped=fates)
    assert 0 < len(fates) <= 1024
    assert long[0] not in fates
    assert b"X Y" not in fates


@pytest.mark.parametrize("said", [[b"Close"], [b"keep-alive"], [b"close", b" Keep-Alive, close"]])
def test_a_connection_field_that_names_no_field_takes_none_along(said: list[bytes]) -> None:
    fields = [(b"Accept", b"*/*"), (b"Content-Length", b"5")]
    raw = [*fields, *((b"Connection", value) for value in said)]
    assert read_caller(raw).kept == fields[:1]
    assert read_answer(raw).kept == fields


def test_a_bad_name_behind_what_is_said_twice() -> None:
    length = (b"Content-Length", b"5")
    with pytest.raises(UpstreamBrokenError):
        read_answer([length, length, (b"bad name", b"x")])


def test_fields_that_many_calls_share_are_signed_once_for_each_token() -> None:
    shared = Repeated([(b"Accept", b"*/*"), (b"Host", HOST)])
    first = authorized(shared, "one")
    assert first == [*shared, (b"Authorization", b"Bearer one")]
    assert authorized(shared, "one") is first
    assert authorized(shared, "two") == [*shared, (b"Authorization", b"Bearer two")]
    assert authorized(shared, "one") == first
    assert len(shared) == 2


def test_fields_with_values_of_their_own_are_signed_with_those_they_share() -> None:
    shared = Repeated([(b"X-Request-Id", b"1"), (b"Host", HOST)], ((0, 0),))
    for token in ("one", "one", "two"):
        varied = authorized(shared.varied([b"2"]), token)
        assert varied == [
            (b"X-Request-Id", b"2"),
            (b"Host", HOST),
            (b"Authorization", b"Bearer " + token.encode()),
        ]
        assert type(varied) is Varied
        assert varied.base is authorized(shared, token)


@pytest.mark.parametrize(
    ("name", "may"),
    [
        (b"x-request-id", True),
        (b"traceparent", True),
        (b"x-correlation-id", True),
        (b"if-none-match", True),
        (b"connection", False),
        (b"te", False),
        (b"content-length", False),
        (b"content-type", False),
        (b"host", False),
        (b"authorization", False),
        (b"cookie", False),
        (b"origin", False),
        (b"sec-fetch-site", False),
        (b"sec-websocket-key1", False),
        (b"x-forwarded-for", False),
        (b"x-zoom-account", False),
        (b"x-zoom-gateway-key", False),
    ],
)
def test_which_values_say_nothing_to_the_gateway(name: bytes, may: bool) -> None:  # noqa: FBT001
    assert may_vary(name) is may


def test_shared_fields_show_nothing() -> None:
    assert repr(authorized(Repeated([]), "canary")) == "<1 fields>"


def test_a_token_that_ends_its_field_is_refused_for_shared_fields_too() -> None:
    shared = Repeated([])
    for _ in range(2):
        with pytest.raises(ValueError, match="line break"):
            authorized(shared, "canary\r\nX: y")


def test_fields_that_were_read_already_are_not_read_again() -> None:
    fields = KnownFields([(b"Connection", b"close")])
    fields.read = AnswerHeaders([b"A: b: c"], 5, b"a/b", b"gzip", b"WEB_1")
    assert read_answer(fields) is fields.read
    assert fields.read.kept == [(b"A", b"b: c")]
