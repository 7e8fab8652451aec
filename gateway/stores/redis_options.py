"""Which Redis the store uses, and how it is let in. Loads no client."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field


def _nothing() -> None:
    """No password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """One server, or the Sentinels that know which server is the primary.

    The callables are asked anew for every connection, so what changes on disk is used. They are
    called on the event loop and may raise OSError or ValueError: no connection is made then.
    """

    nodes: tuple[tuple[str, int], ...]
    """(host, port): of the one server, or of every Sentinel."""
    sentinel_master: str | None = None
    """The name by which the Sentinels know the primary. None: `nodes` is the server itself."""
    database: int = 0
    username: str | None = None
    password: Callable[[], str | None] = field(default=_nothing, repr=False)
    """The server's."""
    sentinel_password: Callable[[], str | None] = field(default=_nothing, repr=False)
    """The Sentinels'; they have no user name."""
    tls: Callable[[], ssl.SSLContext] | None = field(default=None, repr=False)
    """For the server and the Sentinels alike, their host names checked. None: in clear."""

    @property
    def shown(self) -> str:
        """Where it is, for people: no secret."""
        nodes = ",".join(f"{host}:{port}" for host, port in self.nodes)
        return f"{nodes} ({self.sentinel_master})" if self.sentinel_master else nodes
