"""An answer is taken apart the same way however its bytes arrive, and never looks whole if cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import UpstreamBrokenError
from gateway.zoom.upstream.reader import HEAD_LIMIT, AnswerReader

SIZED = b"HTTP/1.1 200 OK\r\nX-a: b\r\nContent-Length: 5 \r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: t\r\n\r\n"
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
UNTIL_END = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"
WHOLE = {"sized": SIZED, "chunked": CHUNKED, "after interim heads": INTERIM + SIZED}


def read(*parts: bytes, head_only: bool = False) -> AnswerReader:
    reader = AnswerReader()
    reader.begin(head_only=head_only)
    for part in parts:
        reader.feed(part)
    return reader


@given(st.data())
@pytest.mark.parametrize("wire", WHOLE.values(), ids=WHOLE)
def test_any_split_gives_the_same_answer(wire: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(wire) - 1))))
    edges = [0, *cuts, len(wire)]
    reader = AnswerReader()
    for start, stop in pairwise(edges):
        assert not reader.complete
        reader.feed(wire[start:stop])
    assert (reader.status, reader.complete, reader.keep_alive) == (200, True, True)
    assert reader.take() == b"hello"
    assert not reader.surplus


@pytest.mark.parametrize("wire", [*WHOLE.values(), UNTIL_END[:-5]], ids=[*WHOLE, "no length"])
def test_an_answer_that_is_cut_anywhere_is_broken(wire: bytes) -> None:
    for stop in range(len(wire)):
        reader = read(wire[:stop])
        with pytest.raises(UpstreamBrokenError):
            reader.end()
        assert not reader.complete


def test_heads_keep_bytes_order_and_case() -> None:
    reader = read(
        b"HTTP/1.1 201 Cr\xe9\xe9\r\nx-B: \t1 \t\r\nX-b: 2\r\nSet-Cookie: a=b; c\r\nX-E:\r\n"
        b"X-L: \xff\r\nContent-Length: 0\r\n\r\n"
    )
    assert (reader.status, reader.reason) == (201, "Créé")
    assert reader.headers == [
        (b"x-B", b"1"),
        (b"X-b", b"2"),
        (b"Set-Cookie", b"a=b; c"),
        (b"X-E", b""),
        (b"X-L", b"\xff"),
        (b"Content-Length", b"0"),
    ]


def test_interim_heads_leave_no_trace() -> None:
    reader = read(INTERIM + SIZED)
    assert reader.reason == "OK"
    assert reader.headers == [(b"X-a", b"b"), (b"Content-Length", b"5")]


def test_trailers_are_dropped() -> None:
    assert read(CHUNKED).headers == [(b"Transfer-Encoding", b"chunked")]


def test_without_a_length_the_end_of_the_connection_is_the_end() -> None:
    reader = read(UNTIL_END)
    before = reader.complete
    reader.end()
    assert (before, reader.complete, reader.keep_alive) == (False, True, False)
    assert reader.take() == b"hello"


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", True),
    ],
)
def test_keep_alive(head: bytes, keep_alive: bool) -> None:  # noqa: FBT001
    assert read(head).keep_alive is keep_alive


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_answers_that_have_no_body(head: bytes) -> None:
    reader = read(head)
    assert reader.complete
    assert reader.keep_alive
    reader.feed(b"hello")
    assert reader.surplus
    assert not reader.overrun


@pytest.mark.parametrize(
    "framing", [b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"]
)
@pytest.mark.parametrize("stray", [b"", b"hello", b"5", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n"])
def test_an_answer_to_head_has_no_body(framing: bytes, stray: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n"
    whole = read(head + stray, head_only=True)
    assert whole.complete
    assert whole.surplus is bool(stray)
    assert not whole.chunks
    split = read(head[:-3], head[-3:], head_only=True)
    assert split.complete
    assert not split.surplus
    if stray:
        split.feed(stray)
        assert split.surplus
    split.begin(head_only=False)
    split.feed(SIZED)
    assert split.take() == b"hello"


@pytest.mark.parametrize("stray", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("wire", [SIZED, CHUNKED, SIZED.replace(b"X-a: b", b"Connection: close")])
def test_nothing_is_taken_for_a_second_answer(wire: bytes, stray: bytes) -> None:
    at_once = read(wire + stray)
    later = read(wire, stray)
    for reader in (at_once, later):
        assert reader.complete
        assert reader.overrun
        assert reader.status == 200
        assert reader.take() == b"hello"
        assert len(reader.headers) <= 2


BROKEN = {
    "no HTTP": b"SSH-2.0-OpenSSH_9\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "status 99": b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "upgrade": b"HTTP/1.1 101 Hi\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "both framings": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "both, turned": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "length list": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
    "length +5": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
    "gzip, chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "chunked, identity": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
    "chunked twice": b"HTTP/1.1 200 OK\r\n" + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n",
    "folded header": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
    "space before colon": b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
    "NUL in a header": b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nX\r\n\r\n",
    "chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "chunk longer than said": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    "interim head with body": b"HTTP/1.1 199 X\r\nContent-Length: 1\r\n\r\nx",
}


@pytest.mark.parametrize("wire", BROKEN.values(), ids=BROKEN)
def test_what_is_no_answer(wire: bytes) -> None:
    with pytest.raises(UpstreamBrokenError, match="not HTTP"):
        read(wire)


ENDLESS = {
    "one header": (b"HTTP/1.1 200 OK\r\nX: ", b"a" * 1000),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: a\r\n" * 100),
    "reason": (b"HTTP/1.1 200 ", b"O" * 1000),
    "interim heads": (b"", b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" * 100),
    "trailers": (CHUNKED[: CHUNKED.index(b"Trailer")], b"T: a\r\n" * 100),
    "chunk extension": (CHUNKED[: CHUNKED.index(b"x=y")], b"x" * 1000),
}


@pytest.mark.parametrize(("start", "more"), ENDLESS.values(), ids=ENDLESS)
def test_what_is_no_body_has_an_end(start: bytes, more: bytes) -> None:
    reader = AnswerReader()
    if start:
        reader.feed(start)
    for _ in range(HEAD_LIMIT // len(more) - 1):
        reader.feed(more)
    with pytest.raises(UpstreamBrokenError):
        reader.feed(more * 3)


def test_a_head_of_the_limit_passes_and_a_larger_one_in_one_piece_does_not() -> None:
    frame = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: %b\r\n\r\nok"
    assert read(frame % (b"a" * (HEAD_LIMIT - 100))).take() == b"ok"
    with pytest.raises(UpstreamBrokenError):
        read(frame % (b"a" * HEAD_LIMIT))


def test_spaces_and_interim_heads_count_as_heads() -> None:
    half = b"X: %b\r\n" % (b"a" * (HEAD_LIMIT // 2))
    early = b"HTTP/1.1 103 Early Hints\r\n" + half + b"\r\n"
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    assert read(early + final + b"\r\nok").take() == b"ok"
    with pytest.raises(UpstreamBrokenError):
        read(early + final + half + b"\r\nok")
    with pytest.raises(UpstreamBrokenError):
        read(final + b"X: a" + b" " * HEAD_LIMIT + b"\r\n\r\nok")


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9"])
def test_only_http_1_is_read_behind_an_interim_head_too(version: bytes) -> None:
    final = version + b" 200 OK\r\nContent-Length: 2\r\n\r\nok"
    for start in (b"", b"HTTP/1.1 100 Continue\r\n\r\n"):
        with pytest.raises(UpstreamBrokenError):
            read(start + final)


def test_a_large_body_is_no_large_head() -> None:
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (3 * HEAD_LIMIT)
    assert len(read(wire + b"x" * 3 * HEAD_LIMIT).take()) == 3 * HEAD_LIMIT


def test_a_reader_that_was_freed_reads_on_from_the_next_beginning() -> None:
    reader = read(SIZED)
    reader.free()
    reader.feed(b"x")
    assert reader.surplus
