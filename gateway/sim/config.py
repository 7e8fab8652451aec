"""What a simulated Zoom is made of: accounts, apps, token rules and limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.sim.modes import parse_mode
from gateway.sim.rules import parse_rule

Plan = Literal["free", "pro", "business"]
RateHeaders = Literal["full", "category", "mixed"]
Coding = Literal["gzip", "deflate"]

SCOPE = "user:read:user:admin user:read:list_users:admin meeting:write:meeting:admin"


@dataclass(frozen=True, slots=True)
class App:
    """A Server-to-Server OAuth app; `previous_client_secret` works while the overlap is on."""

    client_id: str
    client_secret: str = field(repr=False)
    previous_client_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """A Zoom account and its apps."""

    account_id: str
    apps: tuple[App, ...]


DEMO_ACCOUNT = Account(
    "demo-account",
    (App("demo-client", "demo-secret"), App("demo-client-2", "demo-secret-2")),
)


@dataclass(frozen=True, slots=True)
class SimConfig:
    """Everything that can be set before the start; `POST /_sim/config` changes some later.

    Times are in seconds. Raises ValueError when a value makes no sense.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free port."""
    mode: str = "single"
    """`single`, `max:N`, `multi` or `app-max:N`."""
    token_life: float = 3599
    expires_in: int | None = None
    """What the token answer says; None says the real life, in whole seconds."""
    accounts: tuple[Account, ...] = (DEMO_ACCOUNT,)
    scope: str = SCOPE
    max_index: int = 9
    """The highest token index that modes with indexes accept."""
    index_allowed: bool = True
    """Whether the plan has token indexes other than 0 at all."""
    overlap: bool = True
    """Whether an app's previous secret still works."""
    rate_plan: Plan | None = None
    rate_scale: float = 1.0
    """Multiplies every limit of the plan (never below 1), to reach daily limits sooner."""
    rate_headers: RateHeaders = "mixed"
    """`mixed`: every third answer carries the category alone, as Zoom's do."""
    strict: bool = True
    """Whether a caller that breaks the rules of a proxy's behaviour gets 400."""
    users: int = 35
    page_size: int = 30
    max_page_size: int = 300
    compress: Coding | None = None
    missing_scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Scopes that the app lacks, by operation: `{"GET /v2/users": ("user:read:…",)}`."""
    required_scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Scopes of which a token needs one, by operation. A token has the `scope` of its mint."""
    refuse_with_400: tuple[str, ...] = ()
    """Operations that answer a bad token with 400 instead of 401: `"GET /v2/users"`."""
    api_url: str | None = None
    """What the token answer names; None takes the Host that the caller used."""
    seed: int = 0
    """Of the chance in `drop_share`."""

    def __post_init__(self) -> None:
        parse_mode(self.mode)
        for operation in (*self.missing_scopes, *self.required_scopes, *self.refuse_with_400):
            parse_rule(operation)
        if self.token_life <= 0:
            raise ValueError("token_life must be more than 0")
        if self.max_index < 0 or self.users < 1 or self.rate_scale <= 0:
            raise ValueError("max_index, users and rate_scale must be positive")
        if not 1 <= self.page_size <= self.max_page_size:
            raise ValueError("page_size must be from 1 to max_page_size")
        clients = [app.client_id for account in self.accounts for app in account.apps]
        if not clients or len(set(clients)) < len(clients):
            raise ValueError("there must be an app, and no client_id twice")

    @property
    def reported_expires_in(self) -> int:
        """The `expires_in` of token answers, in seconds."""
        return int(self.token_life) if self.expires_in is None else self.expires_in
