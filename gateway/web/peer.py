"""Who is at the other end of a connection."""

import asyncio
import select
import ssl
import time
from collections.abc import Mapping
from typing import Any, Final

from gateway.core.caller import Caller, caller_at, names_in

NOBODY: Final = caller_at("0.0.0.0")  # noqa: S104  compared with, not bound
"""Who left before its address could be asked for; it must not pass for a Unix socket."""


_ENDED: Final = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
"""What says that nothing will come; not every system tells when it is the peer's half alone."""


def holds_bytes(transport: asyncio.BaseTransport | None) -> bool:
    """Whether the socket has bytes that were not read yet, from a peer that has not gone."""
    sock = None if transport is None else transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN | _ENDED)
    found = poll.poll(0)
    return bool(found) and not found[0][1] & _ENDED


def peer_of(transport: asyncio.BaseTransport, certificate: Mapping[str, Any] | None) -> Caller:
    peer = transport.get_extra_info("peername")
    # OpenSSL gives a certificate only once it has verified it.
    names = names_in((certificate or {}).get("subjectAltName", ()))
    if isinstance(peer, tuple):
        return caller_at(str(peer[0]), names)
    return NOBODY if peer is None else caller_at("", names)


def has_ended(certificate: Mapping[str, Any]) -> bool:
    """Whether it holds no more: a session of TLS 1.2 that is resumed is not verified again."""
    return ssl.cert_time_to_seconds(certificate["notAfter"]) <= time.time()
