"""Keeps one call's trailers out of the next call.

aiohttp's parser (with the C extension) hands the last field of a chunked body's trailers to the
call that follows on the same connection. A proxy in front that mixes its callers' calls on one
connection would let one of them write into another's header. So behind a chunked body whose end
is not the plain one, the connection carries no further call.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

from aiohttp.streams import StreamReader

_PLAIN_END: Final = b"\r\n0\r\n\r\n"
"""The last chunk without extensions, no trailers, and nothing behind. No trailer looks like this:
each has a colon."""

_CUTS: Final = 16
"""How often the bytes that came at once are cut: the plain end may stand in a body, too."""

_LOOK: Final = 16 * 1024
"""How many of the bytes that came at once, the last of them, are searched for the plain end. To
search all would double what a large upload costs; who sends more than this behind the end without
waiting for the answer is not called again on this connection."""


class TrailerGuard:
    """Watches what the parser makes of the bytes of one connection.

    `body` is the chunked body that is being received, `ended` says that the bytes which came last
    ended one.
    """

    __slots__ = ("_last", "body", "ended")

    def __init__(self) -> None:
        self.body: StreamReader | None = None
        self._last = b""
        """The last bytes that came, but for heads that `allowed` is not asked about. Behind those
        comes another one, longer than what is remembered here."""
        self.ended = False

    def pieces(self, data: bytes) -> Iterable[bytes]:
        """Cut `data` behind what may be the end of the chunked body that is being received.

        So the call behind it is read on its own, and is known to be free of trailers.
        """
        if self.body is None:
            return (data,)
        skipped = max(0, len(data) - _LOOK)
        known = b"" if skipped else self._last[1:]
        joint, cuts, found = known + data[skipped:], [0], 0
        while len(cuts) <= _CUTS and (found := joint.find(_PLAIN_END, found)) >= 0:
            found += len(_PLAIN_END)
            cuts.append(skipped + found - len(known))
            found -= 2  # the next one may begin with the line end that ends this one
        cuts.append(len(data))
        return [data[start:stop] for start, stop in pairwise(cuts) if start < stop] or (data,)

    def allowed(self, data: bytes, calls: Iterable[tuple[Any, StreamReader]]) -> int | None:
        """How many of the `calls` that `data` completed the heads of may be answered.

        None: all of them, and what comes next is safe, too, if all of `data` was parsed.
        """
        self.ended = False
        size = len(_PLAIN_END)
        self._last = data[-size:] if len(data) >= size else (self._last + data)[-size:]
        count = 0
        for message, payload in calls:
            if self.body is not None:  # it has ended, and how is not to be told any more
                return count
            count += 1
            if message.chunked:
                self.body = payload
        if self.body is None or not self.body.is_eof():
            return None
        self.body = None
        self.ended = True
        return None if self._last == _PLAIN_END else count
