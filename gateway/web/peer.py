"""Who is at the other end of a connection."""

import asyncio
import select
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.core.caller import Caller, caller_at, names_in

NOBODY: Final = caller_at("0.0.0.0")  # noqa: S104  compared with, not bound
"""Who left before its address could be asked for; it must not pass for a Unix socket."""

LOOK: Final = 60.0
"""Seconds between two looks at the clock, which may be set; a loop's own cannot. Ten thousand
connections take less than a thousandth of a processor for it."""

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


class Expiry:
    """Tells `ended` when a certificate holds no more, at once if it holds no more now.

    That is seldom, but so: a session of TLS 1.2 that is resumed is not verified again.
    """

    __slots__ = ("_end", "_ended", "_loop", "_timer")

    def __init__(
        self,
        certificate: Mapping[str, Any],
        loop: asyncio.AbstractEventLoop,
        ended: Callable[[], None],
    ) -> None:
        self._end = ssl.cert_time_to_seconds(certificate["notAfter"])
        self._loop = loop
        self._ended = ended
        self._timer: asyncio.TimerHandle | None = None
        self._look()

    def _look(self) -> None:
        left = self._end - time.time()
        if left > 0:
            self._timer = self._loop.call_later(min(left, LOOK), self._look)
        else:
            self._timer = None
            self._ended()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
