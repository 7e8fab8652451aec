"""Which rules a well-behaved caller (a proxy above all) breaks with a call's headers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

RawHeaders = Sequence[tuple[bytes, bytes]]

BANNED = {
    b"cookie",
    b"forwarded",
    b"keep-alive",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"upgrade",
}
"""Hop-by-hop headers (RFC 9110, 7.6.1) and those that must not leave the caller's network."""

BEARER = re.compile(rb"bearer +([A-Za-z0-9._~+/=-]+)", re.IGNORECASE)
TOKEN_IN_QUERY = re.compile(r"[?&]access_token=")
BASIC = re.compile(rb"basic +([A-Za-z0-9+/=]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Check:
    """What is wrong with a call.

    `credential` is None when the Authorization header is absent, not alone or of the wrong
    kind. `soft` violations are answered as the endpoint answers bad credentials, `hard` ones
    with 400 code 300.
    """

    credential: str | None
    soft: tuple[str, ...]
    hard: tuple[str, ...]


def check(target: str, headers: RawHeaders, kind: Literal["bearer", "basic"]) -> Check:
    """Examine a call. Reasons name headers, never their values."""
    hard = [] if target.startswith("/") else ["the request target is not in origin form"]
    names = [name.lower() for name, _ in headers]
    hard += [f"header {name.decode('latin-1')} must not be sent" for name in names if _bad(name)]
    if names.count(b"host") != 1:
        hard.append("the Host header must be present exactly once")
    if b"content-length" in names and b"transfer-encoding" in names:
        hard.append("both Content-Length and Transfer-Encoding")
    hard += [
        f"the Connection header names {option.decode('latin-1')}"
        for name, value in headers
        if name.lower() == b"connection"
        for option in (part.strip().lower() for part in value.split(b","))
        if option not in {b"", b"keep-alive", b"close"}
    ]
    values = [value for name, value in headers if name.lower() == b"authorization"]
    if len(values) > 1:
        return Check(None, (), (*hard, "more than one Authorization header"))
    if not values:
        return Check(None, ("the Authorization header is missing",), tuple(hard))
    found = (BEARER if kind == "bearer" else BASIC).fullmatch(values[0].strip())
    if not found:
        return Check(None, (f"the Authorization header is no {kind} credential",), tuple(hard))
    soft = ("a token stands in the query",) if TOKEN_IN_QUERY.search(target) else ()
    return Check(found[1].decode("ascii"), soft, tuple(hard))


def _bad(name: bytes) -> bool:
    return name in BANNED or name.startswith(b"x-forwarded-")
