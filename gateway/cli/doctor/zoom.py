"""Zoom's two hosts: names, connections, TLS, an answer, and its clock."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from gateway import wiring
from gateway.cli.doctor import calls, names, tls
from gateway.cli.doctor.calls import Answer
from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.cli.doctor.running import milliseconds
from gateway.core.egress import EgressProxy
from gateway.core.errors import UpstreamError
from gateway.wiring import Way
from gateway.zoom.upstream import HttpUpstream

PATIENCE: Final = 10.0
"""Seconds for an answer."""

SKEW: Final = 30.0
"""Seconds of difference between two clocks that somebody should look at."""

_FAULT: Final = 500


async def way(case: Case, to: Way) -> AsyncIterator[Finding]:
    """Everything up to an answer; what cannot work any more is not tried."""
    case.reached[to.key] = False
    addresses: list[names.IpAddress] = []
    first = to
    if to.proxy is not None:
        # It resolves the names of others, so that its own is the only one to be known here.
        yield _proxied(to, to.proxy)
        first = replace(to, key=to.proxy.source, host=to.proxy.host, port=to.proxy.port)
    async for finding in names.resolve(first, addresses):
        yield finding
    if not addresses:
        return
    seconds = case.settings.upstream.connect_timeout
    async for finding in names.families(first, addresses, seconds):
        yield finding
    handshake = await tls.handshake(to, seconds)
    if handshake is not None:
        yield handshake
        if handshake.level is Level.PROBLEM:
            return
    async for finding in _reach(case, to):
        yield finding


def _proxied(to: Way, proxy: EgressProxy) -> Finding:
    text = f"The way to {to.host} is by the proxy {proxy} ({proxy.source})."
    details = {"host": to.host, "proxy": str(proxy), "source": proxy.source}
    return Finding(Code.PROXY_USED, Level.OK, to.key, text, details=details)


async def _reach(case: Case, to: Way) -> AsyncIterator[Finding]:
    """A GET without credentials: any answer of Zoom's will do."""
    api, target, what = _asked(case, to)
    try:
        async with asyncio.timeout(PATIENCE):
            answer = await calls.get(api, target)
    except (TimeoutError, UpstreamError) as problem:
        why = str(problem) or f"no answer within {PATIENCE:g} s"
        advice = f"Check {to.key}; see Zoom's status page, and what stands between."
        yield Finding(
            Code.UNREACHABLE, Level.PROBLEM, to.key, f"{what} gives no answer: {why}.", advice
        )
        return
    finally:
        await api.close()
    case.reached[to.key] = True
    yield _answered(to, what, answer)
    yield _clock(to, answer)


def _asked(case: Case, to: Way) -> tuple[HttpUpstream, bytes, str]:
    """Whom, for what, and what to call it."""
    settings = case.settings
    if to.key == "upstream.api_url":
        url = settings.upstream.api_origin
        return wiring.upstream(settings), settings.token.probe_path.encode(), f"The API at {url}"
    url = settings.upstream.token_url
    return wiring.token_host(settings), urlsplit(url).path.encode(), f"The token endpoint at {url}"


def _answered(to: Way, what: str, answer: Answer) -> Finding:
    took = milliseconds(answer.took)
    details = {"status": answer.status, "time_ms": took}
    page = answer.is_page
    # The token endpoint answers a GET, which it does not know, with any page it likes.
    if answer.status < _FAULT and not (page and to.key == "upstream.api_url"):
        text = f"{what} answers in {took} ms (status {answer.status} without credentials)."
        return Finding(Code.REACHED, Level.OK, to.key, text, details=details)
    kind = "a web page" if page else "a fault"
    return Finding(
        Code.ANSWER_STRANGE,
        Level.WARNING,
        to.key,
        f"{what} answers with {kind}, status {answer.status}.",
        "A firewall or a proxy may answer in Zoom's place; or Zoom is in trouble: see its status "
        "page.",
        details,
    )


def _clock(to: Way, answer: Answer) -> Finding:
    if answer.ahead is None:
        text = f"The answer of {to.host} tells no time, so this machine's clock was not compared."
        return Finding(Code.CLOCK_UNKNOWN, Level.NOTICE, to.key, text)
    ahead, tolerance = answer.ahead, 1.0 + answer.took / 2
    details = {"skew_ms": milliseconds(ahead), "tolerance_ms": milliseconds(tolerance)}
    amount = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} that of {to.host}"
    if abs(ahead) - tolerance <= SKEW:
        near = abs(ahead) <= tolerance
        text = f"This machine's clock is {f'that of {to.host}' if near else amount}."
        return Finding(Code.CLOCK_OK, Level.OK, to.key, text, details=details)
    return Finding(
        Code.CLOCK_SKEWED,
        Level.WARNING,
        to.key,
        f"This machine's clock is {amount}.",
        "Let NTP set it. Tokens do not suffer, as their lives are measured by a steady clock; but "
        "certificates may seem to be invalid, and logs and Retry-After times are wrong.",
        details,
    )
