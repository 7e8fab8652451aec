import gzip
import json
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.verdict import (
    BODY_LIMIT,
    Verdict,
    classify,
    classify_head,
    decode_body,
    message_of,
    needs_body,
)

REFUSED, ACCEPTED, UNKNOWN = Verdict.REFUSED, Verdict.ACCEPTED, Verdict.UNKNOWN
JSON = b"application/json;charset=UTF-8"
HTML = b"text/html"


def said(code: object, message: object = "") -> bytes:
    return json.dumps({"code": code, "message": message}).encode()


SCOPES = "Invalid access token, does not contain scopes:[user:read:admin]."

# zoom-facts, section 2: the refusals, and what is none.
DOCUMENTED = [
    (401, JSON, said(124, "Invalid access token."), REFUSED),
    (401, JSON, said(124, "Access token is expired."), Verdict.EXPIRED),
    (400, JSON, said(124, "Access token is expired."), Verdict.EXPIRED),
    (400, JSON, said(124, "Invalid access token."), REFUSED),
    *((401, JSON, said(code, "Invalid token"), REFUSED) for code in (100, 106, 300, 401, 1002)),
    *((401, JSON, said(code, "Invalid token"), REFUSED) for code in (1500, 7010, 30031002)),
    (401, JSON, said(30031004, "Invalid or expired token"), REFUSED),
    (401, JSON, said(201, "Invalid access token."), REFUSED),
    (401, JSON, said(201, SCOPES), ACCEPTED),
    (401, JSON, said(4711, SCOPES.upper()), ACCEPTED),
    (401, JSON, b'{"message": "%b"}' % SCOPES.encode(), UNKNOWN),
    (400, JSON, said(4711, SCOPES), ACCEPTED),
    (400, JSON, said(4700, SCOPES), ACCEPTED),
    (400, JSON, said(104, SCOPES), ACCEPTED),
    (400, JSON, said(200, "Does not contain permissions"), ACCEPTED),
    (400, JSON, said(300, "Validation Failed."), ACCEPTED),
    (400, JSON, said(2300, "This API endpoint is not recognized."), UNKNOWN),
]


@pytest.mark.parametrize(("status", "kind", "body", "verdict"), DOCUMENTED)
def test_documented_answers(status: int, kind: bytes, body: bytes, verdict: Verdict) -> None:
    assert classify(status, body if needs_body(status, "GET", kind) else b"") is verdict


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>401</html>",
        b"null",
        b"[124]",
        b"124",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 60_000,
        b'{"code": ' + b"1" * 5_000 + b"}",
        said(987654, "what is this"),
        said(None, None),
        said("124", ["does not contain scopes"]),
    ],
)
def test_every_other_401_is_a_refusal(body: bytes) -> None:
    assert classify(401, body) is REFUSED


@pytest.mark.parametrize("code", ["124", 124.0, True, None, [124], {"a": 124}])
def test_a_400_refuses_with_the_integer_alone(code: object) -> None:
    assert classify(400, said(code)) is UNKNOWN


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[1]", b'{"code":124', b"[" * 60_000])
def test_a_400_without_a_code_proves_nothing(body: bytes) -> None:
    assert classify(400, body) is UNKNOWN


def test_the_byte_order_mark_and_other_encodings_of_json_are_read() -> None:
    assert classify(400, b"\xef\xbb\xbf" + said(124)) is REFUSED
    assert classify(400, said(124).decode().encode("utf-16")) is REFUSED


@pytest.mark.parametrize("status", [200, 201, 204, 206, 299])
def test_2xx_is_accepted_whatever_it_says(status: int) -> None:
    assert classify(status) is ACCEPTED
    assert classify(status, said(124)) is ACCEPTED


@pytest.mark.parametrize("status", [402, 403, 404, 405, 409, 413, 422, 499])
def test_other_4xx_are_accepted_if_they_carry_a_code_of_zooms(status: int) -> None:
    assert classify(status, said(1001)) is ACCEPTED
    assert classify(status, said(124)) is ACCEPTED
    assert classify(status, said(2300)) is UNKNOWN
    assert classify(status, b'{"message": "no such path"}') is UNKNOWN
    assert classify(status, b"<html>") is UNKNOWN
    assert classify(status) is UNKNOWN


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 429, 500, 502, 503, 504, 520, 599])
def test_redirects_limits_and_faults_prove_nothing(status: int) -> None:
    assert classify(status, said(124)) is UNKNOWN


def test_the_body_is_needed_for_400_and_401_but_head_has_none() -> None:
    assert [s for s in range(200, 600) if needs_body(s, "GET", HTML)] == [400, 401]
    assert not any(needs_body(status, "HEAD", JSON) for status in range(200, 600))


@pytest.mark.parametrize("kind", [JSON, b" Application/JSON "])
def test_the_body_is_needed_for_other_4xx_if_it_is_json(kind: bytes) -> None:
    needed = [status for status in range(200, 600) if needs_body(status, "GET", kind)]
    assert needed == [status for status in range(400, 500) if status != 429]
    assert not needs_body(404, "GET", b"application/jsonp")
    assert not needs_body(404, "GET", b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("kind", [JSON, HTML])
def test_the_head_decides_unless_the_body_is_needed(method: str, kind: bytes) -> None:
    for status in range(200, 600):
        verdict = None if needs_body(status, method, kind) else classify(status)
        assert classify_head(status, method, kind) is verdict


def test_head_goes_by_the_status() -> None:
    assert classify(401) is REFUSED
    assert classify(400) is UNKNOWN


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


BODY = said(124, "Invalid access token.")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"", BODY),
        (b"identity", BODY),
        (b"gzip", gzip.compress(BODY, mtime=0)),
        (b" GZip ", gzip.compress(BODY, mtime=0)),
        (b"x-gzip", gzip.compress(BODY, mtime=0)),
        (b"deflate", zlib.compress(BODY)),
        (b"deflate", raw_deflate(BODY)),
        (b"deflate, gzip", gzip.compress(zlib.compress(BODY), mtime=0)),
        (b"gzip, identity", gzip.compress(BODY, mtime=0)),
        (b"gzip", gzip.compress(BODY[:9], mtime=0) + gzip.compress(BODY[9:], mtime=0)),
        (b"br", brotli.compress(BODY)),
        (b"zstd", zstandard.compress(BODY)),
    ],
)
def test_encodings_are_undone(coding: bytes, body: bytes) -> None:
    assert decode_body(coding, body) == BODY


@pytest.mark.parametrize("coding", [b"compress", b"aes128gcm", b"*"])
def test_an_unknown_encoding_gives_nothing(coding: bytes) -> None:
    assert decode_body(coding, gzip.compress(BODY)) == b""


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_what_is_not_in_its_encoding_gives_nothing(coding: bytes) -> None:
    assert decode_body(coding, BODY) == b""


def test_a_cut_body_gives_what_there_is() -> None:
    body = bytes(range(256)) * 16
    assert body.startswith(decode_body(b"gzip", gzip.compress(body)[:200]))


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"deflate, gzip", b"gzip, gzip"])
def test_a_bomb_stays_small(coding: bytes) -> None:
    bomb = b"\0" * (8 << 20)
    for name in coding.split(b", "):
        bomb = gzip.compress(bomb) if name == b"gzip" else zlib.compress(bomb)
    assert len(decode_body(coding, bomb)) <= BODY_LIMIT


@pytest.mark.parametrize(
    ("coding", "compress"), [(b"br", brotli.compress), (b"zstd", zstandard.compress)]
)
def test_a_bomb_of_another_kind_stays_small(
    coding: bytes, compress: Callable[[bytes], bytes]
) -> None:
    assert len(decode_body(coding, compress(b"\0" * (8 << 20)))) == BODY_LIMIT


def test_an_identity_body_is_cut_at_the_limit() -> None:
    assert len(decode_body(b"", b"x" * (BODY_LIMIT + 1))) == BODY_LIMIT


@given(st.integers(100, 999), st.binary(max_size=200))
def test_any_answer_gets_a_verdict(status: int, body: bytes) -> None:
    verdict = classify(status, body)
    assert (verdict is REFUSED) <= (status in {400, 401})
    if status == 401:
        assert verdict is not UNKNOWN or b"scopes" in body.lower()


@given(
    st.binary(max_size=300),
    st.sampled_from([b"gzip", b"deflate", b"br", b"zstd", b"", b"gzip,gzip"]),
)
def test_decoding_never_raises(body: bytes, coding: bytes) -> None:
    assert len(decode_body(coding, body)) <= BODY_LIMIT


def test_a_new_token_may_help_after_a_refusal_for_whatever_reason() -> None:
    assert {verdict for verdict in Verdict if verdict.refuses} == {
        Verdict.REFUSED,
        Verdict.EXPIRED,
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"code": 429, "message": "Slow down."}', "Slow down."),
        (b'{"code": 429, "message": 7}', ""),
        (b"[1]", ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_what_an_error_says_in_words(body: bytes, message: str) -> None:
    assert message_of(body) == message
