"""One GET to Zoom, and what came back."""

import time
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from gateway.core.secret import Secret
from gateway.core.verdict import BODY_LIMIT, decode_body
from gateway.ports import Headers, UpstreamRequest
from gateway.zoom import USER_AGENT
from gateway.zoom.upstream import HttpUpstream


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is decoded, and at most `BODY_LIMIT` bytes of it. Times in seconds."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    took: float
    ahead: float | None
    """By how much this machine's clock is ahead of the `Date` header; None: there is none."""

    @property
    def is_page(self) -> bool:
        """Whether it is for browsers: the API answers with JSON, its front with pages."""
        return b"html" in _header(self.headers, b"content-type").lower() or self.body[:1] == b"<"


def _header(headers: Headers, name: bytes) -> bytes:
    return next((value for key, value in headers if key.lower() == name), b"")


_HALF: Final = 0.5
"""Seconds: `Date` tells whole ones, so its moment is half a second later on average."""


async def get(api: HttpUpstream, target: bytes, token: Secret | None = None) -> Answer:
    """Raises UpstreamError."""
    credential = ((b"Authorization", b"Bearer " + token.reveal().encode("ascii")),) if token else ()
    headers = (
        (b"Host", api.host),
        (b"User-Agent", USER_AGENT.encode("ascii")),
        (b"Accept", b"application/json"),
        *credential,
    )
    begun, wall = time.monotonic(), time.time()
    answer = await api.send(UpstreamRequest("GET", target, headers))
    took = time.monotonic() - begun
    body = bytearray()
    try:
        async for chunk in answer.chunks():
            body += chunk
            if len(body) >= BODY_LIMIT:
                break
    finally:
        await answer.close()
    encoding = _header(answer.headers, b"content-encoding")
    return Answer(
        answer.status,
        answer.headers,
        decode_body(encoding, bytes(body[:BODY_LIMIT])),
        took,
        _ahead(_header(answer.headers, b"date"), wall + took / 2),
    )


def _ahead(date: bytes, wall: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date.decode("latin-1"))
        if moment.tzinfo is None:  # "-0000" is UTC, too (RFC 5322, 3.3)
            moment = moment.replace(tzinfo=UTC)
        return wall - moment.timestamp() - _HALF
    except (ValueError, OverflowError):
        return None
