"""What is told of one call, for metrics, logs and the status page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.core.ratelimit import Limited
from gateway.core.trace import CallTrace


class ReplayOutcome(StrEnum):
    """How a refused call ended; the value is the metric's `outcome` label."""

    RECOVERED = "recovered"
    """Sent again, and not refused."""
    REFUSED = "refused"
    """Zoom's refusal was passed on."""
    IMPOSSIBLE = "impossible"
    """The body was too large to be kept, so the refusal was passed on."""
    FAILED = "failed"
    """Sending it again met an error."""


class RetryOutcome(StrEnum):
    """How a call ended that was to be sent again for a limit's sake; the metric's `outcome`."""

    RECOVERED = "recovered"
    """Sent again, and not limited any more."""
    LIMITED = "limited"
    """It was sent as often as it may be; the last 429 was passed on."""
    TOO_LATE = "too_late"
    """Its time was too far away: the 429 was passed on."""
    IMPOSSIBLE = "impossible"
    """The body was too large to be kept, so the 429 was passed on."""
    FAILED = "failed"
    """Waiting for its time, or sending it again, met an error."""


@dataclass(slots=True)
class Throttling:
    """What Zoom's rate limits did to one call."""

    seen: list[Limited] = field(default_factory=list)
    """Every 429 of it, in order."""
    retries: int = 0
    outcome: RetryOutcome | None = None
    """None: it was not to be sent again."""


@dataclass(slots=True)
class CallReport:
    """One call of the proxy, for metrics and the access log. Durations in seconds.

    Filled in along the journey. Holds no query value, no body, no token.
    """

    request_id: str
    caller: str
    """The caller's address."""
    account: str
    method: str
    """`other` if unknown."""
    route: str
    """The path template, or `other`."""
    status: int = 0
    """The status that the caller saw; 499 if it went away before."""
    duration: float = 0.0
    upstream_duration: float = 0.0
    """From the first sending to the last answer's end, without waiting for tokens."""
    token_wait: float = 0.0
    pace_wait: float = 0.0
    """Waiting for its turn within Zoom's rate limits."""
    generation: int = 0
    """Of the token that was sent last; 0: none."""
    replays: int = 0
    outcome: ReplayOutcome | None = None
    """None: the call was never refused."""
    bytes_in: int = 0
    bytes_out: int = 0
    tracking_id: str = ""
    """`x-zm-trackingid`: what Zoom's support asks for."""
    error: str = ""
    """The slug of an answer that the gateway itself made."""
    denied: str = ""
    """Why the access policy refused the call: `rule`, `default` or `key`; empty: it did not."""
    rule: str = ""
    """What decided that, or gave the real token: a rule's name, `default`, or `spelling`."""
    lent: tuple[str, int] | None = None
    """Account and generation of the real token that the caller was given, by `rule`."""
    lacking: tuple[str, ...] | None = None
    """The scopes of which Zoom misses one, as far as it names them; None: it misses none."""
    reason: str = ""
    """What is wrong with Zoom, or with the way there, in words; with some of the slugs."""
    trace: CallTrace | None = None
    """None: the call belongs to no trace."""
    caller_name: str = ""
    """A name of the caller's certificate; empty if it showed none."""
    secure: bool = False
    """Whether the caller spoke TLS."""
    host: str = ""
    """Zoom's host that the call named; empty: the API."""
    key: str = ""
    """The name of the key that the caller showed; empty if it showed none."""
    category: str | None = None
    """Of Zoom's rate limits, as the table of operations has it."""
    told: Mapping[bytes, bytes] | None = None
    """The header of the last answer that told what is left of a limit; None: none did."""
    throttling: Throttling | None = None
    """None: the call met no rate limit."""

    @property
    def who(self) -> str:
        """Who calls, as people call it: by key, certificate, or address."""
        return self.key or self.caller_name or self.caller or "unix socket"
