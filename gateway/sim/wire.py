"""How an answer reaches the connection: headers, compression, cuts and drops."""

import contextlib
import gzip
import zlib
from dataclasses import replace

from aiohttp.web import BaseRequest, Response, StreamResponse
from multidict import CIMultiDict

from gateway.sim.answers import Answer
from gateway.sim.exchange import Exchange
from gateway.sim.state import SimState

ALWAYS = (
    ("Server", "cloudflare"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("Cache-Control", "no-cache, no-store, must-revalidate, no-transform"),
    ("X-Content-Type-Options", "nosniff"),
    ("x-zm-zoneid", "VA2"),
    ("CF-Cache-Status", "DYNAMIC"),
)
GZIP_LEVEL = 1


async def deliver(state: SimState, exchange: Exchange, answer: Answer) -> StreamResponse:
    """Send an answer; a dropped connection gets none."""
    request = exchange.request
    if answer.drop:
        state.ledger.counts["dropped"] += 1
        _hang_up(request)
        return Response()
    answer, coding = _compressed(state, exchange, answer)
    headers = _headers(state, answer, coding)
    if answer.stream is None and answer.cut is None:
        response = Response(status=answer.status, body=answer.body, headers=headers)
        # A caller that was not told to continue may never send the body.
        unread = exchange.body is None and exchange.expects_continue
        if answer.hang_up or unread:
            await _send_and_close(request, response)
        return response
    partial = StreamResponse(status=answer.status, headers=headers)
    # A caller that has gone away meanwhile is no fault.
    with contextlib.suppress(ConnectionError):
        await (_cut if answer.stream is None else _stream)(request, answer, partial)
    return partial


async def _send_and_close(request: BaseRequest, response: Response) -> None:
    response.force_close()
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write_eof()
    _hang_up(request)


def _headers(state: SimState, answer: Answer, coding: str | None) -> CIMultiDict[str]:
    headers = CIMultiDict(ALWAYS)
    tracking = state.tracking_id()
    headers["x-zm-trackingid"] = tracking
    headers["CF-RAY"] = f"{tracking[-16:]}-IAD"
    if answer.content_type is not None:
        headers["Content-Type"] = answer.content_type
    if coding is not None:
        headers["Content-Encoding"] = coding
        headers["Vary"] = "Accept-Encoding"
    headers.extend(answer.headers)
    if state.board.faults.set_cookie is not None:
        headers.add("Set-Cookie", state.board.faults.set_cookie)
    return headers


def _compressed(state: SimState, exchange: Exchange, answer: Answer) -> tuple[Answer, str | None]:
    """Compress the body when that is switched on and the caller accepts it."""
    coding = state.board.faults.compress or state.config.compress
    accepted = (exchange.header("Accept-Encoding") or "").lower()
    if coding is None or coding not in accepted or not answer.body:
        return answer, None
    body = (
        gzip.compress(answer.body, GZIP_LEVEL) if coding == "gzip" else zlib.compress(answer.body)
    )
    return replace(answer, body=body), coding


async def _stream(request: BaseRequest, answer: Answer, response: StreamResponse) -> None:
    await response.prepare(request)
    if answer.stream is None or request.method == "HEAD":
        return
    async for piece in answer.stream:
        await response.write(piece)
        if answer.cut is not None:
            _hang_up(request)
            break


async def _cut(request: BaseRequest, answer: Answer, response: StreamResponse) -> None:
    """Send half of the body, then close: short of its length, or without the last chunk."""
    if answer.cut == "length":
        response.content_length = max(2, len(answer.body))
    await response.prepare(request)
    half = answer.body[: len(answer.body) // 2] or b"{"
    if request.method != "HEAD":
        await response.write(half)
    _hang_up(request)


def _hang_up(request: BaseRequest) -> None:
    """Close the connection after what was written; the rest of the request is not read."""
    request.protocol.force_close()
