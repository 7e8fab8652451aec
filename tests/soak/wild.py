"""What Hypothesis makes of the pieces that readers of HTTP stumble over."""

import re
import zlib
from typing import Final

from hypothesis import strategies as st

_UNSOUND: Final = re.compile(rb"[^\x20-\x7e\t\x80-\xff]")

Field = tuple[bytes, bytes]


def _joined(*pieces: bytes, most: int = 12) -> st.SearchStrategy[bytes]:
    """Pieces in any order; of half of them, none that no call may hold."""
    sound = [piece for piece in pieces if not _UNSOUND.search(piece)]
    wild = st.sampled_from(pieces) | st.binary(max_size=3)
    return st.lists(st.sampled_from(sound), max_size=most).map(b"".join) | st.lists(
        wild, max_size=most
    ).map(b"".join)


_target_pieces: Final = (
    *(
        b"/",
        b"//",
        b"\\",
        b"/v2",
        b"/users/me",
        b"/oauth",
        b"/token",
        b"/revoke",
        b"oauth",
        b"token",
    ),
    *(
        b"/@eu",
        b"/%40eu",
        b"@",
        b"%40",
        b"%2540",
        b"%2f",
        b"%2F",
        b"%252f",
        b"%5c",
        b"%25",
        b"%",
        b"%00",
    ),
    *(
        b".",
        b"..",
        b"/./",
        b"/../",
        b";",
        b";a=b",
        b"?",
        b"?a=b",
        b"&",
        b"#",
        b" ",
        b"\t",
        b"\r\n",
        b"\0",
    ),
    *(
        b"http://",
        b"https://",
        b"HTTP://",
        b"g",
        b":80",
        b":443",
        b"user@",
        b"OAUTH",
        b"Token",
        b"%6fauth",
    ),
    *(b"\xff", b"\xc3\xa4", b"*", b"[::1]", b"a" * 4100),
)

targets: Final = _joined(*_target_pieces) | st.lists(
    st.sampled_from([one for one in _target_pieces if re.fullmatch(rb"[!-\x22$-~]{1,99}", one)]),
    max_size=12,
).map(lambda pieces: b"/" + b"".join(pieces))
"""Many of them with nothing that no target may hold."""

_slashes = st.sampled_from(
    [b"/", b"//", b"\\", b"%2f", b"%252F", b"/./", b"/x/../", b"/;a/", b"%5c"]
)

spellings: Final = st.tuples(
    _slashes | st.just(b"/"),
    st.sampled_from([b"oauth", b"OAuth", b"%6fauth", b"oaut%2568", b"oauth;x", b"oauth%20"]),
    _slashes,
    st.sampled_from([b"token", b"revoke", b"Token", b"%74oken", b"token%00", b"token;a=b", b"tok"]),
    st.sampled_from([b"", b"/", b"?a=b", b"%3Fa", b"%23", b"/.", b"/.."]),
).map(b"".join)
"""Of the token endpoint, which answers here and never at Zoom."""

_steps = st.sampled_from(
    [
        *(b"v2", b"V2", b"%76%32", b"users", b"Users", b"u%73ers", b"%2575sers", b"users;x", b"us"),
        *(
            b"me",
            b"summary",
            b"a.b@c",
            b"assistants",
            b"%61",
            b"%2e%2e",
            b"..",
            b".",
            b"%00",
            b"x%",
        ),
        *(
            b"\xe4",
            b"%c0%af",
            b"%u002f",
            b"+",
            b"%20",
            b"users%3fa",
            b"users%23",
            b"abc%2Fdef==",
            b"",
        ),
    ]
)

_of_a_user = st.tuples(
    _slashes | st.just(b"/"),
    st.sampled_from([b"v2", b"v2", b"V2", b"%76%32", b"v2;a"]),
    _slashes | st.just(b"/"),
    st.sampled_from(
        [b"users", b"users", b"Users", b"u%73ers", b"%2575sers", b"users;x", b"users."]
    ),
    _slashes | st.just(b"/"),
    st.sampled_from([b"me", b"me", b"ME", b"a.b@c", b"%6de", b"summary", b"x/..", b"%00me"]),
    st.sampled_from([b"", b"", b"/", b"/.", b"/x/..", b"%3Fa", b"%23", b"/assistants/a", b"/x"]),
).map(b"".join)

paths: Final = (
    _of_a_user
    | st.lists(st.tuples(st.just(b"/") | _slashes, _steps), max_size=6).map(
        lambda pairs: b"/" + b"".join(map(b"".join, pairs))
    )
    | targets.map(lambda target: target.partition(b"?")[0])
    | st.binary(max_size=200).map(lambda rest: b"/" + rest)
    | st.tuples(_slashes | _steps, st.integers(1, 4000)).map(lambda pair: b"/" + pair[0] * pair[1])
)
"""As rules have to judge them, many of them of Zoom's users."""

hosts: Final = st.none() | st.sampled_from([b"g", b"G:80", b"g:443", b"", b"\xff", b"user@g"])

_names = st.sampled_from(
    [
        *(b"Host", b"Authorization", b"authorization", b"Connection", b"Content-Length"),
        *(b"Transfer-Encoding", b"transfer-encoding", b"TE", b"Trailer", b"Upgrade", b"Expect"),
        *(b"Cookie", b"Set-Cookie", b"Forwarded", b"X-Forwarded-For", b"X-FORWARDED-x"),
        *(b"X-Real-IP", b"X-Zoom-Account", b"X-Request-Id", b"traceparent", b"tracestate"),
        *(b"baggage", b"X-A", b"x-a", b"Content-Type", b"Content-Encoding", b"Keep-Alive"),
        *(b"Proxy-Authorization", b"HTTP2-Settings", b"X-Zoom-Gateway-Error", b"x-zm-trackingid"),
    ]
)

_no_names = st.sampled_from([b"", b"X A", b"X:", b"X\r\n", b"\xff"]) | st.binary(max_size=6)

_values = _joined(
    *(b"chunked", b"gzip", b", ", b",", b";", b" ", b"\t", b"close", b"keep-alive", b"upgrade"),
    *(
        b"authorization",
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"x-a",
        b"5",
        b"0",
        b"-1",
    ),
    *(
        b"+5",
        b"0x5",
        b"9" * 19,
        b"9" * 30,
        b"Bearer ",
        b"zoom-gateway",
        b".eu",
        b"eu",
        b"100-continue",
    ),
    *(b"\r\n", b"\r", b"\n", b"\0", b"\xe4", b"Authorization: Bearer evil", b"a" * 9000),
    *(
        b"00-",
        b"4bf92f3577b34da6a3ce929d0e0e4736",
        b"-00f067aa0ba902b7",
        b"-01",
        b"k=v",
        b"=",
        b"@",
    ),
    most=6,
)

_lengths = st.integers(0, 10**20).map(lambda size: b"%d" % size)

_framings = st.tuples(st.just(b"Content-Length"), _lengths) | st.just(
    (b"Transfer-Encoding", b"chunked")
)

fields: Final = st.lists(st.tuples(_names, _values) | _framings, max_size=8) | st.lists(
    st.tuples(_names | _no_names, _values), max_size=8
)

values: Final = st.lists(_values, max_size=3)

methods: Final = st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]
)

_words = st.sampled_from(
    ["code", "message", "error", "reason", "access_token", "expires_in", "scope", "api_url", "124"]
)

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [
            *(124, 4711, 2300, 3600, "3600", "0.5", "1e5", "Invalid access token.", "a.b-c"),
            *("Invalid access token, does not contain scopes: [x]", "Access token is expired."),
            *("invalid_client", "Invalid client_id or client_secret", "Bad Request", "a\r\nb"),
        ]
    )
)

documents: Final = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=5),
    max_leaves=8,
)

encodings: Final = st.sampled_from(
    [
        b"",
        b"gzip",
        b"x-gzip",
        b"deflate",
        b"br",
        b"zstd",
        b"identity",
        b"gzip, br",
        b",",
        b"gzip,gzip",
        b"x",
    ]
)


def _gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    return packer.compress(data) + packer.flush()


bombs: Final = st.sampled_from([_gzipped(b"\0" * 5_000_000), zlib.compress(b"{" * 5_000_000)])
"""A few bytes that would become many."""
