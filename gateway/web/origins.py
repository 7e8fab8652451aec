"""Where calls go."""

from dataclasses import dataclass

from gateway.ports import Upstream


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A host that calls go to, and the way there. Each is equal to itself alone.

    `host` is its authority, as the `Host` field says it.
    """

    upstream: Upstream
    host: bytes


@dataclass(slots=True)
class Api:
    """Where an account's calls of the API go. Another `origin` counts from the next call on."""

    origin: Origin
