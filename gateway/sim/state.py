"""Everything a simulated Zoom remembers, in one place."""

import random
from collections.abc import Callable

from gateway.sim.clock import SimClock
from gateway.sim.config import Account, App, SimConfig
from gateway.sim.faults import FaultBoard
from gateway.sim.ledger import Ledger
from gateway.sim.modes import parse_mode
from gateway.sim.ratelimit import RateLimiter
from gateway.sim.recordings import Signer
from gateway.sim.tokens import Token, TokenBook
from gateway.sim.world import World


class SimState:
    """Plain state without I/O; `config` may be replaced while running."""

    def __init__(self, config: SimConfig, clock: Callable[[], float]) -> None:
        self.config = config
        self.clock = SimClock(clock)
        self.board = FaultBoard()
        self.ledger = Ledger()
        self.tokens = TokenBook()
        self.signer = Signer()
        self.limiter = RateLimiter(self.clock)
        self.chance = random.Random(config.seed)  # noqa: S311  no secret depends on it
        self._worlds: dict[str, World] = {}
        self._replies = 0

    def world(self, account_id: str) -> World:
        """Return an account's users and meetings, seeded at the first look."""
        if account_id not in self._worlds:
            self._worlds[account_id] = World(account_id, self.config.users)
        return self._worlds[account_id]

    def find_app(self, client_id: str) -> tuple[Account, App] | None:
        """Return an app and its account by the app's client id."""
        for account in self.config.accounts:
            for app in account.apps:
                if app.client_id == client_id:
                    return account, app
        return None

    def mint(self, account: Account, app: App, index: int, *, foreign: bool = False) -> Token:
        """Issue a token by the rules of the mode, and count it."""
        now = self.clock.now()
        before = len(self.tokens.live(now))
        slot = (account.account_id, app.client_id, index)
        mode = parse_mode(self.config.mode)
        life, scope = self.config.token_life, self.config.scope
        token = self.tokens.mint(slot, mode, now, life, scope)
        self.ledger.mint(app.client_id, index, foreign=foreign)
        self.ledger.counts["superseded"] += before + 1 - len(self.tokens.live(now))
        return token

    def tracking_id(self) -> str:
        """Return a new value of x-zm-trackingid."""
        self._replies += 1
        return f"v=2.0;clid=us02;rid=WEB_{self._replies:032x}"
