"""Traces: which one a call belongs to, whether it is recorded, and what its spans will tell.

Contexts come and go as https://www.w3.org/TR/trace-context/ has it. Chance comes in as `bits`: a
function that gives so many random bits, as `random.getrandbits` does. Times are in seconds of the
gateway's clock.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway.core.headers import CallerHeaders, Field

Bits = Callable[[int], int]

_PARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE: Final = b"0" * 32
_NO_SPAN: Final = b"0" * 16
_SAMPLED: Final = 1
"""The flag that says that who sent it records the trace."""

_LONGEST_STATE: Final = 512
"""Characters of a `tracestate` that everybody must pass on; a longer one is dropped."""

_MOST_MEMBERS: Final = 32
_PART: Final = r"[a-z0-9_*/-]"
_MEMBER: Final = re.compile(
    rf"([a-z]{_PART}{{0,255}}|[a-z0-9]{_PART}{{0,240}}@[a-z]{_PART}{{0,13}})"
    r"=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
)

_CARRIED: Final = (b"traceparent", b"tracestate", b"baggage")


class TraceContext(NamedTuple):
    """A span, as those know it who have spans below it. Ids in lower-case hexadecimal digits."""

    trace_id: str
    span_id: str
    sampled: bool
    state: str = ""
    """The `tracestate`; empty if there is none, or one that is not valid."""


@dataclass(slots=True)
class Sending:
    """One sending of a call to Zoom."""

    span_id: str
    generation: int
    """Of its token."""
    began: float
    ended: float = 0.0
    answered: float = 0.0
    """When the answer's head was there; 0: it never was."""
    status: int = 0
    refused: bool = False


class Wait(NamedTuple):
    """A wait for a token."""

    began: float
    ended: float


@dataclass(slots=True)
class Steps:
    """What happened to a call that is recorded, in the order of time."""

    bits: Bits
    began: float
    sendings: list[Sending] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    def sent(self, generation: int, now: float) -> None:
        """It goes to Zoom."""
        self.sendings.append(Sending(_span_id(self.bits), generation, now))

    def answered(self, status: int, now: float) -> None:
        """Zoom answered what was sent last."""
        last = self.sendings[-1]
        last.status, last.answered = status, now

    def refused(self, now: float) -> None:
        """That answer is a refusal, and was read as far as it matters."""
        last = self.sendings[-1]
        last.refused, last.ended = True, now

    def waited(self, began: float, now: float) -> None:
        """The call waited for a token."""
        self.waits.append(Wait(began, now))

    def ended(self, now: float) -> None:
        """Nothing of what was sent last is to come any more."""
        if self.sendings:
            self.sendings[-1].ended = now


@dataclass(slots=True)
class CallTrace:
    """A call's place in a trace."""

    context: TraceContext
    """Of the call's own span; its caller's while the gateway makes no spans."""
    parent_id: str = ""
    """Its caller's span; empty: there is none."""
    steps: Steps | None = None
    """None: no spans are made of this call."""
    ours: bool = True
    """The context is the call's own."""

    def outgoing(self) -> TraceContext:
        """What Zoom is told to be below."""
        if self.steps is None or not self.steps.sendings:
            return self.context
        return self.context._replace(span_id=self.steps.sendings[-1].span_id)


def read_context(headers: CallerHeaders) -> TraceContext | None:
    """Give the caller's context; None if it sent none, several, or one that is not valid."""
    values = headers.values(b"traceparent")
    if len(values) != 1:
        return None
    found = _PARENT.fullmatch(values[0].strip(b" \t"))
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    # Later versions may append; ff is none.
    if version == b"ff" or (version == b"00" and more):
        return None
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    sampled = bool(int(flags, 16) & _SAMPLED)
    return TraceContext(trace_id.decode(), span_id.decode(), sampled, _state(headers))


def foreign(headers: CallerHeaders) -> CallTrace | None:
    """Give the caller's trace, if it has one, where the gateway makes no spans."""
    caller = read_context(headers)
    return None if caller is None else CallTrace(caller, ours=False)


def begin(headers: CallerHeaders, share: float, bits: Bits, now: float) -> CallTrace:
    """Give a call its own span, below its caller's if that told one.

    The caller's flag decides whether it is recorded; of those that begin a trace here, a `share`
    is.
    """
    caller = read_context(headers)
    context = root(share, bits) if caller is None else caller._replace(span_id=_span_id(bits))
    steps = Steps(bits, now) if context.sampled else None
    return CallTrace(context, "" if caller is None else caller.span_id, steps)


def root(share: float, bits: Bits) -> TraceContext:
    """Begin a trace."""
    trace_id = f"{bits(128) or 1:032x}"
    return TraceContext(trace_id, _span_id(bits), chosen(trace_id, share))


def chosen(identity: str, share: float) -> bool:
    """Tell whether what has this id is among a `share` of all, 0 to 1: everybody decides the same.

    Its last 16 hexadecimal digits count, so a smaller share lies within a larger one.
    """
    return int(identity[-16:], 16) < share * 2.0**64


def carried(headers: CallerHeaders, trace: CallTrace | None) -> list[Field]:
    """Give the fields by which Zoom is told of the trace.

    Without a context of our own, they are the caller's, as they came.
    """
    if trace is None or not trace.ours:
        return [(name, value) for name in _CARRIED for value in headers.values(name)]
    context = trace.outgoing()
    flags = _SAMPLED if context.sampled else 0
    fields = [
        (b"traceparent", f"00-{context.trace_id}-{context.span_id}-{flags:02x}".encode("ascii"))
    ]
    if context.state:
        fields.append((b"tracestate", context.state.encode("ascii")))
    return [*fields, *((b"baggage", value) for value in headers.values(b"baggage"))]


def _span_id(bits: Bits) -> str:
    return f"{bits(64) or 1:016x}"


def _state(headers: CallerHeaders) -> str:
    values = headers.values(b"tracestate")
    if not values:
        return ""
    joined = b",".join(values)
    if len(joined) > _LONGEST_STATE or not joined.isascii():
        return ""
    parts = [part.strip(" \t") for part in joined.decode("ascii").split(",")]
    members = [_MEMBER.fullmatch(part) for part in parts if part]
    keys = {found[1] for found in members if found}
    # One that is wrong, or there twice, makes all of it worthless.
    if len(keys) < len(members) or len(members) > _MOST_MEMBERS:
        return ""
    return ",".join(part for part in parts if part)
