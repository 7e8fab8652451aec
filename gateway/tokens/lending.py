"""The real token, for a caller that goes to Zoom with it on its own."""

from typing import Final

from gateway.core.account import Account, alternatives
from gateway.core.endpoint import Endpoint
from gateway.core.judge import Finding
from gateway.core.token import Token
from gateway.ports import Loan
from gateway.tokens.manager import TokenManager

FRESH: Final = 5.0
"""Seconds for which a proof that a token is alive, or its mint, is good enough."""

LEAST: Final = 60.0
"""Seconds that a token is lent for although its rotation is due, if it lives that long: the mint
that will end it may not succeed yet, and nobody should ask again and again."""

_ENDPOINT: Final = Endpoint("POST", "/oauth/token", "POST /oauth/token")


async def lend(manager: TokenManager) -> Loan:
    """The token that calls get, seen alive just now.

    The gateway does not see how Zoom takes it from its borrower, who can do nothing but ask again
    when it is refused: so a token that was killed must not be lent a second time.
    Raises TokenUnavailableError.
    """
    session = manager.call(_ENDPOINT)
    token = session.ready() or await session.first()
    if not _is_fresh(manager, token):
        finding = await manager.verdict(token, _ENDPOINT.key)
        if finding is Finding.ALIVE:
            session.accepted(token)
        elif finding is Finding.DEAD:
            # None: nothing better is to be had, and calls go on with this one, too.
            token = await session.better(token) or token
        elif finding is Finding.NONE:
            token = session.ready() or token
    account = manager.ledger.view()
    return Loan(token, max(0.0, _ends(account, token, manager.clock.now()) - manager.clock.now()))


def _is_fresh(manager: TokenManager, token: Token) -> bool:
    now = manager.clock.now()
    return now - max(token.issued_at, manager.desk.proven_at(token)) < FRESH


def _ends(account: Account, token: Token, now: float) -> float:
    """When the token's life is over: at its rotation, if that is in its own slot."""
    planned = account.rotate_at
    active = account.active
    own = active is not None and active.generation == token.generation
    if planned is None or not own or alternatives(account, token.slot):
        return token.expires_at
    return min(token.expires_at, max(planned, now + LEAST))
