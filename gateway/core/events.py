"""What happens to an account's tokens, in words for metrics, logs and the status page.

Times and durations are in seconds. No event holds a token value.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.core.errors import MintFailure
from gateway.core.token import Cause, SlotId


class RefusalCause(StrEnum):
    """What became of a refusal; the value is the metric's `cause` label."""

    SUPERSEDED = "superseded"
    """The call was sent with a token that had been replaced already."""
    TOKEN = "token"  # noqa: S105  a label, no secret
    """The token was set aside: a switch or a mint."""
    FRESH = "fresh"
    """The token was set aside though nobody ever saw it accepted."""
    HOLDOFF = "holdoff"
    """Passed on: too many fresh tokens were refused in a row."""
    ENDPOINT = "endpoint"
    """Passed on: a probe found the token alive, so the endpoint refuses by itself."""
    UNDECIDED = "undecided"
    """Passed on: no probe's verdict came in time."""


@dataclass(frozen=True, slots=True)
class Minted:
    """A token was minted here."""

    slot: SlotId
    cause: Cause
    generation: int
    lifetime: float
    previous_secret: bool
    """Zoom took only the previous client secret."""
    took: float


@dataclass(frozen=True, slots=True)
class Adopted:
    """A token that another replica minted is in use here, too."""

    slot: SlotId
    cause: Cause
    generation: int
    minter: str
    """The other replica's name."""


@dataclass(frozen=True, slots=True)
class MintFailed:
    """No token was minted."""

    slot: SlotId
    cause: Cause
    failure: MintFailure
    message: str
    retry_in: float
    took: float = 0.0
    """0: not known."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Zoom refused a token."""

    generation: int
    endpoint: str
    cause: RefusalCause


@dataclass(frozen=True, slots=True)
class Switched:
    """A spare became the active token."""

    generation: int
    slot: SlotId


@dataclass(frozen=True, slots=True)
class ForeignMint:
    """Another program minted with our credentials and killed this token."""

    generation: int
    slot: SlotId


@dataclass(frozen=True, slots=True)
class SlotOut:
    """Zoom does not grant this slot; it is out as long as another one works."""

    slot: SlotId
    message: str


@dataclass(frozen=True, slots=True)
class SlotsLinked:
    """A mint in one slot killed the token of the other: the two are one."""

    slots: tuple[SlotId, SlotId]


@dataclass(frozen=True, slots=True)
class EndpointSuspected:
    """An endpoint refuses by itself, whatever the token."""

    endpoint: str
    seconds: float
    """How long its refusals are judged by a probe."""


@dataclass(frozen=True, slots=True)
class HoldoffBegan:
    """Zoom refuses a fresh token."""

    generation: int
    age: float
    """Seconds since Zoom issued the token that it refuses."""
    seconds: float
    """How long refusals cause no mint."""


@dataclass(frozen=True, slots=True)
class HoldoffEnded:
    """Zoom took a token again."""

    generation: int
    """The token that was accepted."""


@dataclass(frozen=True, slots=True)
class LostMint:
    """A mint of ours may have happened at Zoom, but nobody holds its token."""

    slot: SlotId


@dataclass(frozen=True, slots=True)
class StoreDown:
    """The store cannot be used."""

    message: str


@dataclass(frozen=True, slots=True)
class StoreUp:
    """The store can be used again."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """The store had lost the document; this replica's copy was written there again."""

    generation: int
    """The newest that is known."""


TokenEvent = (
    Minted
    | Adopted
    | MintFailed
    | Refused
    | Switched
    | ForeignMint
    | SlotOut
    | SlotsLinked
    | EndpointSuspected
    | HoldoffBegan
    | HoldoffEnded
    | LostMint
    | StoreDown
    | StoreUp
    | PutBack
)
