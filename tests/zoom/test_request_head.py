"""What goes out is what was given, or nothing does."""

import pytest

from gateway.core.repeated import Repeated
from gateway.ports import UpstreamRequest
from gateway.zoom.upstream.head import CHUNKED, encode_head
from tests.zoom.peer import chunks_of

HOST = (b"Host", b"api.zoom.us")


def test_bytes_go_out_in_order_and_unchanged() -> None:
    target = b"/v2/meetings/%252Fa%3D%3d//past?next_page_token=&x=?"
    headers = ((b"hOST", b"api.zoom.us"), (b"X-A", b"\xe9 b"), (b"X-Empty", b""), (b"X-A", b"2"))
    head, length = encode_head(UpstreamRequest("PATCH", target, headers))
    assert head == (
        b"PATCH " + target + b" HTTP/1.1\r\n"
        b"hOST: api.zoom.us\r\nX-A: \xe9 b\r\nX-Empty: \r\nX-A: 2\r\n\r\n"
    )
    assert length == 0


def test_fields_that_go_out_again_are_the_same_bytes() -> None:
    fields = [HOST, (b"Accept", b"*/*"), (b"Content-Length", b"0")]
    shared = Repeated(fields)
    for target in (b"/a", b"/b?c=d", b"/a"):
        expected = encode_head(UpstreamRequest("GET", target, fields))
        assert encode_head(UpstreamRequest("GET", target, shared)) == expected
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        encode_head(UpstreamRequest("GET", b"/a\r\nX:y", shared))
    with pytest.raises(ValueError, match="empty"):
        encode_head(UpstreamRequest("GET", b"/a b", shared))
    with pytest.raises(ValueError, match=r"needs Content-Length"):
        encode_head(UpstreamRequest("POST", b"/a", Repeated([HOST]), chunks_of()))


def test_fields_with_values_of_their_own_go_out_as_they_are() -> None:
    shared = Repeated([HOST, (b"X-A", b"0"), (b"X-B", b"")], ((1, 0), (2, 1)))
    for call in (b"1", b"2"):
        varied = shared.varied([call, b"b" + call])
        expected = encode_head(UpstreamRequest("GET", b"/a", [*varied]))
        assert encode_head(UpstreamRequest("GET", b"/a", varied)) == expected
        with pytest.raises(ValueError, match=r"needs Content-Length"):
            encode_head(UpstreamRequest("POST", b"/a", varied, chunks_of()))
    for bad in (b"\r", b"\n", b"\0", b"1\r\nX: y"):
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            encode_head(UpstreamRequest("GET", b"/a", shared.varied([b"1", bad])))


def test_framing_is_no_value_of_a_call_of_its_own() -> None:
    shared = Repeated([HOST, (b"Content-Length", b"0")], ((1, 0),))
    for _ in range(2):
        with pytest.raises(ValueError, match="framing"):
            encode_head(UpstreamRequest("GET", b"/a", shared.varied([b"5"])))


@pytest.mark.parametrize("name", [b"X-Name", b"Content-Length"])
def test_shared_fields_that_are_wrong_are_refused_each_time(name: bytes) -> None:
    shared = Repeated([HOST, (name, b"1\r\nX: y")])
    for _ in range(2):
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            encode_head(UpstreamRequest("GET", b"/a", shared))


@pytest.mark.parametrize("bad", [b"\r", b"\n", b"\0", b"\r\nX:y"])
@pytest.mark.parametrize("where", ["name", "value", "target"])
def test_what_would_end_a_line_early_is_refused(bad: bytes, where: str) -> None:
    name, value, target = b"X-Name", b"secret-value", b"/v2"
    name += bad if where == "name" else b""
    value += bad if where == "value" else b""
    target += bad if where == "target" else b""
    with pytest.raises(ValueError, match=r"CR, LF or NUL") as caught:
        encode_head(UpstreamRequest("GET", target, (HOST, (name, value))))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", b""), ("GET", b"/a b"), ("", b"/"), ("GET /x", b"/"), ("Ä", b"/")],
)
def test_a_request_line_that_is_none_is_refused(method: str, target: bytes) -> None:
    with pytest.raises(ValueError, match=r"empty|ascii"):
        encode_head(UpstreamRequest(method, target, (HOST,)))


@pytest.mark.parametrize(
    ("framing", "length"),
    [
        ([(b"Content-Length", b"12")], 12),
        ([(b"CONTENT-LENGTH", b" 12 ")], 12),
        ([(b"content-length", b"0")], 0),
        ([(b"Transfer-Encoding", b"Chunked")], CHUNKED),
    ],
)
def test_the_framing_of_a_body(framing: list[tuple[bytes, bytes]], length: int) -> None:
    request = UpstreamRequest("POST", b"/", (HOST, *framing), chunks_of())
    assert encode_head(request)[1] == length


@pytest.mark.parametrize(
    "framing",
    [
        [],
        [(b"Content-Length", b"-1")],
        [(b"Content-Length", b"1_0")],
        [(b"Content-Length", b"")],
        [(b"Content-Length", b"1"), (b"content-length", b"1")],
        [(b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"gzip, chunked")],
    ],
)
def test_a_body_whose_framing_is_in_doubt_is_refused(framing: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ValueError, match=r"Content-Length|Transfer-Encoding|framing"):
        encode_head(UpstreamRequest("POST", b"/", (HOST, *framing), chunks_of()))


@pytest.mark.parametrize("framing", [(b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")])
def test_a_framing_without_a_body_is_refused(framing: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match=r"Content-Length|Transfer-Encoding"):
        encode_head(UpstreamRequest("POST", b"/", (HOST, framing)))


def test_no_body_may_say_so() -> None:
    assert encode_head(UpstreamRequest("POST", b"/", ((b"Content-Length", b"0"),)))[1] == 0
