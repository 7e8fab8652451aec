"""Calls to Zoom's other hosts, whose redirects are followed here.

::

    caller ── /_hosts/HOST/… ──> HOST ── 30x ──> another host ── 30x ──> a signed address
                                 token           token, if Zoom's        no token

Each leg is a request of its own, over the connections of its host. The caller gets the last answer
alone. Of the others nothing is kept: a cookie of one goes neither to the next nor to the caller.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Final

from gateway.core.errors import NotARecordingError, RedirectsError
from gateway.core.redirects import MOST, Leg, fields_of, first_leg, next_leg
from gateway.core.verdict import Verdict
from gateway.core.zoom_hosts import is_api
from gateway.ports import Headers, Upstream, UpstreamAnswer, UpstreamRequest
from gateway.web.received import Received
from gateway.web.spool import BodyStream

_REFUSED: Final = frozenset({401, 403})
"""What a signed address says to who should show a token."""

_DROPPED: Final = 64 * 1024
"""Bytes of a redirect's body that are read for the sake of its connection."""

_RECORDINGS: Final = b"/rec/"
_PAGES: Final = frozenset({b"text/html", b"application/xhtml+xml"})


class Following:
    """One of Zoom's hosts. Implements `Upstream`; answers come from where redirects lead."""

    __slots__ = ("_host", "_is_zooms", "_upstream_at")

    def __init__(
        self,
        host: str,
        upstream_at: Callable[[str], Upstream],
        is_zooms: Callable[[str], bool],
    ) -> None:
        """`is_zooms` says to whom the token may be shown."""
        self._host = host
        self._upstream_at = upstream_at
        self._is_zooms = is_zooms

    async def send(self, request: UpstreamRequest) -> "Followed":
        """As `Upstream.send`, for the whole way. Raises RedirectError, too."""
        leg = first_leg(request.method, self._host, request.target)
        sent = request
        for _ in range(MOST + 1):
            answer = await self._upstream_at(leg.host).send(_on(leg, sent))
            if leg.signed and answer.status in _REFUSED and _can_be_sent_again(sent):
                await answer.close()
                sent, leg = _again(sent), leg._replace(token=True, signed=False)
                answer = await self._upstream_at(leg.host).send(_on(leg, sent))
            try:
                further = self._further(leg, answer, request)
            except BaseException:
                await answer.close()
                raise
            if further is None or not (further.bodiless or _can_be_sent_again(sent)):
                return Followed(answer, leg, request)
            if answer.whole(_DROPPED) is None:
                await answer.close()
            leg, sent = further, _without_body(sent) if further.bodiless else _again(sent)
        raise RedirectsError(f"Zoom redirects the call more than {MOST} times.")

    async def close(self) -> None:
        """Its connections are kept, and closed, elsewhere."""

    def _further(self, leg: Leg, answer: UpstreamAnswer, request: UpstreamRequest) -> Leg | None:
        locations = [value for name, value in answer.headers if name.lower() == b"location"]
        return next_leg(leg, answer.status, locations, self._is_zooms, request.target)


def _on(leg: Leg, request: UpstreamRequest) -> UpstreamRequest:
    fields = fields_of(leg, request.headers)
    return replace(request, method=leg.method, target=leg.target, headers=fields)


def _can_be_sent_again(request: UpstreamRequest) -> bool:
    body = request.body
    return body is None or (isinstance(body, BodyStream) and body.can_begin_anew)


def _again(request: UpstreamRequest) -> UpstreamRequest:
    """The same, its body from the first byte. Raises BodyLostError."""
    body = request.body
    if body is None:
        return request
    assert isinstance(body, BodyStream)  # noqa: S101  # as `_can_be_sent_again` says
    return replace(request, body=body.anew(), fresh=True)


def _without_body(request: UpstreamRequest) -> UpstreamRequest:
    return replace(request, body=None, fresh=False)


class Followed:
    """The last answer on the way. Implements `UpstreamAnswer`.

    `leg` is what it answers, `request` what the caller asked for.
    """

    __slots__ = ("_answer", "headers", "leg", "reason", "request", "status")

    def __init__(self, answer: UpstreamAnswer, leg: Leg, request: UpstreamRequest) -> None:
        self._answer = answer
        self.status = answer.status
        self.reason = answer.reason
        self.headers: Headers = answer.headers
        self.leg = leg
        self.request = request

    def chunks(self) -> AsyncIterator[bytes]:
        return self._answer.chunks()

    def whole(self, limit: int) -> bytes | None:
        return self._answer.whole(limit)

    async def close(self, *, reuse: bool = True) -> None:
        await self._answer.close(reuse=reuse)


class ReceivedElsewhere(Received):
    """An answer of another host than the API's, or of one that is not Zoom's at all."""

    __slots__ = ("_leg", "_request")

    def __init__(self, answer: UpstreamAnswer) -> None:
        super().__init__(answer)
        assert isinstance(answer, Followed)  # noqa: S101  # nobody else answers for these hosts
        self._leg = answer.leg
        self._request = answer.request

    def glance(self, method: str) -> Verdict | None:
        """See `Received.glance`. Raises NotARecordingError, too."""
        verdict = super().glance(method)
        if self._is_page_for_recording():
            raise NotARecordingError(
                "Zoom answered with a web page where a recording was asked for: it asks for a"
                " passcode or a login, is still being made, or is no more."
            )
        if not self._leg.token:
            return Verdict.UNKNOWN  # it says nothing of the token
        return self._proven(verdict)

    async def judge(self, *, let_go: bool) -> Verdict:
        verdict = self._proven(await super().judge(let_go=let_go))
        assert verdict is not None  # noqa: S101  # as the body was looked at
        return verdict

    def _proven(self, verdict: Verdict | None) -> Verdict | None:
        """Only the API's hosts are known to ask for a valid token before anything else."""
        if verdict is Verdict.ACCEPTED and not is_api(self._leg.host):
            return Verdict.UNKNOWN
        return verdict

    def _is_page_for_recording(self) -> bool:
        kind = self.headers.content_type.partition(b";")[0].strip().lower()
        if kind not in _PAGES or not 200 <= self.status < 300:  # noqa: PLR2004  HTTP's classes
            return False
        asked = self._request
        if not asked.target.startswith(_RECORDINGS):
            return False
        wanted = b",".join(value for name, value in asked.headers if name.lower() == b"accept")
        return not any(page in wanted.lower() for page in _PAGES)
