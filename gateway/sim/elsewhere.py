"""Zoom's other hosts, and a stranger's, as the `Host` field names them.

::

    fileapi, file      uploads: the first sends them on to the second; both want the token
    us02web, zoom.us   recordings: with the token, a redirect to where they are kept
    ssrweb             keeps them: a signed address, and nobody may show a token
    *.storage.example  the same, at a stranger's: a token that comes there has leaked
"""

import re
from dataclasses import replace

from gateway.sim import answers, api
from gateway.sim.answers import Answer
from gateway.sim.caller import check
from gateway.sim.exchange import Exchange
from gateway.sim.recordings import refusal, serve
from gateway.sim.refusals import judge, refuse
from gateway.sim.state import SimState

ZOOMS = re.compile(r"(?:([a-z0-9-]+)\.)?(zoom\.us|zoomgov\.com)")
STRANGERS = "recordings.storage.example"
APIS = re.compile(r"api(-[a-z0-9]+)?")
TOOK_PAGES = "text/html; charset=UTF-8"
PAGE = b"<html><head><title>Zoom</title></head><body>Please enter the passcode.</body></html>"
DOWNLOAD = re.compile(r"/rec/(?:archive/)?download/([A-Za-z0-9_.-]+)")
KEPT = re.compile(r"/replay/([A-Za-z0-9_.-]+)\.mp4")
COOKIE = ("Set-Cookie", "_zm_ssid=sim; Path=/; Domain=zoom.us; Secure; HttpOnly")


def named(exchange: Exchange) -> str | None:
    """The host that a call is for, if it is none of the API's."""
    host = (exchange.header("Host") or "").partition(":")[0].lower()
    zooms = ZOOMS.fullmatch(host)
    if zooms and not APIS.fullmatch(zooms[1] or ""):
        return host
    return host if host.endswith(".storage.example") else None


async def handle(state: SimState, exchange: Exchange, host: str) -> Answer:
    """Answer a call of one of these hosts. Raises BodyAbortedError."""
    label = host.partition(".")[0]
    if label in {"fileapi", "file"}:
        return await _upload(state, exchange, label)
    state.ledger.counts["calls"] += 1
    checked = check(exchange.target, exchange.request.raw_headers, "bearer")
    for reason in checked.hard:
        state.ledger.violation(reason, exchange.at)
    await exchange.read_body()
    if host.endswith(".storage.example"):
        return _strangers(state, exchange)
    if label == "ssrweb":
        return _storage(state, exchange, checked.credential)
    return _web(state, exchange, host, checked.credential)


async def _upload(state: SimState, exchange: Exchange, label: str) -> Answer:
    faults = state.board.faults.hosts
    if label == "file" or not faults.uploads_move:
        return await api.handle(state, exchange)
    credential = check(exchange.target, exchange.request.raw_headers, "bearer").credential
    verdict = judge(state, exchange, credential, api.OTHER)
    if verdict.message:
        await exchange.read_body()
        return refuse(state, verdict)
    if not state.board.faults.refuse_early:
        await exchange.read_body()
    zooms = ZOOMS.fullmatch((exchange.header("Host") or "").lower())
    domain = zooms[2] if zooms else "zoom.us"
    return _moved(f"https://file.{domain}{exchange.target}", faults.upload_status)


def _web(state: SimState, exchange: Exchange, host: str, credential: str | None) -> Answer:
    found = DOWNLOAD.fullmatch(exchange.path)
    faults = state.board.faults.hosts
    if found is None or faults.page:
        return replace(Answer(200, PAGE, TOOK_PAGES), headers=(COOKIE,))
    verdict = judge(state, exchange, credential, api.OTHER)
    if verdict.message:
        return refuse(state, verdict)
    if faults.location is not None:
        return _moved(faults.location, 302)
    if faults.storage == "here":
        return serve(exchange, found[1])
    kept, wall = f"/replay/{found[1]}.mp4", state.clock.wall()
    if faults.storage == "elsewhere":
        return _moved(f"https://{STRANGERS}{state.signer.sign(kept, wall, 'X-Amz-Signature')}", 302)
    domain = "zoomgov.com" if host.endswith("zoomgov.com") else "zoom.us"
    return _moved(f"https://ssrweb.{domain}{state.signer.sign(kept, wall)}", 302)


def _storage(state: SimState, exchange: Exchange, credential: str | None) -> Answer:
    if not state.signer.holds(exchange, state.clock.wall()):
        return refusal(403, "AccessDenied")
    if state.board.faults.hosts.storage_asks:
        if credential is None:
            return refusal(403, "MissingKey")
        verdict = judge(state, exchange, credential, api.OTHER)
        return refuse(state, verdict) if verdict.message else _kept(exchange)
    if exchange.header("Authorization") is not None:
        state.ledger.counts["tokens_to_storage"] += 1
        return refusal(400, "InvalidArgument")
    return _kept(exchange)


def _strangers(state: SimState, exchange: Exchange) -> Answer:
    if exchange.header("Authorization") is not None:
        state.ledger.violation("a stranger's host was shown a token", exchange.at)
        return refusal(400, "InvalidArgument")
    if not state.signer.holds(exchange, state.clock.wall(), "X-Amz-Signature"):
        return refusal(403, "AccessDenied")
    return _kept(exchange)


def _kept(exchange: Exchange) -> Answer:
    found = KEPT.fullmatch(exchange.path)
    return serve(exchange, found[1]) if found else refusal(404, "NoSuchKey")


def _moved(location: str, status: int) -> Answer:
    moved = answers.html(status, "Found")
    return replace(moved, headers=(("Location", location), COOKIE))
