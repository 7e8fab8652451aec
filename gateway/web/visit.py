"""What belongs to one call while it is in hand."""

from dataclasses import dataclass, replace

from gateway.core.endpoint import Endpoint
from gateway.core.errors import UpstreamStaleError
from gateway.core.headers import Field
from gateway.core.ratelimit import LIMITED
from gateway.core.trace import Steps
from gateway.ports import UpstreamRequest
from gateway.reports import CallReport, ReplayOutcome, RetryOutcome
from gateway.web.answer import Answer
from gateway.web.errors import Problem, error_answer, reason
from gateway.web.meters import Hand
from gateway.web.pacing import Pacer
from gateway.web.received import Received
from gateway.web.request import CallerBody, Request
from gateway.web.spool import Spool


@dataclass(slots=True)
class Visit:
    """A call, its answer and its report. Times in seconds of the gateway's clock."""

    request: Request
    answer: Answer
    report: CallReport
    began: float
    body: CallerBody | None = None
    spool: Spool | None = None
    received: Received | None = None
    sent_at: float = 0.0
    """When the call was first sent; 0: not yet."""
    paused: float = 0.0
    """Spent waiting for better tokens since."""
    pacer: Pacer | None = None
    """Who gives the call its turns; None: it goes as it comes."""
    steps: Steps | None = None
    """Where the call's steps are recorded; None: they are not."""
    hand: Hand | None = None
    """What the call has taken of its account's share."""

    def take(self, hand: Hand, account: str) -> None:
        """Raises CallRefusedError."""
        hand.take(account)
        self.hand = hand

    def can_replay(self) -> bool:
        """Tell whether the call can be sent again; a body that streams on may outgrow it."""
        return self.spool is None or self.spool.replayable

    def again(self, request: UpstreamRequest, stale: UpstreamStaleError) -> UpstreamRequest:
        """The same request, from the kept body. Raises `stale` if that is not possible."""
        if self.spool is None or not self.spool.replayable:
            raise stale
        return replace(request, body=self.spool.stream(), fresh=True)

    @property
    def sent_before(self) -> bool:
        """Whether Zoom was asked already, and answered."""
        return self.report.replays > 0 or self.report.throttling is not None

    async def turn(self, endpoint: Endpoint, payer: str) -> None:
        """Wait until the call may leave; `payer` is who calls. Raises PacedError."""
        report = self.report
        waited = report.pace_wait
        assert self.pacer is not None  # noqa: S101  who has none does not wait
        try:
            await self.pacer.turn(endpoint, payer, report)
        finally:
            if self.sent_at:
                self.paused += report.pace_wait - waited

    def settled(self, endpoint: Endpoint, received: Received) -> None:
        """Zoom's answer is passed on, and is no refusal of the token."""
        report, status = self.report, received.status
        if self.pacer is not None:
            self.pacer.heard(endpoint, received.headers.read)
        if report.replays:
            report.outcome = ReplayOutcome.RECOVERED
        if report.throttling is not None and report.throttling.retries and status != LIMITED:
            report.throttling.outcome = RetryOutcome.RECOVERED

    def ready(self, *, draining: bool) -> list[Field]:
        """Prepare for the final answer's head; give the fields that every answer carries."""
        if draining:
            self.answer.keep_alive = False
        wire = self.request.wire
        if wire.ending:
            self.answer.keep_alive = False
        if self.request.offers_upgrade:
            # The parser may drop what follows.
            self.answer.keep_alive = False
            wire.last_call()
        if self.body is not None and self.body.withheld:
            # Whether a body follows is the caller's choice now: what comes cannot be told.
            self.body.decline()
            self.answer.keep_alive = False
            wire.last_call()
        return [(b"X-Request-Id", self.report.request_id.encode())]

    def reply(self, status: int, fields: list[Field], body: bytes, *, draining: bool) -> None:
        """Answer with something of our own. Raises CallerGoneError."""
        length = (b"Content-Length", b"%d" % len(body))
        fields = [*fields, length, *self.ready(draining=draining)]
        self.answer.whole(status, reason(status), fields, len(body), body)

    def own_up(self, problem: Problem, *, draining: bool) -> None:
        """Answer with an error; too late for that, cut the connection. Raises CallerGoneError."""
        self.report.error = problem.slug
        if self.answer.status and not self.answer.retract():
            self.answer.abort()
            return
        if problem.close:
            self.answer.keep_alive = False
            self.request.wire.last_call()
        fields, body = error_answer(problem)
        self.reply(problem.status, fields, body, draining=draining)
