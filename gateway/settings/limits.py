"""What the gateway takes on, at most."""

from typing import Annotated, Final, Literal

from gateway.core.limits import Limits
from gateway.models import Field
from gateway.settings import kinds
from gateway.settings.kinds import Kind
from gateway.settings.section import Section

_USUAL: Final = Limits()

Count = Annotated[int, Field(ge=1), Kind("a whole number, 1 or greater")]
CountOrZero = Annotated[int, Field(ge=0), Kind("a whole number, 0 or greater")]
Connections = Annotated[
    Literal["auto"] | Count, Kind("auto, or a whole number of connections, 1 or greater")
]
CallsPerAccount = Annotated[
    Literal["auto"] | CountOrZero, Kind("auto, or a whole number, 0 or greater")
]
HeaderBytes = Annotated[
    int, Field(ge=1024, le=1_048_576), Kind("a number of bytes from 1024 to 1048576")
]
HeaderFields = Annotated[int, Field(ge=8, le=10_000), Kind("a whole number from 8 to 10000")]


class LimitSettings(Section):
    """What one process takes on at most: with `--workers` each worker does. What goes beyond is
    refused or ended with an answer that says so. See docs/limits.md.
    """

    calls: Count = Field(
        default=_USUAL.calls,
        description="Calls in hand at once, those that wait for a token included. Further ones get"
        " 503 `too_many_calls` at once. A call whose caller reads slowly takes up to 600 KiB of"
        " memory, so that 1000 fit into 1 GiB.",
    )
    calls_per_account: CallsPerAccount = Field(
        default="auto",
        description="Calls of one account in hand at once; further ones of it get 503"
        " `too_many_calls`, while those of others go on. An account can have another number:"
        " `accounts.NAME.calls`. `auto`: half of `calls` if there are several accounts. 0: no limit"
        " but `calls`.",
    )
    connections: Connections = Field(
        default="auto",
        description="Open connections of callers. For one more, that which has been idle the"
        " longest is closed; if none is idle, it gets 503 `too_many_connections`. `auto`: what the"
        " process's file descriptors (`ulimit -n`) leave after two for each of `calls`, at most"
        " 10000, as an idle connection takes memory, too.",
    )
    connections_per_caller: CountOrZero = Field(
        default=_USUAL.connections_per_caller,
        description="Open connections from one IPv4 address or one IPv6 network of 64 bits; further"
        " ones are treated in the same way. 0: no limit, as a load balancer's, a sidecar's or a"
        " NAT's callers share one address.",
    )
    header_bytes: HeaderBytes = Field(
        default=_USUAL.header_bytes,
        description="Bytes of a call's header; beyond it 431. One field may have 16384 bytes, the"
        " request target 8192, whatever stands here.",
    )
    header_fields: HeaderFields = Field(
        default=_USUAL.header_fields,
        description="Header fields of a call; beyond it 431. Programs send some ten, the proxies"
        " before the gateway some more.",
    )
    header_timeout: kinds.Seconds = Field(
        default=_USUAL.header_timeout,
        description="Seconds from the first byte of a call's header to its last (408), and from a"
        " new connection to that first byte (it is closed): otherwise silence is the cheapest way"
        " to keep a gateway busy.",
    )
    body_timeout: kinds.Seconds = Field(
        default=_USUAL.body_timeout,
        description="Seconds in which no byte of a call's body comes (408). Long enough for a"
        " laptop that changes its network.",
    )
    send_timeout: kinds.Seconds = Field(
        default=_USUAL.send_timeout,
        description="Seconds in which a caller takes nothing of its answer, until the connection is"
        " cut. As long as `body_timeout`, for the same reason.",
    )
    keepalive_timeout: kinds.Seconds = Field(
        default=_USUAL.keepalive_timeout,
        description="Seconds without a call until a connection is closed. Longer than the load"
        " balancers in front keep theirs (AWS 60, Google 600), so that it is never the gateway that"
        " closes while a call is on its way.",
    )
    call_timeout: kinds.SecondsOrZero = Field(
        default=_USUAL.call_timeout,
        description="Seconds that a call may take as a whole: 504 `call_timeout`, or if its answer"
        " has begun, the connection is cut. It bounds callers that send or read just enough not to"
        " be silent; an hour, since recordings are long. 0: no limit.",
    )
    kept_memory: kinds.ByteCount = Field(
        default=_USUAL.kept_memory,
        description="Bytes of bodies that are kept in memory for being sent again, of all calls"
        " together. Beyond it a body goes to disk before it reaches `replay.memory_limit`.",
    )
    kept_disk: kinds.ByteCount = Field(
        default=_USUAL.kept_disk,
        description="Bytes of bodies that are kept in temporary files, of all calls together."
        " Beyond it a body is not kept: the call is forwarded all the same, but a refusal of its"
        " token is passed on. A disk that fills up harms more than this gateway.",
    )
