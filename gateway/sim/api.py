"""One API call's journey: caller check, token, faults, limits, operation."""

import asyncio

from gateway.sim import answers
from gateway.sim.answers import Answer
from gateway.sim.caller import check
from gateway.sim.catalog import OPERATIONS
from gateway.sim.exchange import Exchange
from gateway.sim.mishaps import mishap, redirected, slowness
from gateway.sim.operations import Call, Operation
from gateway.sim.ratelimit import Draw
from gateway.sim.refusals import judge, refuse
from gateway.sim.scopes import lacking_scopes
from gateway.sim.state import SimState

OTHER = "other"
"""The template of paths that belong to no operation."""


async def handle(state: SimState, exchange: Exchange) -> Answer:
    """Answer a call of the API. Raises BodyAbortedError when the sender hangs up."""
    found = OPERATIONS.find(exchange.method, exchange.path)
    template = found[0].template if found else OTHER
    state.ledger.counts["calls"] += 1
    state.ledger.endpoints[f"{exchange.method} {template}"] += 1
    checked = check(exchange.target, exchange.request.raw_headers, "bearer")
    for reason in (*checked.soft, *checked.hard):
        state.ledger.violation(reason, exchange.at)
    verdict = judge(state, exchange, checked.credential, template)
    await asyncio.sleep(slowness(state, exchange, template))
    broken = checked.hard and state.config.strict
    if verdict.message and state.board.faults.refuse_early and not broken:
        return refuse(state, verdict, early=True)
    await exchange.read_body()
    if broken:
        return answers.zoom_error(400, 300, checked.hard[0])
    if verdict.message or verdict.account_id is None:
        return refuse(state, verdict)
    return _act(state, exchange, (verdict.account_id, verdict.scope), found)


def _act(
    state: SimState,
    exchange: Exchange,
    token: tuple[str, str],
    found: tuple[Operation, tuple[str, ...]] | None,
) -> Answer:
    """Answer a call whose token is good: its account, and its scope."""
    account_id, scope = token
    template = found[0].template if found else OTHER
    if answer := redirected(state, exchange, template):
        return answer
    trouble = mishap(state, exchange, template)
    if trouble.instead is not None:
        return trouble.instead
    if found is None:
        return trouble.apply(answers.zoom_error(400, 2300, "This API endpoint is not recognized."))
    operation, segments = found
    if missing := lacking_scopes(state, exchange, template, scope):
        return trouble.apply(missing)
    user = segments[0] if operation.per_user else None
    ruling = state.limiter.take(Draw(account_id, operation.category, user), state.config)
    if ruling.refusal is not None:
        state.ledger.counts["rate_limited"] += 1
        return trouble.apply(ruling.refusal)
    answer = _run(state, exchange, account_id, (operation, segments))
    return trouble.apply(answers.with_headers(answer, ruling.headers))


def _run(
    state: SimState,
    exchange: Exchange,
    account_id: str,
    found: tuple[Operation, tuple[str, ...]],
) -> Answer:
    operation, segments = found
    assert exchange.body is not None  # noqa: S101  handle reads it before
    call = Call(state, exchange, exchange.body, state.world(account_id), segments)
    answer = operation.run(call)
    if answer.status < 400:  # noqa: PLR2004  the HTTP classes of success and redirection
        state.ledger.act(exchange.header("X-Operation-Id"))
    return answer
