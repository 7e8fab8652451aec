"""An answer of Zoom: looked at where it must be judged, and passed on."""

from collections.abc import Sequence
from typing import Final

from gateway.core.errors import UpstreamBrokenError, UpstreamError
from gateway.core.headers import AnswerHeaders, Field, read_answer
from gateway.core.verdict import BODY_LIMIT, Verdict, classify, decode_body, needs_body
from gateway.ports import UpstreamAnswer
from gateway.web.answer import Answer
from gateway.web.errors import zooms_reason

_FIRST_FINAL: Final = 200


class Received:
    """One answer, open until `close`. `headers` are there once it was judged."""

    __slots__ = ("_answer", "_broken", "_peeked", "_rest", "_whole", "headers", "status")

    headers: AnswerHeaders

    def __init__(self, answer: UpstreamAnswer) -> None:
        self._answer = answer
        self._rest = answer.chunks()
        self._peeked: list[bytes] = []
        self._whole = False
        self._broken: UpstreamError | None = None
        self.status = answer.status

    async def judge(self, method: str) -> Verdict:
        """Tell what the answer says about the token, reading its body only if that decides.

        Raises UpstreamBrokenError for a head that cannot be passed on.
        """
        if self.status < _FIRST_FINAL:
            raise UpstreamBrokenError(f"an answer with status {self.status}")
        self.headers = headers = read_answer(self._answer.headers)
        if not needs_body(self.status, method):
            return classify(self.status, headers.content_type)
        await self._peek()
        body = decode_body(headers.content_encoding, b"".join(self._peeked))
        return classify(self.status, headers.content_type, body)

    async def pass_on(self, answer: Answer, fields: Sequence[Field]) -> None:
        """Stream it to the caller, with our `fields` added.

        Raises UpstreamError if it ends before its end, CallerGoneError, and what the call's
        own body raised meanwhile.
        """
        if self._broken is not None:
            raise self._broken
        headers = self.headers
        reason = zooms_reason(self.status, self._answer.reason)
        if not answer.begin(self.status, reason, [*headers.kept, *fields], headers.length):
            answer.end()
            return
        for chunk in self._peeked:
            await answer.write(chunk)
        if not self._whole:
            async for chunk in self._rest:
                await answer.write(chunk)
        answer.end()

    async def close(self) -> None:
        """Let go of it. Nobody reads the call's body any more when this returns."""
        await self._answer.close()

    async def _peek(self) -> None:
        size = 0
        try:
            async for chunk in self._rest:
                self._peeked.append(chunk)
                size += len(chunk)
                if size >= BODY_LIMIT:
                    return
        except UpstreamError as error:
            # The status has been said; the break matters only if the answer is passed on.
            self._broken = error
        self._whole = True
