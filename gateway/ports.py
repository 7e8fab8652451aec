"""What the token manager and the proxy need from the outside, and nothing more.

No foreign object or exception crosses these lines: an adapter takes and gives the types
of `gateway.core` and raises the exceptions of `gateway.core.errors`.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from gateway.core.endpoint import Endpoint
from gateway.core.events import TokenEvent
from gateway.core.presence import Presence
from gateway.core.rate_book import Ask, Share
from gateway.core.secret import Secret
from gateway.core.token import Grant, SlotId, Token
from gateway.reports import CallReport

Headers = Sequence[tuple[bytes, bytes]]
"""Ordered header fields as they stand on the wire."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds on a clock that never goes back and runs on while the machine sleeps."""

    def wall(self) -> float:
        """Seconds since the epoch: for people and for files, never for measuring."""


class Minter(Protocol):
    async def mint(self, slot: SlotId) -> Grant:
        """Ask the token endpoint for a token of `slot`. Raises MintError, nothing else."""


@dataclass(slots=True)
class UpstreamRequest:
    """One call as it goes out. `target` is the request target, byte for byte.

    `headers` are complete (Host and framing included) and go out in this order. `body` is
    None when there is none; otherwise its chunks are written as the `Content-Length` or
    `Transfer-Encoding: chunked` among the headers says.
    """

    method: str
    target: bytes
    headers: Headers
    body: AsyncIterator[bytes] | None = None
    fresh: bool = False
    """Use a connection that carried no call before: one that is stale would cost the body."""


class UpstreamAnswer(Protocol):
    """The head of an answer; its body follows by iteration, never decompressed."""

    @property
    def status(self) -> int: ...

    @property
    def reason(self) -> str: ...

    @property
    def headers(self) -> Headers: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, as it arrives. Raises UpstreamBrokenError if it ends before its end."""

    def whole(self, limit: int) -> bytes | None:
        """All that is left of the body, if it is there already and has at most `limit` bytes.

        The answer is closed then, as by `close()`. None changes nothing.
        """

    async def close(self, *, reuse: bool = True) -> None:
        """Give the connection back if both directions are complete, else cut it. Idempotent.

        Without `reuse` it is cut in any case.
        """


class Upstream(Protocol):
    async def send(self, request: UpstreamRequest) -> UpstreamAnswer:
        """Send and return as soon as the final head is there, even before the body is sent.

        1xx heads are dropped. The rest of the body goes on being sent while the answer is
        read, until `close()`. An exception of `request.body` comes out of here unchanged if
        it happens before the head. Raises UpstreamConnectError (nothing was sent),
        UpstreamTimeoutError, UpstreamBrokenError (UpstreamStaleError: it may be sent again, with
        its body from the first byte). Cancelling it closes the connection.
        """

    async def close(self) -> None: ...


class Stamp(NamedTuple):
    """A place in a store's history.

    `number` grows, `tag` is random: a store that lost its last writes gives a number twice, but
    never the whole stamp, so what is old never looks new.
    """

    number: int
    tag: str

    def __str__(self) -> str:
        return f"{self.number}.{self.tag}"


NOTHING: Final = Stamp(0, "")
"""The revision of a document, or the fence of a lease, that never was."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to mint. The number of `fence` grows with every lease of the account."""

    account: str
    owner: str
    fence: Stamp


@dataclass(frozen=True, slots=True)
class Stored:
    """An account's document as the store holds it, and the store's time at that moment.

    `revision` is `NOTHING` when there never was a document; it is another after every write.
    `document` is what `gateway.core.document` encodes: JSON-ready, times in the store's seconds.
    """

    document: dict[str, object] | None
    revision: Stamp
    now: float
    lease_owner: str | None = None
    fence: Stamp = NOTHING


class Claim(NamedTuple):
    """Who wants the lease, for how many seconds, and the tag that its fence is to have."""

    owner: str
    ttl: float
    tag: str


class Seizure(NamedTuple):
    """A lease, if it could be had, and the new revision, if a document was written with it."""

    lease: Lease | None
    written: Stamp | None = None


Compose = Callable[[Stamp], "dict[str, Any] | None"]
"""Gives the document to write under the lease with that fence; None: nothing is to be written. It
is pure, and may be called on any thread."""


class TokenStore(Protocol):
    """Where the replicas share an account's tokens.

    Raises StoreUnavailableError or StoreContentError, nothing else.
    """

    async def read(self, account: str) -> Stored: ...

    async def write(
        self,
        account: str,
        document: dict[str, object],
        *,
        revision: Stamp,
        fence: Stamp | None = None,
        ends: bool = False,
    ) -> Stamp | None:
        """Replace the document if its revision is still `revision`. Gives the new one, or None.

        With a `fence`, only if that is also the newest one given out, too: a holder whose
        lease was taken over publishes nothing. `ends`: the lease of that fence is given back
        with the write.
        """

    async def acquire(self, account: str, owner: str, ttl: float) -> Lease | None:
        """Take the lease for `ttl` seconds, or None while another holds it."""

    async def seize(
        self, account: str, claim: Claim, *, revision: Stamp, compose: Compose
    ) -> Seizure:
        """Take the lease, and write under it at once if the revision is still `revision`.

        Where it is another, or `compose` gives nothing, the lease is taken alone. If it fails, the
        document may have been written all the same.
        """

    async def renew(self, lease: Lease, ttl: float) -> bool: ...

    async def release(self, lease: Lease) -> None:
        """Only the owner's lease is given back; another's is left alone."""

    async def set_aside(self, account: str, revision: Stamp, problem: str) -> bool:
        """Move content that cannot be read out of the way, keeping it. False: it stays.

        Content of another revision is another's and stays, but that counts as done.
        """

    async def changed(self, account: str, revision: Stamp) -> None:
        """Return when the document's revision may differ from `revision`."""

    async def beat(self, presence: Presence) -> list[Presence]:
        """Register a replica, or say that it is still there.

        Gives all that did within the last `PRESENT` seconds, by name, this one included.
        """

    async def leave(self, name: str) -> None:
        """A replica ends: it is not shown any more."""

    async def close(self) -> None: ...


class Reserved(NamedTuple):
    """By lane, what a replica may send; `now` is the store's time at that moment."""

    now: float
    shares: Mapping[str, Share]


class RateStore(Protocol):
    """Where the replicas share what Zoom takes of an account's calls.

    Raises StoreError, nothing else.
    """

    async def reserve(self, account: str, replica: str, asks: Mapping[str, Ask]) -> Reserved:
        """Say what this replica wants of some lanes, and get what is due to it."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Probe:
    """A harmless call that tells whether a token is alive."""

    token: Secret = field(repr=False)
    target: bytes


class Prober(Protocol):
    async def probe(self, probe: Probe) -> bool | None:
        """True: any answer but a refusal. False: refused. None: no answer."""


class CallTokens(Protocol):
    """The tokens of one call: the first, and better ones after refusals.

    All waiting together is at most `token.wait_timeout`; the rest of the state of a call's
    journey through refusals is kept in here, so the proxy only reports what it saw.
    """

    def ready(self) -> Token | None:
        """The active token, if there is one: nearly every call has it without waiting."""

    async def first(self) -> Token:
        """The active token. Waits for one; raises TokenUnavailableError."""

    async def better(self, refused: Token, *, expired: bool = False) -> Token | None:
        """Zoom refused `refused`: a better token to send the call again with.

        `expired`: Zoom says that its life is over. None: none is to be had, or none would help;
        pass Zoom's answer on. Never raises but for cancellation.
        """

    def accepted(self, token: Token) -> None:
        """Zoom's answer was one that only a valid token gets. Synchronous and cheap."""


class Tokens(Protocol):
    """One account's token manager, as the proxy sees it."""

    def call(self, endpoint: Endpoint) -> CallTokens: ...


class Loan(NamedTuple):
    """The real token, and for how many seconds from now it is good, as far as is known."""

    token: Token
    left: float


class Observer(Protocol):
    """Who is told. Nothing here may raise or wait."""

    def call_began(self, account: str) -> None:
        """Whoever cares for ends alone inherits this."""
        del account

    def call_ended(self, report: CallReport) -> None: ...

    def token_event(self, account: str, event: TokenEvent) -> None: ...
