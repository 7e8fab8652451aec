"""Lines of the usual kind are read as any head is; what is unusual is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer_lines import AnswerLines
from gateway.core.headers import Field, read_answer

LENGTH = b"Content-Length: 5"
USUAL = [
    b"Date: Mon, 24 Nov 2025 10:00:00 GMT",
    b"content-type:application/json",
    b"Content-Encoding: \t gzip \t",
    b"x-zm-trackingid: WEB_1",
    b"X-RateLimit-Category: Light",
    b"X-RateLimit-Remaining: 29",
    b"Retry-After: 1",
    b"Connection: Keep-Alive",
    b"Keep-Alive: timeout=5",
    b"Set-Cookie: a=b; Path=/",
    b"X-Request-Id: zoom's",
    b"Trailer: X",
    b"X-Empty:",
    b"X-Tab: a\tb",
    b"X-High: \xff",
    b"Vary: a",
    b"Vary: b: c",
    b"Access-Control-Allow-Origin: *",
    b"X-Long: " + b"a" * 1000,
    b"Server: " + b"b" * 1000,
]


def split(line: bytes) -> Field:
    name, _, value = line.partition(b":")
    return name, value.strip(b" \t")


def test_all_that_is_usual_is_read_as_any_head() -> None:
    reader = AnswerLines()
    for _ in range(2):
        fields = reader.read([*USUAL, LENGTH])
        assert fields == [split(line) for line in [*USUAL, LENGTH]]
        answer = read_answer(fields)
        assert answer == read_answer([*fields])
        assert answer.length == 5
        assert answer.content_type == b"application/json"
        assert answer.content_encoding == b"gzip"
        assert answer.tracking_id == b"WEB_1"
        assert b"Content-Encoding: gzip" in answer.lines


@given(st.lists(st.sampled_from([*USUAL, LENGTH, b"content-length: 5", b"X-Zm-TrackingId:"])))
def test_what_is_read_is_what_the_fields_say(lines: list[bytes]) -> None:
    fields = AnswerLines().read(lines)
    if fields is None:
        once = [b"content-length", b"content-type", b"content-encoding", b"x-zm-trackingid"]
        once += [b"x-ratelimit-category", b"x-ratelimit-remaining", b"retry-after"]
        counts = [[split(line)[0].lower() for line in lines].count(name) for name in once]
        assert counts[0] != 1 or max(counts) > 1
    else:
        assert fields == [split(line) for line in lines]
        assert read_answer(fields) == read_answer([*fields])


@pytest.mark.parametrize("name", [b"X-Made-Up", b"Set-Cookie", b"X-Zm-TrackingId", b"Server"])
@pytest.mark.parametrize("value", [b"a\0", b"a\rb", b"a\nb", b"\x7f", b"a\x1b[1m"])
def test_a_name_that_is_known_makes_no_value_right(name: bytes, value: bytes) -> None:
    reader = AnswerLines()
    for _ in range(2):
        assert reader.read([LENGTH, name + b": right"]) is not None
        assert reader.read([LENGTH, name + b": " + value]) is None
        fields = reader.read([LENGTH, name + b":  \tb\xff \t"])
        assert fields == [split(LENGTH), (name, b"b\xff")]
        assert read_answer(fields) == read_answer([*fields])


UNUSUAL = [
    b"",
    b" X: folded",
    b"X : a",
    b": a",
    b"X",
    b"X Y: a",
    b"X\xe4: a",
    b"X: a\0b",
    b"X: a\rb",
    b"X: a\nb",
    b"X: a\n",
    b"X: a\x7f",
    b"X: a\x1b[1m",
    b"Transfer-Encoding: chunked",
    b"transfer-encoding:",
    b"Upgrade: h2c",
    b"Proxy-Connection: close",
    b"Connection: close",
    b"Connection: keep-alive, X-Hop",
    b"Connection:",
    b"Content-Length: 5",
    b"Content-Type: a",
]


@pytest.mark.parametrize("line", UNUSUAL)
def test_what_is_unusual_is_left_alone_however_often_it_comes(line: bytes) -> None:
    reader = AnswerLines()
    usual = [LENGTH, b"Content-Type: a"]
    for _ in range(2):
        assert reader.read([*usual, line]) is None
        assert reader.read([line, *usual]) is None
        assert reader.read(usual) is not None


@pytest.mark.parametrize(
    "value", [b"", b"05", b"+5", b"-5", b"5, 5", b"5 5", b"0x5", b"\xb2", b"9" * 19, b"0" * 5000]
)
def test_a_length_that_is_not_plain_is_left_alone(value: bytes) -> None:
    assert AnswerLines().read([b"Content-Length: " + value]) is None


def test_without_a_length_a_head_is_left_alone() -> None:
    assert AnswerLines().read([b"Server: a"]) is None
    assert AnswerLines().read([]) is None


def kept(reader: AnswerLines) -> list[bytes]:
    """What it keeps of lines; of what is not common, it keeps names alone."""
    return [*reader._known, *reader._names]


def test_what_may_be_a_secret_is_never_kept() -> None:
    reader = AnswerLines()
    canary = b"canary" * 4
    names = [b"Set-Cookie", b"Set-Cookie2", b"Location", b"X-Made-Up", b"WWW-Authenticate", b"Link"]
    assert reader.read([LENGTH, *[name + b": " + canary for name in names]]) is not None
    assert kept(reader) == [LENGTH, *names]
    assert canary not in repr([reader._known, reader._names]).encode()


def test_what_is_kept_has_bounds() -> None:
    reader = AnswerLines()
    for number in range(2000):
        made_up = [b"X-%d: 1" % number, b"X-%d" % number + b"x" * 64 + b": 1"]
        lines = [LENGTH, b"Date: %d" % number, b"Server: %d" % number + b"x" * 300, *made_up]
        fields = reader.read(lines)
        assert fields == [split(line) for line in lines]
    assert 0 < len(reader._known) <= 512
    assert 0 < len(reader._names) <= 512
    assert max(map(len, reader._known)) <= 256
    assert max(map(len, reader._names)) <= 64
