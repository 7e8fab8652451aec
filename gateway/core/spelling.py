"""The spellings of a path: what servers on the way may take it for.

Nobody knows how often Zoom's front and what stands behind it decode a path, and what they tidy
up. So what is decided about a path is decided for every reading that a lenient server may come
to, however it orders its steps.
"""

import contextlib
import re
import unicodedata
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote_to_bytes

MOST_READINGS: Final = 96
"""A path with more readings is no honest one. Real ones have less than ten."""

LONGEST: Final = 1024
"""Characters of a path that is not plain; beyond that it is not read. Zoom's have less than 300,
and reading one takes time."""

_DECODINGS: Final = 5
"""How often percent-encoding is undone before a path is compared; one or two is what proxies
and servers do."""

_BLANKS: Final = b"\0\t\n\r\x0b\x0c "

_SIGN: Final = r"[A-Za-z0-9_~@!$&'()*,:=-]"
_PLAIN: Final = re.compile(rf"(?:/{_SIGN}++(?:[.+]{_SIGN}++)*+)++/?".encode())
"""A path that everybody reads alike, but for its letters' case."""

_UUID: Final = re.compile(r"[A-Za-z0-9+/]{20,22}==")
"""A meeting's: 16 bytes in base64, whose slashes clients encode once or twice. The examples in
Zoom's reference (`/ajXp112QmuoKj4854875==`) are shorter than that, and get tried."""

_SUFFIX: Final = re.compile(r"(/[^/.@]+)\.[^/@]+(/?)\Z")
"""Of the last segment. An e-mail address is none: a server that cut those would know no user."""

_INNER: Final = "\ue000"
"""Stands for a slash inside a UUID that is read as one segment."""


def is_plain(path: bytes) -> bool:
    """Whether the path has one reading alone."""
    if _PLAIN.fullmatch(path) is None:
        return False
    return b"." not in path or _SUFFIX.search(path.decode("ascii")) is None


def segments_of(path: str) -> list[str]:
    """Split a reading; one slash at its end is overlooked, and `/` has no segment."""
    rest = path[1:].removesuffix("/")
    return rest.split("/") if rest else []


def readings(path: str) -> frozenset[str] | None:
    """Every reading of a path (`/...`, without its query), itself included; None: too many.

    They are what decoding, and tidying up, in any order and any number, makes of it. Letters
    keep their case.
    """
    if len(path) > LONGEST:
        return None
    found = {path}
    fresh = [path]
    while fresh:
        text = fresh.pop()
        for step in _STEPS:
            other = step(text)
            if other not in found:
                found.add(other)
                fresh.append(other)
        if len(found) > MOST_READINGS:
            return None
    return frozenset(found)


def with_whole_uuids(path: str) -> str | None:
    """The path with each UUID decoded and kept in one segment; None: no slash is in any.

    What is given is for `readings` alone: the slashes inside are no slashes any more.
    """
    parts = path.split("/")
    whole = [_uuid(part) or part for part in parts]
    return "/".join(whole) if whole != parts else None


def decoded(path: bytes) -> bytes:
    """Undo percent-encoding as often as anybody may."""
    for _ in range(_DECODINGS):
        path = unquote_to_bytes(path)
    return path


def leniently(path: bytes) -> tuple[bytes, ...]:
    """Read a path as the most lenient of servers would: all at once.

    Encoded more than once, slashes doubled, reversed or trailing, dots resolved, parameters
    (`;x`) and blanks dropped, in any case.
    """
    path = decoded(path)
    segments: list[bytes] = []
    for part in re.split(rb"[?#]", path, maxsplit=1)[0].replace(b"\\", b"/").split(b"/"):
        segment = part.partition(b";")[0].strip(_BLANKS).lower()
        if segment == b"..":
            del segments[-1:]
        elif segment not in {b"", b"."}:
            segments.append(segment)
    return tuple(segments)


def _uuid(segment: str) -> str | None:
    if "%" not in segment:
        return None
    for _ in range(_DECODINGS):
        segment = _decoded(segment)
    if "/" not in segment or not _UUID.fullmatch(segment):
        return None
    return segment.replace("/", _INNER)


# The steps. Each is cheap where there is nothing to do, and gives a path that begins with a slash.


def _decoded(path: str) -> str:
    if "%" not in path:
        return path
    # What is not Latin-1 came from `_folded`, or stands for a slash inside a UUID.
    return re.sub("%[0-9A-Fa-f]{2}", lambda match: chr(int(match[0][1:], 16)), path)


_UNRESERVED: Final = re.compile(
    "%(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])", re.IGNORECASE
)


def _normalized(path: str) -> str:
    """RFC 3986 section 6.2.2.2: letters, digits, `-._~`; an encoded slash stays in its segment."""
    if "%" not in path:
        return path
    return _UNRESERVED.sub(lambda match: chr(int(match[0][1:], 16)), path)


_OVERLONG: Final = re.compile(r"(?:[\xc0\xc1]|\xe0[\x80\x81]|\xf0\x80[\x80\x81])[\x80-\xbf]")
"""ASCII in more bytes than it needs (`%c0%af`): no UTF-8, but there are servers that take it."""

_MICROSOFT: Final = re.compile(r"%u([0-9A-Fa-f]{4})", re.IGNORECASE)


_ALIKE: Final = str.maketrans(
    dict.fromkeys("\u0130\u0131", "i")
    | dict.fromkeys("\u2044\u2215", "/")
    | {"\u2216": "\\"}
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2028\u2029\u2060\ufeff", "")
)
"""What Unicode keeps apart: Java compares the two Turkish letters as `i`, Windows takes signs of
division and difference for slashes, and .NET overlooks what has no width."""


def _folded(path: str) -> str:
    """Other ways to write ASCII: overlong UTF-8, `%u002f`, and what Unicode holds for alike."""
    if path.isascii():
        return _MICROSOFT.sub(lambda match: chr(int(match[1], 16)), path) if "%" in path else path
    text = _OVERLONG.sub(lambda match: _ascii(match[0]), path)
    with contextlib.suppress(UnicodeError):  # it is no UTF-8, or decoded already
        text = text.encode("latin-1").decode("utf-8")
    return unicodedata.normalize("NFKC", text).translate(_ALIKE)


def _ascii(sequence: str) -> str:
    return chr((ord(sequence[-2]) & 0x3F) << 6 & 0x7F | ord(sequence[-1]) & 0x3F)


def _upright(path: str) -> str:
    return path.replace("\\", "/")


def _without_parameters(path: str) -> str:
    return re.sub(";[^/]*", "", path) if ";" in path else path


def _cut(path: str) -> str:
    """A query that was encoded, and the end of a string in C."""
    return re.split(r"[?#\0]", path, maxsplit=1)[0] or "/"


def _merged(path: str) -> str:
    return re.sub("/{2,}", "/", path) if "//" in path else path


_DOTS: Final = re.compile(r"/\.{1,2}(?:/|$)")


def _resolved(path: str) -> str:
    """RFC 3986 section 5.2.4."""
    if not _DOTS.search(path):
        return path
    kept: list[str] = []
    parts = path[1:].split("/")
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    if parts[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


_CONTROLS: Final = re.compile(r"[\0-\x1f\x7f]")
_TRAILING: Final = re.compile(r"(?<=[^./+ ])[.+ ]+(?=/|$)")
_AROUND: Final = re.compile(r"(?<=/)[ +]+|[ +]+(?=/|$)")


def _trimmed(path: str) -> str:
    """As browsers drop control characters, forms have `+` for a blank, Windows drops dots."""
    return _AROUND.sub("", _TRAILING.sub("", _CONTROLS.sub("", path)))


def _without_suffix(path: str) -> str:
    """Rails and older Spring take `/users.json` for `/users` in a certain format."""
    return _SUFFIX.sub(r"\1\2", path)


def _without_authority(path: str) -> str:
    """`//host/path` is a reference to another host's path."""
    return "/" + path[2:].partition("/")[2] if path.startswith("//") else path


_STEPS: Final[tuple[Callable[[str], str], ...]] = (
    _decoded,
    _normalized,
    _folded,
    _upright,
    _without_parameters,
    _cut,
    _merged,
    _resolved,
    _trimmed,
    _without_suffix,
    _without_authority,
)
