"""The exceptions of the gateway: each says whose fault it is.

::

    GatewayError
    ├── ConfigurationError    the operator's: a key, a file, a credential
    ├── CallRefusedError      the caller's: framing, target, policy, limits
    │   └── PacedError              its turn within Zoom's rate limits did not come in time
    ├── TokenError            no usable token
    │   ├── TokenUnavailableError   none came within the time a call may wait
    │   └── MintError               one attempt at the token endpoint failed
    ├── StoreError            the shared store
    │   ├── StoreUnavailableError   it does not answer, or cannot do what it is asked
    │   │   └── StoreRefusedError       it refuses us: an operator must act
    │   └── StoreContentError       what it holds cannot be read
    │       └── StoreFormatError    it makes sense to another gateway: it must stay as it is
    └── UpstreamError         Zoom, or the way to it
        ├── UpstreamConnectError    nothing was sent
        │   ├── DescriptorsError        the process has no file descriptor left for it
        │   └── UpstreamLoopError       the way leads back to the gateway itself
        ├── UpstreamTimeoutError    silence for longer than `upstream.idle_timeout`
        ├── AnswerRefusedError      Zoom's answer is not what was asked for
        │   ├── RedirectError           it redirects to where nobody may be sent
        │   │   └── RedirectsError          or again and again
        │   └── NotARecordingError      it is a web page
        └── UpstreamBrokenError     the connection broke, or the answer is malformed
            └── UpstreamStaleError      it was an old one, and the call can be sent again

No exception carries a secret: messages are shown to callers, operators and logs alike.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class GatewayError(Exception):
    """Root of all. `slug` is the value of `X-Zoom-Gateway-Error`."""

    slug: ClassVar[str] = "internal"


class ConfigurationError(GatewayError):
    """The configuration cannot be used; `problems` holds one line for each thing wrong."""

    slug = "configuration"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(eq=False)
class CallRefusedError(GatewayError):
    """A call that is not forwarded: the caller must change it.

    `status` is HTTP's; `slug_` names the reason; `close` says that the connection's framing
    is in doubt, so it must not carry another call; `limit` is the key of the limit that was
    reached, if it was one.
    """

    status: int
    slug_: str
    message: str
    close: bool = False
    limit: str = ""

    def __str__(self) -> str:
        return self.message


class PacedError(CallRefusedError):
    """Its turn within Zoom's rate limits did not come. `retry_after` is in whole seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(429, "paced", message)
        self.retry_after = retry_after


class TokenError(GatewayError):
    """No usable token."""

    slug = "token"


@dataclass(eq=False)
class TokenUnavailableError(TokenError):
    """No token came in time. `retry_after` is in whole seconds, at least 1."""

    slug = "token_unavailable"

    reason: str
    retry_after: int = 1

    def __str__(self) -> str:
        return self.reason


class MintFailure(StrEnum):
    """Why a mint failed; the value is the metric's `result` label."""

    INVALID_CLIENT = "invalid_client"
    """Client id or secret are wrong: an operator must act."""
    INVALID_ACCOUNT = "invalid_account"
    """The account id (or the app's state) is refused: an operator must act."""
    INVALID_INDEX = "invalid_index"
    """This token index is out of range or not allowed: the slot is out."""
    REFUSED = "refused"
    """Another 4xx of the token endpoint."""
    RATE_LIMITED = "rate_limited"
    """429."""
    SERVER_ERROR = "server_error"
    """5xx, or an HTML page of the front."""
    MALFORMED = "malformed"
    """200, but no token in it."""
    TIMEOUT = "timeout"
    """No answer within `token.mint_timeout`; Zoom may have minted."""
    CONNECTION = "connection"
    """No connection, so Zoom did not mint."""
    BROKEN = "broken"
    """The connection broke after the request was sent; Zoom may have minted."""


MAY_HAVE_MINTED = frozenset(
    {MintFailure.TIMEOUT, MintFailure.BROKEN, MintFailure.MALFORMED, MintFailure.SERVER_ERROR}
)
"""Failures after which a token may exist that nobody holds: a lost mint."""

NEEDS_OPERATOR = frozenset({MintFailure.INVALID_CLIENT, MintFailure.INVALID_ACCOUNT})
"""Failures that no retry cures."""


@dataclass(eq=False)
class MintError(TokenError):
    """One attempt at the token endpoint failed. `retry_after` in seconds, where Zoom said so."""

    slug = "mint_failed"

    failure: MintFailure
    message: str
    retry_after: float | None = None

    def __str__(self) -> str:
        return self.message


class StoreError(GatewayError):
    """The shared store."""

    slug = "store"


class StoreUnavailableError(StoreError):
    """The store does not answer, or cannot do what it is asked."""

    slug = "store_unavailable"


class StoreRefusedError(StoreUnavailableError):
    """The store does not let this replica in: its credentials or its rights are wrong."""

    slug = "store_refused"


class StoreContentError(StoreError):
    """What the store holds cannot be read, or must not be overwritten."""

    slug = "store_content"


class StoreFormatError(StoreContentError):
    """It makes sense to another gateway (a newer one, or one with the key): it must stay."""


class UpstreamError(GatewayError):
    """Zoom, or the way to it."""

    slug = "upstream"


class UpstreamConnectError(UpstreamError):
    """No connection within `upstream.connect_timeout`: nothing was sent."""

    slug = "upstream_connect"


class DescriptorsError(UpstreamConnectError):
    """The process, or the machine, has no file descriptor left for a connection."""

    slug = "descriptors_exhausted"


class UpstreamLoopError(UpstreamConnectError):
    """What answers at Zoom's name is the gateway itself."""

    slug = "loop"


class UpstreamTimeoutError(UpstreamError):
    """Nothing came or went for `upstream.idle_timeout` seconds."""

    slug = "upstream_timeout"


class UpstreamBrokenError(UpstreamError):
    """The connection broke, or the answer is not HTTP."""

    slug = "upstream_broken"


class AnswerRefusedError(UpstreamError):
    """Zoom's answer is not what was asked for, and is not passed on."""

    slug = "answer_refused"


class RedirectError(AnswerRefusedError):
    """Zoom redirects to where nobody may be sent."""

    slug = "redirect_refused"


class RedirectsError(RedirectError):
    """One redirect led to the next, and that to another."""

    slug = "too_many_redirects"


class NotARecordingError(AnswerRefusedError):
    """Zoom answers with a web page where a recording was asked for."""

    slug = "not_a_recording"


class UpstreamStaleError(UpstreamBrokenError):
    """A connection that carried calls before was closed without a byte of an answer to this one.

    Nobody knows whether Zoom acted on it, but by its method acting twice does no harm; it was not
    sent again because only the caller of the upstream can begin its body anew.
    """
