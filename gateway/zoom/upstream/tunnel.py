"""A tunnel by an HTTP proxy: CONNECT, and what the proxy answers.

The proxy sees the host and the port that are asked for, its own credentials and our name;
whatever else goes to Zoom, goes under TLS. Source: RFC 9110, section 9.3.6.
"""

import asyncio
import re
from http import HTTPStatus
from typing import Final, cast

from gateway.core.egress import EgressProxy, host_and_port
from gateway.zoom import USER_AGENT
from gateway.zoom.words import describe, refused_tunnel

HEAD_LIMIT: Final = 16_384
"""Bytes of a proxy's answer to CONNECT; usual ones have less than 500."""

_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})( [^\r\n]*)?\r?\n")
_END: Final = re.compile(rb"\r?\n\r?\n")
_OK: Final = range(200, 300)


class TunnelError(OSError):
    """The proxy opens no way. The text says why, in words that may be shown."""


class Tunnel(asyncio.Protocol):
    """The proxy's side of a connection, until TLS with Zoom takes it over.

    Whoever speaks before that is not Zoom: in TLS the client begins. Such bytes end the tunnel.
    """

    def __init__(self, proxy: EgressProxy) -> None:
        self._proxy = proxy
        self._transport = cast("asyncio.Transport", None)
        self._head = bytearray()
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False

    async def ask(self, host: str, port: int) -> None:
        """Ask for a way to `host`. Raises TunnelError if there is none."""
        self._transport.write(self._request(host_and_port(host, port)))
        await self._answered

    def _request(self, authority: str) -> bytes:
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", f"User-Agent: {USER_AGENT}"]
        authorization = self._proxy.authorization
        if authorization is not None:
            lines.append(f"Proxy-Authorization: {authorization.reveal()}")
        return "\r\n".join((*lines, "", "")).encode("ascii")

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._answered.done():
            self._transport.abort()
            return
        self._head += data
        end = _END.search(self._head)
        if end is None:
            if len(self._head) > HEAD_LIMIT:
                self._fail(f"its answer has no end within {HEAD_LIMIT} bytes")
            return
        found = _STATUS.match(self._head)
        status = int(found[1]) if found else 0
        if not found:
            self._fail("its answer is not HTTP")
        elif status < HTTPStatus.OK:
            rest = bytes(self._head[end.end() :])
            self._head.clear()
            if rest:
                self.data_received(rest)
        elif status not in _OK:
            self._fail(refused_tunnel(status, with_login=self._proxy.login is not None))
        elif end.end() != len(self._head):
            self._fail("it says more than that the way is open, before Zoom was asked anything")
        else:
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._fail(f"the connection to it broke: {describe(exc)}" if exc else "it hangs up")

    def _fail(self, why: str) -> None:
        if not self._answered.done():
            self._answered.set_exception(TunnelError(why))
            self._transport.abort()
