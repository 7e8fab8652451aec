"""What is asked for, and at which host."""

from typing import Final

from tests.web.corpus.case import HOST, SMUGGLED, Case, declined, first, get, passed, refused

_HOST: Final = "RFC 9112 3.2: one valid Host"
_FORM: Final = "RFC 9112 3.2.2: the absolute form"
_TARGET: Final = "RFC 9112 3.2: visible ASCII"


def _hosted(host: bytes, target: bytes = b"/v2/first", version: bytes = b"1.1") -> bytes:
    return b"GET %b HTTP/%b\r\n%b\r\n" % (target, version, host)


def _bad_host(name: str, value: bytes) -> Case:
    return declined(name, _hosted(b"Host: %b\r\n" % value), 403, _HOST)


def _good_host(name: str, value: bytes) -> Case:
    return passed(name, _hosted(b"Host: %b\r\n" % value), _HOST, first(b"", b"GET"))


_HOSTS: Final = (
    refused("no Host", _hosted(b""), 400, _HOST),
    refused("two Hosts", _hosted(HOST + b"Host: evil\r\n"), 400, _HOST),
    refused("same Host twice", _hosted(HOST + HOST), 400, _HOST),
    refused("two Hosts in another case", _hosted(HOST + b"hOST: evil\r\n"), 400, _HOST),
    refused("two Hosts under 1.0", _hosted(HOST + b"Host: evil\r\n", version=b"1.0"), 400, _HOST),
    refused(
        "a Host with a blank before its name",
        _hosted(b" Host: evil\r\n" + HOST),
        400,
        "RFC 9112 5.2",
    ),
    refused(
        "a Host with a blank before the colon",
        _hosted(b"Host : evil\r\n" + HOST),
        400,
        "RFC 9112 5.1",
    ),
    _bad_host("Host with a blank", b"g evil"),
    _bad_host("Host with a comma", b"g, evil"),
    _bad_host("Host with a path", b"g/v2/evil"),
    _bad_host("Host with a backslash", b"g\\evil"),
    _bad_host("Host with a query", b"g?evil"),
    _bad_host("Host with a fragment", b"g#evil"),
    _bad_host("Host with userinfo", b"user@g"),
    _bad_host("Host with a scheme", b"http://g"),
    _bad_host("Host with a quote", b'g"evil'),
    _bad_host("Host with markup", b"<script>"),
    _bad_host("Host with a high byte", b"g\xe4"),
    refused("Host with a NUL", _hosted(b"Host: g\0evil\r\n"), 400, _HOST),
    refused("Host with a bare CR", _hosted(b"Host: g\rX: y\r\n"), 400, _HOST),
    _bad_host("Host with letters as port", b"g:evil"),
    _bad_host("Host with two ports", b"g:80:81"),
    _bad_host("Host with a negative port", b"g:-1"),
    _bad_host("Host with port and userinfo", b"g:80@evil"),
    _bad_host("Host with half a bracket", b"[::1"),
    _bad_host("Host with something behind the bracket", b"[::1]evil"),
    _good_host("Host with a port", b"g:8080"),
    _good_host("Host with an empty port", b"g:"),
    _good_host("Host of IPv6", b"[::1]:8080"),
    _good_host("Host that is empty", b""),
    _good_host("Host with an underscore", b"my_service.internal"),
    _bad_host("Host with percent signs", b"a%20b"),
)

_FORMS: Final = (
    passed("absolute form", get(b"http://g/v2/first"), _FORM, first(b"", b"GET")),
    passed(
        "absolute form, other case and port",
        get(b"HTTP://G:80/v2/first"),
        _FORM,
        first(b"", b"GET"),
    ),
    declined("absolute form of another host", get(b"http://evil/v2/first"), 421, _FORM),
    declined("absolute form with another port", get(b"http://g:81/v2/first"), 421, _FORM),
    declined("absolute form with userinfo", get(b"http://g@evil/v2/first"), 400, _FORM),
    declined(
        "absolute form with userinfo that is the host", get(b"http://evil@g/v2/first"), 400, _FORM
    ),
    declined("absolute form of another scheme", get(b"ftp://g/v2/first"), 400, _FORM),
    refused("absolute form of a file", get(b"file:///etc/passwd"), 400, _FORM),
    refused("absolute form without a host", get(b"http:///v2/first"), 400, _FORM),
    refused("absolute form without slashes", get(b"http:g/v2/first"), 400, _FORM),
    Case(
        "absolute form without Host, under 1.0",
        _hosted(b"", b"http://g/v2/first", b"1.0"),
        _FORM,
        (421,),
        ends=True,
        last=True,
    ),
    refused("authority form", get(b"g:443"), 400, "RFC 9112 3.2.3: for CONNECT alone"),
    refused("no slash", get(b"v2/first"), 400, _TARGET),
    declined("asterisk", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400, "RFC 9112 3.2.4"),
    refused("asterisk with GET", get(b"*"), 400, "RFC 9112 3.2.4"),
    declined("fragment", get(b"/v2/first#x"), 400, _TARGET),
    refused("blank in the target", get(b"/v2/fir st") + SMUGGLED, 400, _TARGET),
    passed(
        "a second call in percent signs",
        get(b"/v2/first%20HTTP/1.1%0d%0aHost:%20g%0d%0a%0d%0aGET%20/v2/smuggled"),
        "nothing is decoded on the way",
        (b"GET", b"/v2/first%20HTTP/1.1%0d%0aHost:%20g%0d%0a%0d%0aGET%20/v2/smuggled", b""),
    ),
    passed(
        "CRLF in percent signs",
        get(b"/v2/a%0d%0aX:%20y"),
        "the same",
        (b"GET", b"/v2/a%0d%0aX:%20y", b""),
    ),
    passed(
        "CRLF in percent signs twice",
        get(b"/v2/a%250d%250aX"),
        "the same",
        (b"GET", b"/v2/a%250d%250aX", b""),
    ),
    passed("NUL in percent signs", get(b"/v2/a%00b"), "the same", (b"GET", b"/v2/a%00b", b"")),
    passed(
        "dots", get(b"/v2/../first/./x"), "nothing is resolved", (b"GET", b"/v2/../first/./x", b"")
    ),
    passed(
        "two slashes", get(b"//evil/v2/first"), "no authority", (b"GET", b"//evil/v2/first", b"")
    ),
    refused("CRLF in overlong UTF-8", get(b"/v2/a\xc0\x8d\xc0\x8ab"), 400, _TARGET),
    refused("UTF-8", get("/v2/\xe4".encode()), 400, _TARGET),
    refused("latin-1", get(b"/v2/\xe4"), 400, _TARGET),
    refused("wide characters", get("/v2/\u560d\u560a".encode()), 400, _TARGET),
    refused("control character", get(b"/v2/\x01"), 400, _TARGET),
    refused("DEL", get(b"/v2/\x7f"), 400, _TARGET),
    declined("a byte too long", get(b"/" + b"a" * 8192), 414, "limit"),
    refused("100 KB", get(b"/" + b"a" * 100_000), 414, "limit"),
    declined(
        "an account with CRLF in percent signs", get(b"/@a%0d%0ab/v2/first"), 404, "no such account"
    ),
    declined("the token endpoint, spelled otherwise", get(b"/oauth%2ftoken"), 404, "never at Zoom"),
)

_METHODS: Final = (
    declined("TRACE", b"TRACE /v2/first HTTP/1.1\r\n" + HOST + b"\r\n", 405, "RFC 9110 9.3.8"),
    refused("CONNECT", b"CONNECT g:443 HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED, 405, "no tunnel"),
    refused(
        "CONNECT with a length",
        b"CONNECT g:443 HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello" + SMUGGLED,
        405,
        "no tunnel",
    ),
    refused(
        "CONNECT to a path",
        b"CONNECT /v2/first HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
        405,
        "RFC 9112 3.2.3",
    ),
    refused("CONNECT under 1.0", b"CONNECT g:443 HTTP/1.0\r\n\r\n" + SMUGGLED, 405, "no tunnel"),
)

CASES: Final[tuple[Case, ...]] = (*_HOSTS, *_FORMS, *_METHODS)
