"""The faults that can be switched on: what they are, with their defaults and readers."""

# ruff: noqa: RUF009  `_fault` is `dataclasses.field` with a reader; its defaults are immutable.

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from gateway.sim import reading
from gateway.sim.host_faults import HostFaults
from gateway.sim.rules import PathRule


def _fault(default: Any, reader: reading.Reader) -> Any:
    """A field whose JSON form `reader` understands."""
    return field(default=default, metadata={"read": reader})


def _cut(value: Any) -> str | None:
    """Read true as `length`, false as nothing."""
    if isinstance(value, bool):
        return "length" if value else None
    return str(reading.choice("length", "chunked")(value))


def _cookie(value: Any) -> str | None:
    if isinstance(value, bool):
        return "zm_sim=1; Path=/" if value else None
    return reading.line(value)


# Products that answer a bad token in their own words, all under 401: (code, message).
VARIANTS: dict[str, tuple[int, str]] = {
    "query": (
        124,
        "Invalid access token, this access token is not supported as query parameter string.",
    ),
    "chat-files": (300, "Invalid access token."),
    "chat-files-100": (100, "Invalid access token."),
    "chat-files-106": (106, "Invalid access token."),
    "marketplace": (201, "Invalid access token."),
    "mail": (401, "Authorization Failure."),
    "scheduler": (401, "Unauthorized"),
    "clips": (1002, "Invalid access token."),
    "1500": (1500, "Invalid token"),
    "chatbot": (7010, "Invalid access token."),
    "divisions": (30031002, "Invalid or expired token"),
    "iq": (30031004, "Invalid or expired token"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a token is refused. None leaves the ordinary: 401, 124 and the fitting message."""

    status: int | None = _fault(None, reading.status)
    code: int | None = _fault(None, reading.integer)
    message: str | None = _fault(None, reading.text)
    form: Literal["json", "empty", "html"] = _fault("json", reading.choice("json", "empty", "html"))
    variant: str | None = _fault(None, reading.choice(*VARIANTS))
    """A product of `VARIANTS`; `code` and `message` beat it."""


@dataclass(frozen=True, slots=True)
class ScopeError:
    """How missing scopes are told: 400 4711, or 4700, 104, or 401 201."""

    status: int = _fault(400, reading.status)
    code: int = _fault(4711, reading.integer)


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect of one path (rule text, as in `PathRule`)."""

    path: PathRule | None = _fault(None, reading.rule)
    location: str = _fault("/", reading.line)
    status: int = _fault(302, reading.status)


@dataclass(frozen=True, slots=True)
class PathDelay:
    """Seconds before calls of one path are answered."""

    path: PathRule | None = _fault(None, reading.rule)
    delay: float = _fault(0.0, reading.seconds)


@dataclass(frozen=True, slots=True)
class Faults:
    """Everything that can go wrong; the defaults are a healthy Zoom. Durations in seconds.

    A counter (`…_next`) limits its fault to the next N calls and counts down; without it the
    fault lasts until it is cleared.
    """

    # Refusals of tokens.
    refuse_all: bool = _fault(default=False, reader=reading.flag)
    refuse_next: int | None = _fault(None, reading.count)
    refuse_paths: tuple[PathRule, ...] = _fault((), reading.many(reading.rule))
    refusal: Refusal = _fault(Refusal(), reading.record(Refusal))
    refuse_early: bool = _fault(default=False, reader=reading.flag)
    """Answer a refusal before the body is read; `drain` says whether it is read after."""
    drain: bool = _fault(default=True, reader=reading.flag)
    scope_error: ScopeError = _fault(ScopeError(), reading.record(ScopeError))

    # The token endpoint.
    mint_status: int | None = _fault(None, reading.status)
    mint_body: Any = _fault(None, reading.anything)
    """A string is sent as it is, anything else as JSON."""
    mint_headers: tuple[tuple[str, str], ...] = _fault((), reading.headers)
    mint_content_type: str | None = _fault(None, reading.line)
    mint_patch: dict[str, Any] | None = _fault(None, reading.mapping)
    """Changes keys of the true answer; null removes one."""
    mint_acts: bool = _fault(default=False, reader=reading.flag)
    """Whether a mint answered with `mint_status` or `mint_body` took effect all the same."""
    mint_cut: bool = _fault(default=False, reader=reading.flag)
    mint_delay: float = _fault(0.0, reading.seconds)
    mint_delay_after: bool = _fault(default=False, reader=reading.flag)
    """True: the mint takes effect, then the delay passes. False: the other way round."""
    mint_drop: Literal["before", "after"] | None = _fault(None, reading.choice("before", "after"))
    """The connection is dropped before or after the mint took effect."""
    mint_fail_next: int | None = _fault(None, reading.count)

    # The API.
    fault_paths: tuple[PathRule, ...] = _fault((), reading.many(reading.rule))
    """Limits `drop`, `status` and `cut_body` to these paths; empty means all."""
    drop: Literal["before_headers", "mid_body"] | None = _fault(
        None, reading.choice("before_headers", "mid_body")
    )
    drop_share: float | None = _fault(None, reading.share)
    drop_next: int | None = _fault(None, reading.count)
    drop_acts: bool = _fault(default=True, reader=reading.flag)
    """Whether the dropped operation was carried out first."""
    status: int | None = _fault(None, reading.status)
    status_body: Any = _fault(None, reading.anything)
    status_headers: tuple[tuple[str, str], ...] = _fault((), reading.headers)
    html: bool = _fault(default=False, reader=reading.flag)
    fail_next: int | None = _fault(None, reading.count)
    delay: float = _fault(0.0, reading.seconds)
    api_delay_paths: tuple[PathDelay, ...] = _fault(
        (), reading.many(reading.record(PathDelay, "path", "delay"))
    )
    cut_body: Literal["length", "chunked"] | None = _fault(None, _cut)
    """`length` (or true) declares more than is sent; `chunked` ends without the last chunk."""
    compress: Literal["gzip", "deflate"] | None = _fault(None, reading.choice("gzip", "deflate"))
    redirect: Redirect | None = _fault(None, reading.record(Redirect, "path", "location"))
    set_cookie: str | None = _fault(None, _cookie)

    # Zoom's other hosts.
    hosts: HostFaults = _fault(HostFaults(), reading.record(HostFaults))


class FaultBoard:
    """The faults in force, with their counters."""

    def __init__(self) -> None:
        self.faults = Faults()

    def put(self, data: Any) -> None:
        """Replace all. Raises ReadError and changes nothing then."""
        self.faults = reading.fill(Faults(), data)

    def patch(self, data: Any) -> None:
        """Change the given keys alone. Raises ReadError and changes nothing then."""
        self.faults = reading.fill(self.faults, data)

    def clear(self) -> None:
        self.faults = Faults()

    def use(
        self, counter: Literal["refuse_next", "mint_fail_next", "drop_next", "fail_next"]
    ) -> bool:
        """Take one of the next N. Returns False when none is left, True when unlimited."""
        left = getattr(self.faults, counter)
        if left is None:
            return True
        if left == 0:
            return False
        self.faults = replace(self.faults, **{counter: left - 1})
        return True

    def as_json(self) -> dict[str, Any]:
        """Return every fault with its value, in a form that `put` reads."""
        data = asdict(self.faults)
        for key in ("mint_headers", "status_headers"):
            data[key] = dict(data[key])
        return data
