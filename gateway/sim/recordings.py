"""The bytes of recordings, whole or in part, and the addresses that are signed for them."""

import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qsl

from gateway.sim.answers import Answer
from gateway.sim.exchange import Exchange

SIZE = 1_048_576
"""Bytes of the recording of a seeded past meeting."""

LIFE = 300
"""Seconds that a signed address is good for."""

SIZED = re.compile(r"_sim-([0-9]{1,12})")
"""A test's own recording, of so many bytes."""

RANGE = re.compile(r"bytes=(?!-\Z)([0-9]*)-([0-9]*)")
PIECE = 262_144
BLOCK = hashlib.shake_256(b"recording").digest(65_536)
"""Recordings repeat it: any part can be told from its place."""

XML = "application/xml"


class Signer:
    """Signs addresses, as CloudFront and S3 do in their own words."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)

    def sign(self, path: str, wall: float, name: str = "Signature") -> str:
        """Return a path with its query."""
        ends = int(wall) + LIFE
        return f"{path}?Expires={ends}&{name}={self._signature(path, ends)}&Key-Pair-Id=SIM"

    def holds(self, exchange: Exchange, wall: float, name: str = "Signature") -> bool:
        query = dict(parse_qsl(exchange.target.partition("?")[2], keep_blank_values=True))
        ends = query.get("Expires", "")
        if not ends.isdigit() or int(ends) <= wall:
            return False
        return hmac.compare_digest(
            query.get(name, "").encode(), self._signature(exchange.path, int(ends)).encode()
        )

    def _signature(self, path: str, ends: int) -> str:
        return hmac.new(self._key, f"{path} {ends}".encode("latin-1"), "sha256").hexdigest()


def size_of(name: str) -> int | None:
    """The bytes of a recording by its name; None: there is none."""
    if sized := SIZED.fullmatch(name):
        return int(sized[1])
    return SIZE if name.isdigit() else None


def content(start: int, size: int) -> bytes:
    """`size` bytes of any recording from `start` on."""
    first = start % len(BLOCK)
    turns = (first + size) // len(BLOCK) + 1
    return (BLOCK * turns)[first : first + size]


async def _pieces(start: int, size: int) -> AsyncIterator[bytes]:
    end = start + size
    while start < end:
        length = min(PIECE, end - start)
        yield content(start, length)
        start += length


def serve(exchange: Exchange, name: str) -> Answer:
    """Answer with a recording, or with the part of it that is asked for."""
    size = size_of(name)
    if size is None or exchange.method not in {"GET", "HEAD"}:
        return refusal(404, "NoSuchKey")
    tag = f'"{hashlib.sha256(name.encode("latin-1")).hexdigest()[:16]}"'
    common = (("Accept-Ranges", "bytes"), ("ETag", tag))
    part = _part(exchange, size, tag)
    if part is None:
        return Answer(416, b"", None, (*common, ("Content-Range", f"bytes */{size}")))
    start, length = part
    headers = (*common, ("Content-Length", str(length)))
    answer = Answer(200, b"", "video/mp4", headers, stream=_pieces(start, length))
    if length == size and not exchange.header("Range"):
        return answer
    placed = ("Content-Range", f"bytes {start}-{start + length - 1}/{size}")
    partial = _asks_for_part(exchange, tag)
    return replace(answer, status=206, headers=(*headers, placed)) if partial else answer


def refusal(status: int, code: str) -> Answer:
    """As a store says it."""
    return Answer(status, f"<Error><Code>{code}</Code></Error>".encode(), XML)


def _asks_for_part(exchange: Exchange, tag: str) -> bool:
    if not RANGE.fullmatch(exchange.header("Range") or ""):
        return False
    return exchange.header("If-Range") in {None, tag}


def _part(exchange: Exchange, size: int, tag: str) -> tuple[int, int] | None:
    """Where it begins, and how long it is; None: there is nothing."""
    asked = RANGE.fullmatch(exchange.header("Range") or "")
    if asked is None or not _asks_for_part(exchange, tag):
        return 0, size
    first, last = asked.groups()
    if not first:
        length = min(int(last), size)
        return (size - length, length) if length else None
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    return (start, end - start + 1) if start <= end else None
