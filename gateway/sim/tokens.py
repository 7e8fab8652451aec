"""The tokens that were issued: which live, which were killed, which have expired."""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from gateway.sim.modes import Mode

MOST_DEAD = 10_000
"""Dead tokens remembered; older ones are then unknown, which answers the same."""


class Standing(Enum):
    """What the API thinks of a presented token."""

    LIVE = "live"
    EXPIRED = "expired"
    KILLED = "killed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Token:
    """An issued token. Times are monotonic seconds; `app` is the client id."""

    value: str = field(repr=False)
    fingerprint: str
    account_id: str
    app: str
    index: int
    issued_at: float
    expires_at: float
    scope: str = ""


def fingerprint(value: str) -> str:
    """Return twelve hex digits that name a token without showing it."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:12]


class TokenBook:
    """All tokens of all accounts."""

    def __init__(self) -> None:
        self._live: dict[str, Token] = {}
        self._dead: dict[str, Token] = {}

    def mint(
        self,
        slot: tuple[str, str, int],
        mode: Mode,
        now: float,
        life: float,
        scope: str = "",
    ) -> Token:
        """Issue a token for (account id, app, index) and kill what the mode says.

        The older tokens of the group are counted whether expired or not: an expired one is
        always older than a live one, so it never displaces it.
        """
        account_id, app, index = slot
        rivals = [t for t in self._live.values() if t.app == app]
        if not mode.ignores_index:
            rivals = [t for t in rivals if t.index == index]
        if mode.limit is not None:
            # Insertion order is issue order: the newest stand last.
            self._bury(rivals[: max(0, len(rivals) - mode.limit + 1)])
        value = _jwt_like(account_id, now + life)
        token = Token(value, fingerprint(value), account_id, app, index, now, now + life, scope)
        self._live[value] = token
        self._forget_expired(now)
        return token

    def find(self, value: str, now: float) -> tuple[Standing, Token | None]:
        """Return the standing of a presented value, and the token if it was ever issued."""
        if token := self._live.get(value):
            return (Standing.LIVE if now < token.expires_at else Standing.EXPIRED), token
        if token := self._dead.get(value):
            return Standing.KILLED, token
        return Standing.UNKNOWN, None

    def live(self, now: float) -> list[Token]:
        """Return the tokens that the API accepts, oldest first."""
        return [token for token in self._live.values() if now < token.expires_at]

    def kill(self, tokens: Iterable[Token]) -> int:
        """Kill tokens; returns how many."""
        chosen = list(tokens)
        self._bury(chosen)
        return len(chosen)

    def clear(self) -> None:
        """Forget everything that was ever issued."""
        self._live.clear()
        self._dead.clear()

    def _bury(self, tokens: list[Token]) -> None:
        for token in tokens:
            self._live.pop(token.value, None)
            self._dead[token.value] = token
        while len(self._dead) > MOST_DEAD:
            del self._dead[next(iter(self._dead))]

    def _forget_expired(self, now: float) -> None:
        """Keep a long run in the mode `multi` from growing without end."""
        if len(self._live) > MOST_DEAD:
            oldest = next(iter(self._live.values()))
            if oldest.expires_at <= now:
                del self._live[oldest.value]


def _jwt_like(account_id: str, expires_at: float) -> str:
    """Three base64 parts, as Zoom's; nothing reads them."""
    head = {"sv": "000002", "alg": "HS512", "v": "2.0", "kid": secrets.token_hex(8)}
    body = {"aud": "https://oauth.zoom.us", "ver": 10, "aid": account_id, "exp": int(expires_at)}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=")
        for part in (head, body)
    ]
    return b".".join([*parts, secrets.token_urlsafe(64).encode()]).decode()
