"""One call as the simulator sees it, from its head to its record."""

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp.web import BaseRequest
from aiohttp.web_exceptions import HTTPException

from gateway.sim.ledger import Seen
from gateway.sim.tokens import fingerprint

KEPT_BODY = 1 << 20
"""Bytes of a body that are kept for reading; of longer ones only size and hash are."""

EMPTY_SHA256 = hashlib.sha256().hexdigest()
SECRET_IN_TARGET = re.compile(r"(?<=[?&])((?:access_)?token=)([^&]*)")
SECRET_HEADERS = {b"authorization", b"proxy-authorization"}


class BodyAbortedError(Exception):
    """The sender hung up before the end of the body."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body; `data` is empty when it was longer than `KEPT_BODY`."""

    data: bytes
    size: int
    sha256: str


class Exchange:
    """A request with what was found out about it.

    `target` and `path` are raw: each byte of the request line is one latin-1 character.
    """

    def __init__(self, request: BaseRequest, at: float) -> None:
        self.request = request
        self.at = at
        self.method = request.method
        self.target = request.raw_path.encode("utf-8", "surrogateescape").decode("latin-1")
        self.path, _, self._query = self.target.partition("?")
        self.body: Body | None = None
        self.token: str | None = None

    def header(self, name: str) -> str | None:
        return self.request.headers.get(name)

    @property
    def query(self) -> dict[str, str]:
        """The query's keys and values, empty values kept; the last of equal keys wins."""
        return dict(parse_qsl(self._query, keep_blank_values=True))

    async def read_body(self) -> Body:
        """Read to the end, once. Raises BodyAbortedError."""
        if self.body is None:
            self.body = await self._read()
        return self.body

    async def _read(self) -> Body:
        content = self.request.content
        if content.at_eof():
            return Body(b"", 0, EMPTY_SHA256)
        self._continue()
        digest, size, kept = hashlib.sha256(), 0, bytearray()
        try:
            async for piece in content.iter_any():
                digest.update(piece)
                size += len(piece)
                if size <= KEPT_BODY:
                    kept += piece
        except (OSError, EOFError, HTTPException, ValueError) as error:
            raise BodyAbortedError from error
        return Body(bytes(kept) if size <= KEPT_BODY else b"", size, digest.hexdigest())

    @property
    def expects_continue(self) -> bool:
        return (self.header("Expect") or "").lower() == "100-continue"

    def _continue(self) -> None:
        """Ask for the body, which the low-level server leaves to its handler."""
        if self.expects_continue and self.request.transport is not None:
            self.request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def seen(self, status: int | None) -> Seen:
        """Return the record of this call, without secrets."""
        return Seen(
            method=self.method,
            target=SECRET_IN_TARGET.sub(_veil, self.target),
            headers=tuple(_veiled(*header) for header in self.request.raw_headers),
            body_size=self.body.size if self.body else 0,
            body_sha256=self.body.sha256 if self.body else None,
            status=status,
            token=self.token,
            at=self.at,
        )


def _veil(found: re.Match[str]) -> str:
    return found[1] + fingerprint(found[2])


def _veiled(name: bytes, value: bytes) -> tuple[str, str]:
    """Replace a credential by its scheme and fingerprint."""
    text = value.decode("latin-1")
    if name.lower() in SECRET_HEADERS:
        scheme, _, secret = text.partition(" ")
        # Without a scheme the whole value may be the secret.
        text = f"{scheme} {fingerprint(secret.strip())}" if secret else fingerprint(text)
    return name.decode("latin-1"), text
