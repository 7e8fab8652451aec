"""The bytes of an answer, taken apart: a state machine without any I/O.

::

    begin() ── 1xx heads, dropped ──> head_complete ── body ──> complete
                      │                     │
                      └─────────────────────┴── not HTTP, cut ──> UpstreamBrokenError

Rules: an answer never looks complete unless its framing says so; nothing is taken for a
second answer; heads, trailers and chunk extensions have an end. llhttp (by httptools) does
the tokens and refuses both framings at once, a second length, and loose line ends. What comes as
a whole, and is of the usual kind, is taken apart without it (`read_whole`), to the same end.
"""

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.core.errors import UpstreamBrokenError
from gateway.zoom.upstream.whole import read_whole

HEAD_LIMIT: Final = 65_536
"""Bytes of all heads of an answer together, and of anything else that is no body. Envoy's
limit is 60 KiB, nginx's 8 to 32; Zoom's heads have some 2 KiB."""


class AnswerReader:
    """Reads one answer after the other from the bytes of one connection."""

    __slots__ = (
        "_coding",
        "_fault",
        "_head_only",
        "_head_size",
        "_parser",
        "_quiet",
        "_reason",
        "_until_end",
        "_usual",
        "buffered",
        "chunks",
        "complete",
        "head_complete",
        "headers",
        "keep_alive",
        "reason",
        "started",
        "status",
        "surplus",
    )

    def __init__(self) -> None:
        self._parser: HttpResponseParser | None = None
        self.begin(head_only=False)

    def begin(self, *, head_only: bool) -> None:
        """Expect the next answer; `head_only` for one to HEAD, which has no body."""
        if self._parser is None:
            self._parser = HttpResponseParser(self)
        self._head_only = head_only
        self._until_end = False
        self.status = 0
        self.reason = ""
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.buffered = 0
        """Bytes in `chunks`."""
        self.started = False
        """Whether any byte came."""
        self.head_complete = False
        self.complete = False
        self.keep_alive = False
        self.surplus = False
        """Bytes came after the end: the connection's framing is in doubt."""

    @property
    def overrun(self) -> bool:
        """Whether more came than a body's framing allows: then its end is in doubt, too.

        Where there is no body by definition, a stray one does the answer no harm.
        """
        return self.surplus and not self._head_only and self.status not in (204, 304)

    def take(self) -> bytes:
        """All of the body that has come and was not taken yet."""
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.buffered = 0
        return data

    def feed(self, data: bytes) -> None:
        """Take what came. Raises UpstreamBrokenError if it is no answer."""
        parser = self._parser
        if self.complete or parser is None:
            self.started = self.surplus = True
            return
        if not self.started:
            self.started = True
            if not self._head_only and (whole := read_whole(data)) is not None:
                self.status, self.reason, self.headers, body = whole
                self.head_complete = self.complete = self.keep_alive = True
                if body:
                    self.chunks.append(body)
                    self.buffered = len(body)
                return
            self._begin_parsing(data)
        self._quiet += len(data)
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._stopped(str(error))
        if self._head_only or not self.complete:
            self._look_after(data)

    def _begin_parsing(self, data: bytes) -> None:
        self._coding = self._reason = b""
        self._fault = ""
        self._head_size = self._quiet = 0
        # Nearly always; it spares asking the parser, which makes a string of it.
        self._usual = data.startswith(b"HTTP/1.1 ")

    def _stopped(self, error: str) -> None:
        if not self.complete:
            what = self._fault or error or "it changes the protocol"
            raise UpstreamBrokenError(f"Zoom's answer is not HTTP: {what}") from None
        self.surplus = True

    def _look_after(self, data: bytes) -> None:
        if not self.complete:
            if self._quiet > HEAD_LIMIT:
                raise UpstreamBrokenError(
                    f"Zoom's answer is not HTTP: {HEAD_LIMIT} bytes without an end of its head"
                )
        elif self._head_only:
            # The parser cannot be told that there is no body, so it cannot be used again.
            self._parser = None
            self.surplus = self.surplus or not b"\r\n\r\n".endswith(data[-4:])

    def end(self, *, proved: bool = True) -> None:
        """Nothing more will come. Raises UpstreamBrokenError if that is too early.

        An end that is not `proved` to be Zoom's ends no body that has no other end.
        """
        if self._until_end and self.head_complete and proved:
            self.complete = True
        if not self.complete:
            where = "in the middle of its answer" if self.started else "without an answer"
            raise UpstreamBrokenError(f"Zoom closed the connection {where}")

    def free(self) -> None:
        """Break the cycle with the parser, so that no garbage waits for the collector."""
        self._parser = None

    # What the parser calls. An exception in here stops it.

    def on_message_begin(self) -> None:
        if self.complete:
            self.surplus = True

    def on_status(self, status: bytes) -> None:
        if not self.head_complete:
            self._reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_complete:  # a trailer, or surplus
            return
        if len(name) == 17 and name.lower() == b"transfer-encoding":  # noqa: PLR2004  # its length
            self._coding += value.strip().lower()
        bare = value.rstrip(b" \t")
        if bare is not value:
            self._head_size += len(value) - len(bare)
        self.headers.append((name, bare))

    def on_headers_complete(self) -> None:
        if self.head_complete:
            return
        parser = self._parser
        assert parser is not None  # noqa: S101  # it is calling
        self.status = status = parser.get_status_code()
        self._check(status, "1.1" if self._usual else parser.get_http_version())
        if status < 200:  # noqa: PLR2004  # interim heads
            self._head_size += _size(self.headers)
            self.headers.clear()
            self._reason = self._coding = b""
            self._usual = False
            return
        self._quiet = 0
        self.reason = self._reason.decode("latin-1")
        self.head_complete = True
        self.keep_alive = parser.should_keep_alive()
        if self._head_only:
            self.complete = True
        elif not self.keep_alive:
            # The parser keeps a connection alive only where the framing tells the end.
            self._until_end = not self._coding and not any(
                name.lower() == b"content-length" for name, _ in self.headers
            )

    def on_chunk_header(self) -> None:
        if self.complete:
            self.surplus = True

    def on_body(self, data: bytes) -> None:
        if self.complete:
            self.surplus = True
        elif not self.head_complete:
            self._fault = "an interim head with a body"
            raise ValueError(self._fault)
        else:
            self._quiet = 0
            self.buffered += len(data)
            self.chunks.append(data)

    def on_message_complete(self) -> None:
        if self.head_complete:
            self.complete = True

    def _check(self, status: int, version: str) -> None:
        # What was fed is about what the heads are, and a body's begin may be among it.
        if self._quiet > HEAD_LIMIT and self._head_size + _size(self.headers) > HEAD_LIMIT:
            self._fault = f"a head of more than {HEAD_LIMIT} bytes"
        elif status < 100 or status == 101:  # noqa: PLR2004  # 101: nobody asked for it
            self._fault = f"status {status}"
        elif version not in ("1.1", "1.0"):
            self._fault = f"HTTP/{version}"
        elif self._coding not in (b"", b"chunked"):
            self._fault = "a Transfer-Encoding other than chunked"
        if self._fault:
            raise ValueError(self._fault)


def _size(fields: list[tuple[bytes, bytes]]) -> int:
    return sum([len(name) + len(value) + 4 for name, value in fields])
