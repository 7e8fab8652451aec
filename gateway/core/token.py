"""Tokens, the slots they are minted in, and how long each may be given away."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.core.secret import Secret

MARGIN: Final = 60.0
"""Seconds before its expiry in which a token is not given to a new call: a call may be
queued at Zoom, and the two clocks may differ."""

MARGIN_SHARE: Final = 1 / 20
"""The margin is never more than this share of the life, so that short lives work too."""


@dataclass(frozen=True, slots=True, order=True)
class SlotId:
    """Where a token is minted: an app's name (ours, not its client id) and a token index."""

    app: str
    index: int

    def __str__(self) -> str:
        return f"{self.app}/{self.index}"


class Cause(StrEnum):
    """Why a token was minted; the value is the metric's `reason` label."""

    START = "start"
    """There was none."""
    ROTATION = "rotation"
    """Ahead of expiry."""
    EXPIRY = "expiry"
    """The last one ran out before a rotation succeeded."""
    REFUSAL = "refusal"
    """Zoom refused the last one. Draws on the mint budget."""
    REQUEST = "request"
    """An operator asked for it."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The token endpoint's good answer.

    `lifetime` is in seconds and counts from the moment the request was sent.
    """

    value: Secret
    lifetime: float
    scope: str = ""
    api_url: str | None = None
    previous_secret: bool = False
    """True if Zoom took only the previous client secret."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token. Times are seconds on the clock of the document that holds it."""

    value: Secret
    slot: SlotId
    generation: int
    """One counter per account, grows with every published mint: it names the token."""
    issued_at: float
    expires_at: float
    cause: Cause
    minter: str
    """The replica's name."""
    scope: str = ""
    api_url: str | None = None
    accepted_at: float | None = None
    """When any replica first saw Zoom accept it."""
    previous_secret: bool = False
    """It was minted with the previous client secret: Zoom took no other."""

    @property
    def lifetime(self) -> float:
        return self.expires_at - self.issued_at

    @property
    def usable_until(self) -> float:
        """The moment from which no new call gets it."""
        return self.expires_at - min(MARGIN, self.lifetime * MARGIN_SHARE)

    def usable(self, now: float) -> bool:
        return now < self.usable_until

    def __repr__(self) -> str:
        accepted = "accepted" if self.accepted_at is not None else "not seen accepted"
        return f"<Token {self.generation} of {self.slot}, {accepted}>"
