"""An answer of Zoom: looked at where it must be judged, and passed on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from gateway.core.errors import UpstreamBrokenError, UpstreamError
from gateway.core.headers import AnswerHeaders, Field, read_answer
from gateway.core.scopes import lacking
from gateway.core.verdict import BODY_LIMIT, Verdict, classify, classify_head, decode_body
from gateway.ports import UpstreamAnswer
from gateway.web.answer import Answer
from gateway.web.errors import zooms_reason
from gateway.web.limits import PEEK

_FIRST_FINAL: Final = 200

_AT_ONCE: Final = 64 * 1024
"""Bytes of a body that are written without asking whether the caller takes them. More is written
piece by piece."""


class Received:
    """One answer, open until `close`. `headers` are there once it was judged."""

    __slots__ = (
        "_answer",
        "_broken",
        "_next",
        "_peeked",
        "_rest",
        "_whole",
        "closed",
        "headers",
        "lacking",
        "status",
    )

    headers: AnswerHeaders
    lacking: tuple[str, ...] | None
    """There once its body was judged: the scopes of which Zoom misses one; None: it does not."""

    def __init__(self, answer: UpstreamAnswer) -> None:
        self._answer = answer
        self._rest: AsyncIterator[bytes] | None = None
        self._peeked: list[bytes] = []
        self._whole = False
        self._next: asyncio.Task[bytes | None] | None = None
        """The piece that was still to come when judging had to end."""
        self._broken: UpstreamError | None = None
        self.status = answer.status
        self.closed = False
        """Nothing of it is in use any more."""

    def glance(self, method: str) -> Verdict | None:
        """Tell what the head alone says about the token; None: the body decides, see `judge`.

        Raises UpstreamBrokenError for a head that cannot be passed on.
        """
        if self.status < _FIRST_FINAL:
            raise UpstreamBrokenError(f"an answer with status {self.status}")
        self.headers = headers = read_answer(self._answer.headers)
        return classify_head(self.status, method, headers.content_type)

    async def judge(self, *, let_go: bool) -> Verdict:
        """Tell what the body says about the token, where the head does not. As `look`."""
        return classify(self.status, await self.look(let_go=let_go))

    async def look(self, *, let_go: bool) -> bytes:
        """Give the body's beginning, decoded. It is passed on as it came, all the same.

        `let_go`: Zoom's connection may carry another call as soon as the body is there.
        """
        body = self._answer.whole(BODY_LIMIT) if let_go else None
        if body is None:
            await self._peek()
            body = b"".join(self._peeked)
        else:
            self._peeked.append(body)
            self._whole = True
        decoded = decode_body(self.headers.content_encoding, body)
        self.lacking = lacking(self.status, decoded)
        return decoded

    def passed_on(self, answer: Answer, fields: Sequence[Field]) -> bool:
        """Give it to the caller if all of it is there, with our `fields` added; say whether.

        Most answers are short: nothing to wait for, one write to make. Raises as `pass_on`.
        """
        if self._whole or self._peeked or self._next:
            return False
        body = self._answer.whole(_AT_ONCE)
        if body is None:
            return False
        self.closed = True
        headers = self.headers
        reason = zooms_reason(self.status, self._answer.reason)
        answer.whole(self.status, reason, fields, headers.length, body, headers.lines)
        return True

    async def pass_on(self, answer: Answer, fields: Sequence[Field]) -> None:
        """Stream it to the caller, with our `fields` added.

        Raises UpstreamError if it ends before its end, CallerGoneError, and what the call's
        own body raised meanwhile.
        """
        if self._broken is not None:
            raise self._broken
        headers = self.headers
        reason = zooms_reason(self.status, self._answer.reason)
        if not answer.begin(self.status, reason, fields, headers.length, headers.lines):
            answer.end()
            return
        for chunk in self._peeked:
            await answer.write(chunk)
        if self._next is not None:
            piece = await self._next
            if self._broken is not None:
                raise self._broken
            await answer.write(piece or b"")
        if not self._whole:
            async for piece in self._body():
                slow = answer.push(piece)
                # What waits for the caller may be a copy: of many slow ones, both would be much.
                del piece
                if slow:
                    await answer.drained()
        answer.end()

    async def close(self, *, reuse: bool = True) -> None:
        """Let go of it. Nobody reads the call's body any more when this returns.

        Without `reuse` the connection is cut.
        """
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait([self._next])
        await self._answer.close(reuse=reuse)
        self.closed = True

    def _body(self) -> AsyncIterator[bytes]:
        if self._rest is None:
            self._rest = self._answer.chunks()
        return self._rest

    async def _peek(self) -> None:
        """Look at the body, but not for ever: its message is wanted, the caller waits."""
        loop = asyncio.get_running_loop()
        deadline, size = loop.time() + PEEK, 0
        while size < BODY_LIMIT:
            # A task, not a time-out around the reading, which would break the answer.
            self._next = asyncio.create_task(self._piece())
            done, _ = await asyncio.wait([self._next], timeout=deadline - loop.time())
            if not done:
                return
            piece, self._next = self._next.result(), None
            if piece is None:
                self._whole = True
                return
            self._peeked.append(piece)
            size += len(piece)

    async def _piece(self) -> bytes | None:
        try:
            return await anext(self._body(), None)
        except UpstreamError as error:
            # The status has been said; the break matters only if the answer is passed on.
            self._broken = error
            return None
