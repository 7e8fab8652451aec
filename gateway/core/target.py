"""The request target as it stands on the wire: checked, never rewritten.

Zoom's paths carry meeting UUIDs that are encoded once or twice (`%252F`), so what goes on is
the caller's bytes: no decoding, no re-encoding, no merging of slashes. Only the account's
prefix (`/@NAME`) and, in the absolute form, scheme and authority are cut off the front.
"""

import re
from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from gateway.core.errors import CallRefusedError
from gateway.core.spelling import decoded, is_plain, leniently, readings

MAX_TARGET: Final = 8192
"""Bytes. nginx takes 8 KiB for the request line, Apache 8,190 bytes."""

PLACEHOLDER: Final = "zoom-gateway"
"""The access token that the emulated token endpoint gives away; `zoom-gateway.NAME` selects
the account NAME when it comes back."""

_VISIBLE: Final = re.compile(rb"[\x21-\x22\x24-\x7e]+")
"""Visible ASCII without `#`: a fragment is never sent (RFC 9112 section 3.2)."""

_ABSOLUTE: Final = re.compile(rb"(https?)://([^/?@]+)(?=[/?]|$)", re.IGNORECASE)

_AT: Final = b"/@"

_PREFIX: Final = re.compile(rb"/(?:@|%40)([^/?]*)")
"""`%40`: some URL libraries encode the `@`, and such a call must not reach another account."""

_MAYBE_ACCOUNT: Final = re.compile(rb"[@%]")

_MAYBE_OAUTH: Final = re.compile(rb"oauth|%", re.IGNORECASE)

_PLACEHOLDER_BEARER: Final = re.compile(
    rb"bearer[ \t]+" + PLACEHOLDER.encode() + rb"\.(.+)", re.IGNORECASE
)


class Emulated(Enum):
    """What the gateway answers itself."""

    TOKEN = b"/oauth/token"
    REVOKE = b"/oauth/revoke"


_SIMPLE: Final = re.compile(rb"[!-$&-~]*")
"""What stays of a path when all is decoded, if no letter is hidden any more."""

_EMULATED: Final = {emulated.value: emulated for emulated in Emulated}
_EMULATED_SEGMENTS: Final = frozenset(tuple(path[1:].split(b"/")) for path in _EMULATED)


class Target(NamedTuple):
    """A checked target.

    `upstream` is what Zoom gets, byte for byte; `path` is the same without its query.
    `account` is the name in the prefix, `prefix` the prefix as it stood (`b""`: none).
    `emulated` says that this must not go to Zoom but be answered here.
    """

    upstream: bytes
    path: bytes
    account: str | None
    prefix: bytes
    emulated: Emulated | None


def read_target(raw: bytes, host: bytes | None) -> Target:
    """Check a request target; `host` is the value of the `Host` field.

    Raises CallRefusedError: 400 for what is no target of ours, 414 for too long a one, 421
    for another host's, 404 for spellings of the token endpoint that must not reach Zoom.
    """
    if len(raw) > MAX_TARGET:
        raise CallRefusedError(
            414, "target_too_long", f"The request target is longer than {MAX_TARGET} bytes."
        )
    if not _VISIBLE.fullmatch(raw):
        raise _bad("it holds a space, a '#' or bytes that are not visible ASCII")
    if not raw.startswith(b"/"):
        raw = _origin_form(raw, host)
    account, prefix = None, b""
    if match := _PREFIX.match(raw):
        account, prefix = match[1].decode("ascii"), match[0]
        raw = _rooted(raw[match.end() :])
    path = raw.partition(b"?")[0]
    if (
        account is None
        and _MAYBE_ACCOUNT.search(path)
        and b"".join(leniently(path)[:1]).startswith(b"@")
    ):
        # Read leniently it names an account; sent on as it is, it would be the default one's call.
        raise CallRefusedError(
            404, "unknown_account", "An account is named as /@NAME, spelled like this."
        )
    return Target(raw, path, account, prefix, _emulated(path))


def plain_target(path: bytes) -> Target | None:
    """What `read_target` gives for a path that names no account and has nothing to decode.

    None: it must be read. Cheap.
    """
    if (
        len(path) > MAX_TARGET
        or not is_plain(path)
        or path.startswith(_AT)
        or b"oauth" in path.lower()
    ):
        return None
    return Target(path, path, None, b"", None)


def with_query(target: Target, query: bytes) -> Target | None:
    """Give `target`, which was checked and has no query, with `query` behind it, `?` included.

    None: it must be checked as a whole, by `read_target`.
    """
    if len(target.prefix) + len(target.upstream) + len(query) > MAX_TARGET:
        return None
    if not _VISIBLE.fullmatch(query):
        return None
    return Target(
        target.upstream + query, target.path, target.account, target.prefix, target.emulated
    )


def chosen_account(
    target: Target, names: Sequence[bytes], authorizations: Sequence[bytes]
) -> str | None:
    """Give the name of the account that a call asks for; None if it names none.

    `names` are the values of `X-Zoom-Account`, `authorizations` those of `Authorization`, of
    which only a placeholder of ours counts. Raises CallRefusedError if they disagree.
    """
    if not names and not authorizations:
        return target.account
    asked = {name.decode("latin-1") for name in names}
    if target.account is not None:
        asked.add(target.account)
    for authorization in authorizations:
        if match := _PLACEHOLDER_BEARER.fullmatch(authorization):
            asked.add(match[1].decode("latin-1"))
    if len(asked) > 1:
        raise CallRefusedError(
            400,
            "account_conflict",
            "The call names more than one account: the /@NAME prefix, X-Zoom-Account and the "
            "placeholder token must agree.",
        )
    return asked.pop() if asked else None


def _bad(why: str) -> CallRefusedError:
    return CallRefusedError(400, "bad_target", f"The request target is refused: {why}.")


def _origin_form(raw: bytes, host: bytes | None) -> bytes:
    """RFC 9112 section 3.2.2: a server must accept the absolute form, too."""
    match = _ABSOLUTE.match(raw)
    if match is None:
        raise _bad("it must begin with '/'")
    scheme, authority = match[1].lower(), match[2]
    if host is None or _authority(authority, scheme) != _authority(host, scheme):
        raise CallRefusedError(
            421, "other_host", "The request target names another host than the Host field."
        )
    return _rooted(raw[match.end() :])


def _authority(value: bytes, scheme: bytes) -> bytes:
    return value.lower().removesuffix(b":80" if scheme == b"http" else b":443")


def _rooted(rest: bytes) -> bytes:
    return rest if rest.startswith(b"/") else b"/" + rest


def _emulated(path: bytes) -> Emulated | None:
    emulated = _EMULATED.get(path)
    if emulated is None and _MAYBE_OAUTH.search(path) and _may_be_read_as_emulated(path):
        raise CallRefusedError(
            404,
            "oauth_not_forwarded",
            "Token requests are not forwarded to Zoom. Ask /oauth/token, spelled like this.",
        )
    return emulated


def _may_be_read_as_emulated(path: bytes) -> bool:
    if leniently(path) in _EMULATED_SEGMENTS:
        return True
    plain = decoded(path)
    if _SIMPLE.fullmatch(plain) and b"oauth" not in plain.lower():
        return False
    # It is rare that a path comes here: all its readings take some time.
    found = readings(path.decode("latin-1"))
    return found is None or any(
        leniently(one.encode("utf-8", "replace")) in _EMULATED_SEGMENTS for one in found
    )
