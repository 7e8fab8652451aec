"""The control verbs as plain methods; `/_sim/…` offers the same over HTTP."""

from dataclasses import replace
from typing import Any

from gateway.sim import reading
from gateway.sim.clock import iso
from gateway.sim.config import SimConfig
from gateway.sim.reading import ReadError
from gateway.sim.state import SimState
from gateway.sim.tokens import Token

CHANGEABLE: dict[str, reading.Reader] = {
    "mode": reading.text,
    "token_life": reading.positive,
    "expires_in": reading.integer,
    "max_index": reading.count,
    "index_allowed": reading.flag,
    "overlap": reading.flag,
    "missing_scopes": reading.scopes,
    "required_scopes": reading.scopes,
    "refuse_with_400": reading.many(reading.text),
    "rate_plan": reading.choice("free", "pro", "business"),
    "rate_scale": reading.positive,
    "rate_headers": reading.choice("full", "category", "mixed"),
    "api_url": reading.text,
    "max_page_size": reading.count,
    "compress": reading.choice("gzip", "deflate"),
    "strict": reading.flag,
    "scope": reading.text,
}
"""What can change while running; null puts the default back."""

MOST_REQUESTS = 1000


class Control:
    """Every verb raises ReadError (a ValueError) on bad input and changes nothing then."""

    def __init__(self, state: SimState) -> None:
        self._state = state

    def state(self) -> dict[str, Any]:
        """Return mode, clock, live tokens (by fingerprint) and all counters."""
        state, now = self._state, self._state.clock.now()
        return {
            "mode": state.config.mode,
            "clock": {"monotonic": now, "wall": iso(state.clock.wall())},
            "tokens": [_shown(token, now) for token in state.tokens.live(now)],
            **state.ledger.snapshot(),
        }

    def kill(
        self, app: str | None = None, index: int | None = None, *, newest: bool = False
    ) -> dict[str, Any]:
        """Kill live tokens: all, those of an app or slot, or only the newest of those."""
        if app is not None:
            self._known(app)
        chosen = [
            token
            for token in self._state.tokens.live(self._state.clock.now())
            if app in {None, token.app} and index in {None, token.index}
        ]
        killed = self._state.tokens.kill(chosen[-1:] if newest else chosen)
        self._state.ledger.counts["kills"] += killed
        return {"killed": killed}

    def mint(self, app: str | None = None, index: int = 0) -> dict[str, Any]:
        """Mint as another program with the same credentials would."""
        account, known = self._known(app or self._state.config.accounts[0].apps[0].client_id)
        token = self._state.mint(account, known, index, foreign=True)
        return _shown(token, self._state.clock.now())

    def faults(self) -> dict[str, Any]:
        return self._state.board.as_json()

    def put_faults(self, **faults: Any) -> dict[str, Any]:
        """Replace all faults; see `Faults` for the keys."""
        self._state.board.put(faults)
        return self.faults()

    def patch_faults(self, **faults: Any) -> dict[str, Any]:
        """Change the given faults alone."""
        self._state.board.patch(faults)
        return self.faults()

    def clear_faults(self) -> dict[str, Any]:
        self._state.board.clear()
        return self.faults()

    def reset(self, *, tokens: bool = False) -> dict[str, Any]:
        """Clear counters, faults and rate windows, and the tokens if asked."""
        self._state.ledger.clear()
        self._state.board.clear()
        self._state.limiter.clear()
        if tokens:
            self._state.tokens.clear()
        return self.state()

    def config(self, **changes: Any) -> dict[str, Any]:
        """Change the keys of `CHANGEABLE`; returns them all with their values."""
        values = reading.read_keys(CHANGEABLE, changes)
        fresh = SimConfig()
        values = {k: getattr(fresh, k) if v is None else v for k, v in values.items()}
        try:
            self._state.config = replace(self._state.config, **values)
        except ValueError as error:
            raise ReadError(str(error)) from error
        return {key: getattr(self._state.config, key) for key in CHANGEABLE}

    def rotate_secret(self, app: str, client_secret: str) -> dict[str, Any]:
        """Give an app a new secret; the present one becomes the previous."""
        account, known = self._known(app)
        rotated = replace(
            known, client_secret=client_secret, previous_client_secret=known.client_secret
        )
        apps = tuple(rotated if item is known else item for item in account.apps)
        accounts = tuple(
            replace(item, apps=apps) if item is account else item
            for item in self._state.config.accounts
        )
        self._state.config = replace(self._state.config, accounts=accounts)
        return {"app": app, "overlap": self._state.config.overlap}

    def advance(self, seconds: float) -> dict[str, Any]:
        """Move the clock forward."""
        self._state.clock.advance(seconds)
        return {"monotonic": self._state.clock.now(), "wall": iso(self._state.clock.wall())}

    def requests(self, limit: int = MOST_REQUESTS) -> list[dict[str, Any]]:
        """Return the latest calls (not those of the control), oldest first."""
        return self._state.ledger.latest(limit)

    def _known(self, client_id: str) -> Any:
        found = self._state.find_app(client_id)
        if found is None:
            raise ReadError(f"app: there is no app {client_id!r}")
        return found


def _shown(token: Token, now: float) -> dict[str, Any]:
    return {
        "token": token.fingerprint,
        "account_id": token.account_id,
        "app": token.app,
        "index": token.index,
        "age": round(now - token.issued_at, 3),
        "remaining": round(token.expires_at - now, 3),
    }
