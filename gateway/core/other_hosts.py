"""`/_hosts/HOST/…`: a call for one of Zoom's hosts beside the API's.

Only the plain spelling is one. What a lenient reader might take for it is refused, so that what
goes to the API is meant for the API, and what is decided about a host is decided about that host.
"""

import re
from typing import Final, NamedTuple

from gateway.core.errors import CallRefusedError
from gateway.core.spelling import leniently, may_hold, readings, segments_of
from gateway.core.zoom_hosts import address, canonical

PREFIX: Final = b"/_hosts/"

SEGMENT: Final = PREFIX.strip(b"/")

_WORD: Final = SEGMENT.decode("ascii")

_MAYBE: Final = re.compile(rb"_hosts|%", re.IGNORECASE)

_PLAIN: Final = re.compile(rb"/_hosts/([A-Za-z0-9._-]+)(?=[/?]|$)")


class Named(NamedTuple):
    """`host` as `canonical` writes it; `rest` goes there, and may lack the slash at its front."""

    host: str
    rest: bytes


def named_host(raw: bytes) -> Named | None:
    """Read a request target, its account's prefix cut off; None: it names no host.

    Raises CallRefusedError (404) if it is not plain which host is meant, or whether one is. A
    plain name may still be a stranger's.
    """
    path = raw.partition(b"?")[0]
    if not _MAYBE.search(path):
        return None
    match = _PLAIN.match(raw)
    if match is None:
        if _may_be_read_as_named(path):
            raise _unclear()
        return None
    text = match[1].decode("ascii")
    host = canonical(text)
    # With a dot at its end it is the same name, but not the same `Host`.
    if host is None or host != text.lower() or address(host) is not None:
        raise _unclear()
    rest = raw[match.end() :]
    if _may_be_read_as_named(rest.partition(b"?")[0]):
        raise _unclear()
    return Named(host, rest)


def _may_be_read_as_named(path: bytes) -> bool:
    if not _MAYBE.search(path):
        return False
    if leniently(path)[:1] == (SEGMENT,):
        return True
    if not may_hold(path, SEGMENT):
        return False
    found = readings(path.decode("latin-1"))
    return found is None or any(map(_begins_with_it, found))


def _begins_with_it(reading: str) -> bool:
    """With dots resolved or not: `/_hosts/..` is nothing's path, or this one's."""
    if segments_of(reading.lower())[:1] == [_WORD]:
        return True
    return leniently(reading.encode("utf-8", "replace"))[:1] == (SEGMENT,)


def _unclear() -> CallRefusedError:
    return CallRefusedError(
        404,
        "unknown_host",
        "Another host of Zoom's is named as /_hosts/HOST/..., spelled like this: a host's name"
        " alone, without a port, a user or any encoding.",
    )
