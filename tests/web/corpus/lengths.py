"""Which field says where the body ends."""

from typing import Final

from tests.web.corpus.case import CHUNKED, HOST, POST, SMUGGLED, Case, first, passed, refused

_LENGTH: Final = "RFC 9112 6.3: an invalid Content-Length is an unrecoverable error"
_BOTH: Final = "RFC 9112 6.1: Transfer-Encoding beside Content-Length"
_CODING: Final = "RFC 9112 6.1: chunked is the last coding, once, or the body's end is in doubt"
_HIDDEN: Final = b"0\r\n\r\n" + SMUGGLED


def _sized(value: bytes, body: bytes = b"hello") -> bytes:
    return POST + b"Content-Length: %b\r\n\r\n" % value + body


def _coded(field: bytes, body: bytes = _HIDDEN) -> bytes:
    """A coding that one reader sees and another does not, with a length for the other."""
    return POST + b"Content-Length: %d\r\n%b\r\n\r\n" % (len(body), field) + body


def _only_coded(field: bytes) -> bytes:
    return POST + field + b"\r\n\r\n" + _HIDDEN


def _bodiless(method: bytes, body: bytes) -> bytes:
    return (
        b"%b /v2/first HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (method, HOST, len(body)) + body
    )


CASES: Final[tuple[Case, ...]] = (
    refused("CL.TE", _coded(b"Transfer-Encoding: chunked"), 400, _BOTH),
    refused(
        "TE.CL",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n" + SMUGGLED,
        400,
        _BOTH,
    ),
    refused(
        "CL.0",
        POST + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" + _HIDDEN,
        400,
        _BOTH,
    ),
    refused("TE.TE xchunked", _only_coded(b"Transfer-Encoding: xchunked"), 400, _CODING),
    refused("TE.TE chunkedx", _only_coded(b"Transfer-Encoding: chunkedx"), 400, _CODING),
    refused("TE.TE quoted", _only_coded(b'Transfer-Encoding: "chunked"'), 400, _CODING),
    refused("TE.TE parameter", _only_coded(b"Transfer-Encoding: chunked;q=1"), 400, _CODING),
    refused("TE.TE trailing comma", _only_coded(b"Transfer-Encoding: chunked,"), 400, _CODING),
    refused("TE.TE leading comma", _only_coded(b"Transfer-Encoding: ,chunked"), 501, _CODING),
    refused(
        "TE.TE chunked, identity",
        _only_coded(b"Transfer-Encoding: chunked, identity"),
        400,
        _CODING,
    ),
    refused(
        "TE.TE identity, chunked",
        _only_coded(b"Transfer-Encoding: identity, chunked"),
        501,
        _CODING,
    ),
    refused("TE.TE identity", _only_coded(b"Transfer-Encoding: identity"), 400, _CODING),
    refused("TE.TE gzip, chunked", _only_coded(b"Transfer-Encoding: gzip, chunked"), 501, _CODING),
    refused(
        "TE.TE chunked, chunked", _only_coded(b"Transfer-Encoding: chunked, chunked"), 400, _CODING
    ),
    refused(
        "TE.TE two fields",
        _only_coded(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        400,
        _CODING,
    ),
    refused(
        "TE.TE a second field that differs",
        _only_coded(b"Transfer-Encoding: chunked\r\nTransfer-encoding: x"),
        400,
        _CODING,
    ),
    refused(
        "TE.TE a first field that differs",
        _only_coded(b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked"),
        400,
        _CODING,
    ),
    refused("TE.TE empty", _coded(b"Transfer-Encoding:"), 400, _BOTH),
    refused(
        "TE.TE empty, alone", _only_coded(b"Transfer-Encoding: "), frozenset({400, 501}), _CODING
    ),
    refused(
        "TE.TE blank before colon", _coded(b"Transfer-Encoding : chunked"), 400, "RFC 9112 5.1"
    ),
    refused("TE.TE tab before colon", _coded(b"Transfer-Encoding\t: chunked"), 400, "RFC 9112 5.1"),
    refused("TE.TE blank before name", _coded(b" Transfer-Encoding: chunked"), 400, "RFC 9112 5.2"),
    refused("TE.TE folded", _coded(b"Transfer-Encoding:\r\n chunked"), 400, "RFC 9112 5.2"),
    refused(
        "TE.TE folded tail",
        _coded(b"Transfer-Encoding: chunked\r\n , identity"),
        400,
        "RFC 9112 5.2",
    ),
    refused(
        "TE.TE folded into another",
        _coded(b"X: a\r\n Transfer-Encoding: chunked"),
        400,
        "RFC 9112 5.2",
    ),
    refused("TE.TE vertical tab", _coded(b"Transfer-Encoding: \x0bchunked"), 400, "RFC 9110 5.5"),
    refused("TE.TE form feed", _coded(b"Transfer-Encoding: \x0cchunked"), 400, "RFC 9110 5.5"),
    refused("TE.TE NUL", _coded(b"Transfer-Encoding: chunked\0"), 400, "RFC 9110 5.5"),
    refused("TE.TE NUL in the name", _coded(b"Transfer-Encoding\0: chunked"), 400, "RFC 9110 5.1"),
    refused(
        "TE.TE after a bare CR", _coded(b"X: a\rTransfer-Encoding: chunked"), 400, "RFC 9112 2.2"
    ),
    refused(
        "TE.TE after a bare LF", _coded(b"X: a\nTransfer-Encoding: chunked"), 400, "RFC 9112 2.2"
    ),
    refused("TE.TE high byte", _only_coded(b"Transfer-Encoding: chunked\xa0"), 400, _CODING),
    refused(
        "TE.TE Kelvin sign", _only_coded("Transfer-Encoding: chun\u212aed".encode()), 400, _CODING
    ),
    refused("TE under 1.0", CHUNKED.replace(b"1.1", b"1.0") + _HIDDEN, 400, _BOTH),
    refused(
        "TE under 1.0 with keep-alive",
        CHUNKED.replace(b"1.1", b"1.0").replace(b"\r\nT", b"\r\nConnection: keep-alive\r\nT")
        + _HIDDEN,
        400,
        _BOTH,
    ),
    passed(
        "TE in capitals",
        _only_coded(b"TRANSFER-ENCODING: CHUNKED")[: -len(SMUGGLED)],
        "RFC 9110 5.1",
        first(b""),
    ),
    passed(
        "TE with blanks around",
        POST + b"Transfer-Encoding:\t  chunked  \r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "RFC 9110 5.5",
        first(b"hello"),
    ),
    refused("TE with a tab behind", _only_coded(b"Transfer-Encoding: chunked\t"), 400, "unusual"),
    passed(
        "TE with an underscore is another field",
        _coded(b"Transfer_Encoding: chunked"),
        "a CGI reads it as Transfer-Encoding; the length counts",
        first(_HIDDEN),
    ),
    passed(
        "a field that begins like TE",
        _coded(b"Transfer-Encoding-X: chunked"),
        "prefix of a name",
        first(_HIDDEN),
    ),
    refused(
        "two lengths", POST + b"Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello", 400, _LENGTH
    ),
    refused(
        "same length twice",
        POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        400,
        _LENGTH,
    ),
    refused(
        "length twice in other case",
        POST + b"Content-Length: 5\r\ncontent-LENGTH: 0\r\n\r\nhello",
        400,
        _LENGTH,
    ),
    refused("list of lengths", _sized(b"5, 5"), 400, _LENGTH),
    refused("list of lengths that differ", _sized(b"5, 0"), 400, _LENGTH),
    refused("length with comma", _sized(b"5,"), 400, _LENGTH),
    refused("negative length", _sized(b"-5"), 400, _LENGTH),
    refused("length -0", _sized(b"-0"), 400, _LENGTH),
    refused("length with plus", _sized(b"+5"), 400, _LENGTH),
    refused("hex length", _sized(b"0x5"), 400, _LENGTH),
    refused("length with underscore", _sized(b"0_5"), 400, _LENGTH),
    refused("length with fraction", _sized(b"5.0"), 400, _LENGTH),
    refused("length with exponent", _sized(b"5e0"), 400, _LENGTH),
    refused("length with blank within", _sized(b"5 0"), 400, _LENGTH),
    refused("length with letters", _sized(b"5a"), 400, _LENGTH),
    refused("quoted length", _sized(b'"5"'), 400, _LENGTH),
    refused("no length", _sized(b""), 400, _LENGTH),
    refused("length of blanks", _sized(b"   "), 400, _LENGTH),
    refused("folded length", _sized(b"5\r\n 0"), 400, "RFC 9112 5.2"),
    refused("length in Arabic digits", _sized("\u0665".encode()), 400, _LENGTH),
    refused("superscript length", _sized(b"\xb2"), 400, _LENGTH),
    refused("vertical tab before length", _sized(b"\x0b5"), 400, "RFC 9110 5.5"),
    refused("NUL behind length", _sized(b"5\0"), 400, "RFC 9110 5.5"),
    refused("length of 2^63", _sized(b"9223372036854775808"), 400, _LENGTH),
    refused("length of 2^64 - 1", _sized(b"18446744073709551615"), 400, _LENGTH),
    refused("length of 2^64 + 5 wraps", _sized(b"18446744073709551621"), 400, _LENGTH),
    refused("length of 5,000 digits", _sized(b"9" * 5000), 400, _LENGTH),
    refused(
        "length behind 5,000 zeros",
        _sized(b"0" * 5000 + b"5"),
        400,
        "longer than any number is written",
    ),
    refused(
        "blank before the colon", POST + b"Content-Length : 5\r\n\r\nhello", 400, "RFC 9112 5.1"
    ),
    passed(
        "length with leading zeros",
        _sized(b"0005"),
        "octal for some: written anew",
        first(b"hello"),
    ),
    passed("length with blanks around", _sized(b" \t5 \t"), "RFC 9110 5.5", first(b"hello")),
    passed(
        "length with underscore is another field",
        POST + b"Content_Length: 99\r\nContent-Length: 5\r\n\r\nhello",
        "a CGI reads it as Content-Length",
        first(b"hello"),
    ),
    passed("no framing, no body", POST + b"\r\n", "RFC 9112 6.3: the length is zero", first(b"")),
    passed("length 0", POST + b"Content-Length: 0\r\n\r\n", "RFC 9112 6.3", first(b"")),
    passed(
        "a body that is a call",
        _sized(b"%d" % len(SMUGGLED), SMUGGLED),
        "the body is the body",
        first(SMUGGLED),
    ),
    passed(
        "GET with a body that is a call",
        _bodiless(b"GET", SMUGGLED),
        "GET bodies: some readers skip them",
        first(SMUGGLED, b"GET"),
    ),
    passed(
        "HEAD with a body that is a call",
        _bodiless(b"HEAD", SMUGGLED),
        "the same",
        first(SMUGGLED, b"HEAD"),
    ),
    passed(
        "DELETE with a body that is a call",
        _bodiless(b"DELETE", SMUGGLED),
        "the same",
        first(SMUGGLED, b"DELETE"),
    ),
    passed(
        "OPTIONS with a body that is a call",
        _bodiless(b"OPTIONS", SMUGGLED),
        "the same",
        first(SMUGGLED, b"OPTIONS"),
    ),
    passed(
        "GET with chunks that are a call",
        b"GET /v2/first HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
        "the same",
        first(SMUGGLED, b"GET"),
    ),
    Case(
        "body shorter than its length",
        _sized(b"50"),
        "the call never ends",
        (),
        ends=True,
        partial=True,
        eof=True,
    ),
    passed(
        "body longer than its length",
        _sized(b"5") + SMUGGLED,
        "what follows the body is a call of its own",
        first(b"hello"),
        (b"GET", b"/v2/smuggled", b""),
    ),
    passed(
        "length under 1.0",
        _sized(b"5").replace(b"1.1", b"1.0"),
        "RFC 9112 9.3: closed without keep-alive",
        first(b"hello"),
        last=True,
    ),
)
