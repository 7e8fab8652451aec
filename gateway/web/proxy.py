"""One call's journey: admit, take a token, send, judge, perhaps again, pass on."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, Final, TypeVar

from gateway.core.errors import (
    CallRefusedError,
    DescriptorsError,
    GatewayError,
    UpstreamError,
    UpstreamStaleError,
)
from gateway.core.headers import CallerHeaders, authorized, dropping, read_caller
from gateway.core.ratelimit import LIMITED, REMAINING
from gateway.core.request_id import request_id
from gateway.core.routes import METHODS, OTHER
from gateway.core.token import Token
from gateway.core.trace import carried
from gateway.core.verdict import Verdict
from gateway.ports import CallTokens, UpstreamAnswer, UpstreamRequest
from gateway.reports import CallReport, ReplayOutcome
from gateway.web.admit import Admission, Call, body_of
from gateway.web.answer import Answer
from gateway.web.background import Background
from gateway.web.deadlines import Deadlines
from gateway.web.errors import Problem, problem_of
from gateway.web.following import ReceivedElsewhere
from gateway.web.fresh_id import fresh_id
from gateway.web.limited import Limits429
from gateway.web.limits import MAX_SENDINGS
from gateway.web.oauth_stub import OAuthStub
from gateway.web.proxy_parts import ProxyParts
from gateway.web.received import Received
from gateway.web.request import Request
from gateway.web.spool import Spool
from gateway.web.visit import Visit
from gateway.web.wire import CallerGoneError

T = TypeVar("T")

UNKNOWN: Final = "unknown"
"""The account of a call that was refused before its account was known."""

CALLER_GONE: Final = 499
"""nginx's status for a caller that went away before its answer began."""

_TOO_LATE: Final = Problem(
    504, "call_timeout", "The call took too long as a whole; Zoom may have acted on it."
)


class Proxy:
    """Answers calls. Implements `CallHandler`.

    `inflight` counts the calls in hand; while `draining` every answer closes its connection.
    """

    def __init__(self, parts: ProxyParts) -> None:
        self.inflight = 0
        self.draining = False
        self.aborting = False
        """The calls that are cancelled now did not lose their callers."""
        self.limits = parts.limits
        self.meters = parts.meters
        self._deadlines = Deadlines(parts.limits.call_timeout)
        self._limited = Limits429(parts.clock, parts.limits.call_timeout)
        self._observer = parts.observer
        self._now = parts.clock.now
        self._spool = parts.spool
        self._hooks = parts.hooks
        self._trace_of = parts.trace_of
        self._propagate = parts.propagate
        self._sources = parts.sources
        self._access = parts.access
        self._dropped = dropping(parts.access.key_header, *parts.access.former)
        self._admission = Admission(
            parts.accounts, parts.endpoint_of, parts.origin, parts.elsewhere.origin, parts.mark
        )
        self._stub = OAuthStub(parts)
        self._background = Background(parts.hooks.unhandled)
        self._quiet: asyncio.Event = asyncio.Event()
        self._quiet.set()

    # These give what is to be awaited at once: a coroutine less for each call.

    def handle(self, request: Request) -> Awaitable[Answer]:
        """Answer a call. Raises CallerGoneError and CancelledError, nothing else."""
        if self.meters.calls >= self.limits.calls:
            return self._turn_away(request)
        visit = self._visit(request)
        call: Call | Exception
        try:
            call = self._admit(visit)
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets an answer
            call = error
        return self._attend(visit, call)

    def refuse(self, request: Request, error: CallRefusedError) -> Awaitable[Answer]:
        """Answer what the parser refused."""
        return self._attend(self._visit(request), error)

    def _turn_away(self, request: Request) -> Awaitable[Answer]:
        """Answer one call too many: nothing of it is read but its id."""
        self.meters.turned_away("calls")
        visit = self._visit(request)
        ids = [value for name, value in request.head if name.lower() == b"x-request-id"]
        visit.report.request_id = request_id(ids, fresh_id)
        unread = request.has_body and not request.payload.is_eof()
        return self._attend(
            visit,
            CallRefusedError(
                503,
                "too_many_calls",
                f"The gateway has {self.limits.calls} calls in hand; nothing was sent.",
                close=unread,
                limit="calls",
            ),
        )

    def unhandled(self, error: BaseException) -> None:
        self._hooks.unhandled(error)

    async def quiet(self) -> None:
        """Return when no call is in hand."""
        await self._quiet.wait()

    async def close(self) -> None:
        """End what goes on behind the callers' backs."""
        self._deadlines.close()
        await self._background.close()

    def _visit(self, request: Request) -> Visit:
        wire, method = request.wire, request.method
        answer = Answer(
            wire,
            is_head=method == "HEAD",
            http11=request.http11,
            keep_alive=request.keep_alive,
        )
        report = CallReport("", wire.caller, UNKNOWN, method if method in METHODS else OTHER, OTHER)
        report.caller_name, report.secure = wire.caller_name, wire.secure
        return Visit(request, answer, report, self._now())

    def _admit(self, visit: Visit) -> Call:
        request, report = visit.request, visit.report
        known, call = request.known, None
        if known is not None and known.reader is self:
            headers = known.headers_with(request.values)
            call = known.again(request.method, request.target, self._access.keys())
            if call is not None and request.values:
                call = self._admission.again(request, call, headers)
        else:
            limit = self.limits.header_bytes
            headers = read_caller(request.head, limit, self._dropped)
            if known is not None and not known.read_by(self, request.head, headers, limit):
                request.known = None
        report.request_id = request_id(headers.values(b"x-request-id"), fresh_id)
        report.trace = trace = self._trace_of(headers, visit.began)
        if trace is not None:
            visit.steps = trace.steps
        if call is None:
            return self._check(visit, headers)
        if known is not None:
            report.key = known.key
        report.account = call.account.name
        report.route, report.category = call.endpoint.route, call.endpoint.category
        return call

    def _check(self, visit: Visit, headers: CallerHeaders) -> Call:
        request, report, known = visit.request, visit.report, visit.request.known
        # Before anything is refused: whether a body still follows decides about the connection.
        visit.body = body_of(request, headers)
        call = self._admission.admit(request, headers, visit.body)
        report.account = call.account.name
        report.route, report.category = call.endpoint.route, call.endpoint.category
        report.host = call.target.host or ""
        if known is None or not known.welcome:
            self._sources.check(headers, report)
        self._access.check(call, request.wire.peer, report, known)
        if known is not None:
            known.welcome = True
            if call.target.emulated is None and call.target.host is None:
                known.key = report.key
                known.admitted(call, request.target, self._access.keys())
        return call

    async def _attend(self, visit: Visit, call: Call | Exception) -> Answer:
        report = visit.report
        report.request_id = report.request_id or fresh_id()
        self._observer.call_began(report.account)
        if not self.inflight:
            self._quiet.clear()
        self.inflight += 1
        self.meters.calls += 1
        task = self._deadlines.begin(visit.request.task)
        try:
            if isinstance(call, Exception):
                raise call  # noqa: TRY301  one place turns errors into answers
            if call.account.hand is not None:
                visit.take(call.account.hand, call.account.name)
            if call.target.emulated is None:
                await self._forward(visit, call)
            else:
                fields, body = await self._stub.answer(visit, call)
                visit.reply(200, fields, body, draining=self.draining)
        except CallerGoneError:
            raise
        except asyncio.CancelledError:
            if not self._deadlines.came(task):
                raise
            self.meters.reached("call_timeout")
            visit.own_up(_TOO_LATE, draining=self.draining)
        except Exception as error:  # noqa: BLE001  no traceback reaches a caller
            self._hear(visit, error)
            visit.own_up(problem_of(error), draining=self.draining)
        finally:
            self._deadlines.end(task)
            self._end(visit)
        return visit.answer

    def _end(self, visit: Visit) -> None:
        self.meters.calls -= 1
        self.inflight -= 1
        if visit.hand is not None:
            visit.hand.calls -= 1
        if not self.inflight:
            self._quiet.set()
        report, answer = visit.report, visit.answer
        report.status = answer.status or CALLER_GONE
        report.bytes_out = answer.sent
        report.duration = self._now() - visit.began
        if self.aborting and not answer.ended:
            report.error = "drain_timeout"
        self._observer.call_ended(report)

    def _hear(self, visit: Visit, error: Exception) -> None:
        """Somebody else wants to know of it, too."""
        if isinstance(error, UpstreamError):
            visit.report.reason = str(error)
        match error:
            case CallRefusedError():
                if error.limit:
                    self.meters.reached(error.limit)
            case DescriptorsError():
                self.meters.starved()
            case GatewayError():
                pass
            case _:
                self._hooks.unhandled(error)

    async def _forward(self, visit: Visit, call: Call) -> None:
        if call.body is not None:
            visit.spool = Spool(call.body.read, self._spool, call.declared)
        try:
            received = await self._exchange(visit, call)
            visit.report.tracking_id = received.headers.tracking_id.decode("latin-1")
            if REMAINING in received.headers.read:
                visit.report.told = received.headers.read
            fields = visit.ready(draining=self.draining)
            if not received.passed_on(visit.answer, fields):
                await received.pass_on(visit.answer, fields)
        finally:
            try:
                if visit.received is not None and not visit.received.closed:
                    await visit.received.close()
            finally:
                self._release(visit)

    def _release(self, visit: Visit) -> None:
        report = visit.report
        if visit.spool is not None:
            report.bytes_in = visit.spool.pulled
            visit.spool.close()
        if visit.sent_at:
            ended = self._now()
            report.upstream_duration = ended - visit.sent_at - visit.paused
            if visit.steps is not None:
                visit.steps.ended(ended)

    async def _exchange(self, visit: Visit, call: Call) -> Received:
        """Send the call until it is not refused or no better token is to be had."""
        report = visit.report
        tokens = call.account.tokens.call(call.endpoint)
        upstream = call.origin.upstream
        pacer = visit.pacer = call.account.pacer if call.target.host is None else None
        payer = "" if pacer is None else report.who
        token = tokens.ready()
        if token is None:
            token = await self._timed(visit, tokens.first())
        while True:
            if pacer is not None and not pacer.goes(call.endpoint, payer):
                await visit.turn(call.endpoint, payer)
            request = self._sending(visit, call, token)
            try:
                answer = await upstream.send(request)
            except UpstreamStaleError as stale:
                answer = await upstream.send(visit.again(request, stale))
            received = self._received(visit, call, answer)
            verdict = received.glance(call.method)
            if verdict is None:
                # Zoom may have refused the call on its head alone, and left its body unread: what
                # is sent next on that connection would be taken for the body.
                verdict = await received.judge(let_go=call.body is None)
                report.lacking = received.lacking
            if not verdict.refuses:
                if verdict is Verdict.ACCEPTED:
                    tokens.accepted(token)
                elif received.status == LIMITED and await self._limited.again(
                    visit, call, received
                ):
                    await self._drop(visit, call, received)
                    # If there is none, Zoom's answer to the old one says what is to be done.
                    token = tokens.ready() or token
                    continue
                visit.settled(call.endpoint, received)
                return received
            better = await self._better(visit, tokens, token, verdict)
            if better is None:
                return received
            await self._drop(visit, call, received)
            report.replays += 1
            token = better

    async def _drop(self, visit: Visit, call: Call, received: Received) -> None:
        """Let go of an answer that is not passed on: the call is sent again."""
        visit.received = None
        await received.close(reuse=call.body is None)

    def _sending(self, visit: Visit, call: Call, token: Token) -> UpstreamRequest:
        visit.sent_at = visit.sent_at or self._now()
        visit.report.generation = token.generation
        if visit.steps is not None:
            visit.steps.sent(token.generation, self._now())
        body = None if visit.spool is None else visit.spool.stream()
        fields = call.fields
        if self._propagate:
            fields = [*fields, *carried(call.headers, visit.report.trace)]
        fields = authorized(fields, token.value.reveal())
        return UpstreamRequest(
            call.method,
            call.target.upstream,
            fields,
            body,
            fresh=body is not None and visit.sent_before,
        )

    def _received(self, visit: Visit, call: Call, answer: UpstreamAnswer) -> Received:
        if visit.steps is not None:
            visit.steps.answered(answer.status, self._now())
        kind = Received if call.target.host is None else ReceivedElsewhere
        visit.received = received = kind(answer)
        return received

    async def _better(
        self, visit: Visit, tokens: CallTokens, refused: Token, verdict: Verdict
    ) -> Token | None:
        """After a refusal: the token to send the call again with, if it can be sent again."""
        report = visit.report
        if visit.steps is not None:
            visit.steps.refused(self._now())
        report.outcome = ReplayOutcome.REFUSED
        expired = verdict is Verdict.EXPIRED
        if report.replays + 1 == MAX_SENDINGS:
            return None
        if not visit.can_replay():
            report.outcome = ReplayOutcome.IMPOSSIBLE
            self._background.tell(tokens.better(refused, expired=expired))
            return None
        report.outcome = ReplayOutcome.FAILED  # if the call ends while we wait
        waited = report.token_wait
        better = await self._timed(visit, tokens.better(refused, expired=expired))
        visit.paused += report.token_wait - waited
        if better is None:
            report.outcome = ReplayOutcome.REFUSED
        elif not visit.can_replay():  # its body went on streaming meanwhile
            report.outcome = ReplayOutcome.IMPOSSIBLE
            return None
        return better

    async def _timed(self, visit: Visit, waiting: Coroutine[Any, Any, T]) -> T:
        began = self._now()
        try:
            return await waiting
        finally:
            ended = self._now()
            visit.report.token_wait += ended - began
            if visit.steps is not None:
                visit.steps.waited(began, ended)
