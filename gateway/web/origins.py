"""Where calls go."""

from dataclasses import dataclass
from typing import Protocol

from gateway.ports import Upstream


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A host that calls go to, and the way there. Each is equal to itself alone.

    `host` is its authority, as the `Host` field says it.
    """

    upstream: Upstream
    host: bytes


class Api(Protocol):
    """Where an account's calls of the API go."""

    @property
    def origin(self) -> Origin:
        """Another one counts from the next call on. Asked for each call, so that it is cheap."""
