"""An answer that is read at once is what the parser makes of it, and what is malformed is neither.

The reader asks the parser where an answer's first byte comes alone; so each answer is read in one
piece and in two, and both must agree.
"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.errors import UpstreamBrokenError
from gateway.core.headers import AnswerHeaders, KnownFields, read_answer
from gateway.zoom.upstream.reader import AnswerReader
from gateway.zoom.upstream.whole import read_whole
from tests.zoom.corpus import ANSWERS, Answer

ZOOM = (
    b"HTTP/1.1 200 OK\r\n"
    b"Date: Mon, 24 Nov 2025 10:00:00 GMT\r\n"
    b"Content-Type: application/json;charset=UTF-8\r\n"
    b"Content-Length: 12\r\n"
    b"Connection: keep-alive\r\n"
    b"x-zm-trackingid: v=2.0;clid=us02;rid=WEB_0123456789abcdef\r\n"
    b"Set-Cookie: zm_aid=; Max-Age=0; Path=/; Secure; HttpOnly\r\n"
    b"Set-Cookie: cred=0123456789ABCDEF; Path=/; Secure; HttpOnly\r\n"
    b"X-RateLimit-Remaining: 5893\r\n"
    b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    b"Server: cloudflare\r\n"
    b"CF-RAY: 0123456789abcdef-FRA\r\n"
    b'\r\n{"id":"me1"}'
)

Seen = tuple[object, ...] | str


def seen(*parts: bytes) -> Seen:
    """All that anybody can see of an answer that came in these pieces."""
    reader = AnswerReader()
    try:
        for part in parts:
            reader.feed(part)
    except UpstreamBrokenError as error:
        return str(error)
    said: AnswerHeaders | str
    try:
        said = read_answer(reader.headers)
    except UpstreamBrokenError as error:
        said = str(error)
    return (
        reader.status,
        reader.reason,
        [*reader.headers],
        said,
        reader.buffered,
        reader.take(),
        reader.keep_alive,
        reader.head_complete,
        reader.complete,
        reader.surplus,
        reader.overrun,
    )


def agreed(wire: bytes) -> None:
    expected = seen(wire[:1], wire[1:])
    # Twice: what was remembered of the first must not make the second another.
    assert seen(wire) == expected
    assert seen(wire) == expected


def test_the_usual_answers_are_read_at_once() -> None:
    for status in (b"200 OK", b"201 Created", b"404 Not Found", b"429 Too Many Requests"):
        wire = ZOOM.replace(b"200 OK", status)
        reader = AnswerReader()
        reader.feed(wire)
        assert type(reader.headers) is KnownFields
        assert (reader.complete, reader.keep_alive) == (True, True)
        agreed(wire)
    agreed(ZOOM.replace(b": ", b":"))


def test_an_answer_to_head_is_never_read_at_once() -> None:
    reader = AnswerReader()
    reader.begin(head_only=True)
    reader.feed(ZOOM)
    assert type(reader.headers) is list
    assert not reader.chunks


def test_one_connection_has_both_kinds_of_answers() -> None:
    reader = AnswerReader()
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    for wire, body in [(ZOOM, ZOOM[-12:]), (chunked, b"hi"), (ZOOM, ZOOM[-12:])] * 2:
        reader.begin(head_only=False)
        reader.feed(wire)
        assert (reader.take(), reader.complete, reader.surplus) == (body, True, False)
    reader.feed(b"x")
    assert reader.overrun


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case.name)
def test_right_and_wrong_answers_are_what_the_parser_says(case: Answer) -> None:
    agreed(case.wire)


START = st.sampled_from(
    [
        *[b"HTTP/1.1 %d OK" % status for status in (99, 100, 101, 103, 200, 204, 304, 404, 600)],
        *[b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 200  OK", b"HTTP/1.1 200 OK "],
        *[b"HTTP/1.1 200 N\xf6", b"HTTP/1.0 200 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1  200 OK"],
        *[b"HTTP/1.1 503 Service Unavailable", b"http/1.1 200 OK", b"HTTP/2 200 OK"],
    ]
)
NAME = st.sampled_from(
    b"Content-Length content-length Connection Transfer-Encoding Upgrade Proxy-Connection Server "
    b"Content-Type Set-Cookie X-A x-zm-trackingid Date Trailer".split()
)
VALUE = st.one_of(
    st.sampled_from(
        [b"0", b"5", b"05", b"5, 5", b"", b"chunked", b"close", b"keep-alive", b"Upgrade", b"x-a"]
    ),
    st.binary(max_size=6),
)
BETWEEN = st.sampled_from([b": ", b":", b": \t", b" : ", b""])
BEHIND = st.sampled_from([b"", b"", b"", b" ", b"\t", b"\r", b"\n", b"\0"])
LINE = st.tuples(NAME, BETWEEN, VALUE, BEHIND).map(b"".join)
END = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n "])


@given(START, st.lists(LINE, max_size=5), st.integers(0, 5), END, st.sampled_from([0, 0, 0, 1, -1]))
def test_any_answer_is_what_the_parser_says(
    start: bytes, lines: list[bytes], at: int, end: bytes, more: int
) -> None:
    framed = [*lines[:at], b"Content-Length: 5", *lines[at:]]
    for head in (lines, framed):
        agreed(end.join([start, *head]) + b"\r\n\r\n" + b"hello!"[: 5 + more])


@given(
    st.integers(0, len(ZOOM)), st.integers(0, 3), st.sampled_from([*b"\r\n \t:,0\0a\x7f\x80", None])
)
@example(at=len(ZOOM), gone=0, put=0x61)
def test_an_answer_in_which_something_is_wrong(at: int, gone: int, put: int | None) -> None:
    agreed(ZOOM[:at] + (b"" if put is None else bytes([put])) + ZOOM[at + gone :])


def test_what_is_remembered_of_first_lines_has_bounds() -> None:
    for number in range(200):
        words = b"".join([b"ab"[bit : bit + 1] for bit in map(int, f"{number:b}")])
        wire = b"HTTP/1.1 200 O%b\r\nContent-Length: 0\r\n\r\n" % words
        whole = read_whole(wire)
        assert whole is not None
        assert whole[1] == "O" + words.decode()
    assert seen(b"HTTP/1.1 200 " + b"a" * 100 + b"\r\nContent-Length: 0\r\n\r\n")[1] == "a" * 100
