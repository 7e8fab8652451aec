"""A `Tokens` in memory: hands out tokens one after the other and remembers what it hears."""

import asyncio

from gateway.core.endpoint import Endpoint
from gateway.core.errors import TokenUnavailableError
from gateway.core.secret import Secret
from gateway.core.token import Cause, SlotId, Token


def token(generation: int) -> Token:
    return Token(
        value=Secret(f"token-{generation}"),
        slot=SlotId("app", 0),
        generation=generation,
        issued_at=0.0,
        expires_at=3600.0,
        cause=Cause.START,
        minter="test",
    )


class ScriptedTokens:
    """Implements `Tokens`. Up to `supply` tokens, the first of generation 1, can be had."""

    def __init__(self, supply: int = 9) -> None:
        self.supply = supply
        self.current = 1
        self.refused: list[int] = []
        self.accepted: list[int] = []
        self.endpoints: list[Endpoint] = []
        self.gate: asyncio.Event | None = None
        """Holds `better` until it is set."""
        self.first_gate: asyncio.Event | None = None
        self.unavailable: TokenUnavailableError | None = None
        self.fault: Exception | None = None
        """Raised by `better`, against its contract."""
        self.cancelled = 0
        self.asked = asyncio.Event()
        """Set when `better` is called."""

    def call(self, endpoint: Endpoint) -> "ScriptedCall":
        self.endpoints.append(endpoint)
        return ScriptedCall(self)


class ScriptedCall:
    def __init__(self, tokens: ScriptedTokens) -> None:
        self._tokens = tokens

    def ready(self) -> None:
        """Who asks has to wait."""

    async def first(self) -> Token:
        tokens = self._tokens
        await _pass(tokens.first_gate, tokens)
        if tokens.unavailable is not None:
            raise tokens.unavailable
        return token(tokens.current)

    async def better(self, refused: Token, *, expired: bool = False) -> Token | None:
        del expired
        tokens = self._tokens
        tokens.refused.append(refused.generation)
        tokens.asked.set()
        await _pass(tokens.gate, tokens)
        if tokens.fault is not None:
            raise tokens.fault
        if refused.generation == tokens.current:
            if tokens.current >= tokens.supply:
                return None
            tokens.current += 1
        return token(tokens.current)

    def accepted(self, token: Token) -> None:
        self._tokens.accepted.append(token.generation)


async def _pass(gate: asyncio.Event | None, tokens: ScriptedTokens) -> None:
    if gate is None:
        return
    try:
        await gate.wait()
    except asyncio.CancelledError:
        tokens.cancelled += 1
        raise
