"""Operations for which the app, or the token that was shown, has no scope."""

from gateway.sim import answers
from gateway.sim.answers import Answer
from gateway.sim.exchange import Exchange
from gateway.sim.rules import parse_rule
from gateway.sim.state import SimState


def lacking_scopes(state: SimState, exchange: Exchange, template: str, scope: str) -> Answer | None:
    """Return the error of an operation whose scopes the app lacks, or its token.

    `scope` is the token's: what the app had when it was minted.
    """
    place = (exchange.method, exchange.path, template)
    held = set(scope.split())
    config = state.config
    demands = [*config.missing_scopes.items()]
    demands += [one for one in config.required_scopes.items() if held.isdisjoint(one[1])]
    for operation, scopes in demands:
        if scopes and parse_rule(operation).matches(*place):
            form = state.board.faults.scope_error
            listed = ", ".join(scopes)
            message = f"Invalid access token, does not contain scopes:[{listed}]."
            return answers.zoom_error(form.status, form.code, message)
    return None
