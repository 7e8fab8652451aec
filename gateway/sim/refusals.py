"""Whether a token is refused, and in which words."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sim import answers
from gateway.sim.answers import Answer
from gateway.sim.exchange import Exchange
from gateway.sim.faults import VARIANTS
from gateway.sim.rules import PathRule, parse_rule
from gateway.sim.state import SimState
from gateway.sim.tokens import Standing, fingerprint

INVALID = "Invalid access token."
EXPIRED = "Access token is expired."
INVALID_CODE = 124


@dataclass(frozen=True, slots=True)
class Verdict:
    """`message` is set when the token is refused; `status` is 401, or 400 where so set."""

    account_id: str | None
    message: str | None
    status: int = 401
    scope: str = ""
    """Of the token, if it is good."""


def judge(state: SimState, exchange: Exchange, credential: str | None, template: str) -> Verdict:
    """Decide about the token at the moment when the call's head arrived."""
    status = 401
    place = (exchange.method, exchange.path, template)
    if matches(map(parse_rule, state.config.refuse_with_400), place):
        status = 400
    if "access_token" in exchange.query:
        return Verdict(None, VARIANTS["query"][1], status)
    if credential is None:
        return Verdict(None, INVALID, status)
    standing, token = state.tokens.find(credential, exchange.at)
    exchange.token = token.fingerprint if token else fingerprint(credential)
    if token is None:
        state.ledger.counts["unknown_tokens"] += 1
        return Verdict(None, INVALID, status)
    if standing is Standing.EXPIRED:
        return Verdict(None, EXPIRED, status)
    if standing is not Standing.LIVE or _refused_by_fault(state, place):
        return Verdict(None, INVALID, status)
    return Verdict(token.account_id, None, scope=token.scope)


def refuse(state: SimState, verdict: Verdict, *, early: bool = False) -> Answer:
    """Answer a refused token in the form that the faults ask for."""
    state.ledger.counts["refusals"] += 1
    faults = state.board.faults
    form = faults.refusal
    status = form.status or verdict.status
    code, message = VARIANTS.get(form.variant or "", (INVALID_CODE, verdict.message))
    code = code if form.code is None else form.code
    message = message if form.message is None else form.message
    answer = answers.zoom_error(status, code, message or "")
    if form.form == "empty":
        answer = Answer(status, b"", None)
    elif form.form == "html":
        answer = answers.html(status, "Authorization Required")
    cookie = "zm_aid=; Path=/; Domain=zoom.us; Max-Age=0; Secure; HttpOnly"
    headers = (("Set-Cookie", cookie),) if status == 401 else ()  # noqa: PLR2004
    return Answer(
        status,
        answer.body,
        answer.content_type,
        headers,
        hang_up=early and not faults.drain,
    )


def matches(rules: Iterable[PathRule], place: tuple[str, str, str]) -> bool:
    return any(rule.matches(*place) for rule in rules)


def _refused_by_fault(state: SimState, place: tuple[str, str, str]) -> bool:
    faults = state.board.faults
    if faults.refuse_all or matches(faults.refuse_paths, place):
        return True
    return faults.refuse_next is not None and state.board.use("refuse_next")
