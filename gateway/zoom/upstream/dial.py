"""From a URL to a connection: names, addresses, a proxy, TCP and TLS."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar
from urllib.parse import urlsplit

import aiohappyeyeballs

from gateway.core.egress import EgressProxy, host_and_port
from gateway.core.errors import (
    ConfigurationError,
    DescriptorsError,
    UpstreamConnectError,
    UpstreamLoopError,
)
from gateway.zoom.names import Names
from gateway.zoom.own import LoopError, OwnListeners
from gateway.zoom.tls import Trust, default_tls
from gateway.zoom.upstream.connection import Connection
from gateway.zoom.upstream.tunnel import Tunnel
from gateway.zoom.words import describe, in_handshake, only_here

NEXT_ADDRESS: Final = 0.25
"""Seconds before the next address is tried beside the last one (RFC 8305, section 5), so
that a broken IPv6 does not use up the connect timeout."""

P = TypeVar("P", bound=asyncio.Protocol)
Q = TypeVar("Q", bound=asyncio.Protocol)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where all calls go. `tls` is None for plain http."""

    host: str
    port: int
    tls: Trust | None

    def __str__(self) -> str:
        return host_and_port(self.host, self.port)

    @property
    def authority(self) -> bytes:
        usual = 443 if self.tls else 80
        whole = str(self)
        return (whole.removesuffix(f":{usual}") if self.port == usual else whole).encode("ascii")


def parse_origin(url: str, tls: Trust | None = None) -> Origin:
    """Read `upstream.api_url`; `tls` stands in for the default context.

    Raises ConfigurationError for anything but scheme, host and port: targets are complete,
    so a path here would be a mistake.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigurationError(["upstream.api_url: give it as https://host or https://host:port"])
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(["upstream.api_url: only scheme, host and port, without a path"])
    if parts.scheme == "http":
        return Origin(parts.hostname, port or 80, None)
    return Origin(parts.hostname, port or 443, tls or default_tls)


class Step(Enum):
    """What a connection in the making waits for; the value goes before "within 3 s"."""

    NAME = "its name was not resolved"
    TCP = "no connection"
    TUNNEL = "it gave no answer"
    TLS = "its TLS was not ready"


class Attempt:
    """A connection in the making, directly or by a proxy; it knows how far it came."""

    def __init__(
        self,
        origin: Origin,
        proxy: EgressProxy | None = None,
        proxy_tls: Trust | None = None,
        names: Names | None = None,
    ) -> None:
        """`proxy_tls` judges the proxy, where not the same as for the origin is to do so. `names`
        are shared with other attempts.
        """
        self._origin = origin
        self._names = names or Names()
        self._proxy = proxy if origin.tls else None
        self._proxy_tls = proxy_tls or origin.tls
        self.at_proxy = False
        """Whether it is the proxy that something is expected of now."""
        self.step = Step.NAME

    async def connect(
        self, factory: Callable[[socket.socket], P]
    ) -> tuple[asyncio.BaseTransport, P]:
        """Connect, TLS included. Raises OSError and UnicodeError, which `why` puts into words.

        When cancelled, leaves nothing.
        """
        origin = self._origin
        context = origin.tls() if origin.tls else None
        if self._proxy is not None and context is not None:
            return await self._by_proxy(self._proxy, context, factory)
        sock = await self._socket(origin.host, origin.port)
        return await self._speak(sock, lambda: factory(sock), context, origin.host)

    def why(self, error: Exception, seconds: float) -> str:
        """Say what went wrong with it; `seconds` was the time for all of it."""
        if isinstance(error, TimeoutError) and not error.errno:
            return f"{self.step.value} within {seconds:g} s"
        if isinstance(error, UnicodeError):
            return "its name is no host name"
        if self.step is Step.TLS:
            return in_handshake(error)
        return describe(error)

    async def _by_proxy(
        self, proxy: EgressProxy, context: ssl.SSLContext, factory: Callable[[socket.socket], P]
    ) -> tuple[asyncio.BaseTransport, P]:
        self.at_proxy = True
        sock = await self._socket(proxy.host, proxy.port)
        outer = self._proxy_tls() if self._proxy_tls and proxy.secure else None
        transport, tunnel = await self._speak(sock, lambda: Tunnel(proxy), outer, proxy.host)
        try:
            self.step = Step.TUNNEL
            await tunnel.ask(self._origin.host, self._origin.port)
            self.at_proxy, self.step = False, Step.TLS
            # The tunnel stays in its place meanwhile: it cuts off who speaks too early.
            inner = await asyncio.get_running_loop().start_tls(
                transport, tunnel, context, server_hostname=self._origin.host
            )
            if inner is None or tunnel.lost:
                raise ConnectionResetError  # noqa: TRY301  # the clean-up below is for it, too
        except BaseException:
            transport.abort()
            raise
        protocol = factory(sock)
        inner.set_protocol(protocol)
        protocol.connection_made(inner)
        return inner, protocol

    async def _socket(self, host: str, port: int) -> socket.socket:
        self.step = Step.NAME
        addresses = await self._names.addresses(host, port)
        only_here(host, [str(one[4][0]) for one in addresses])
        self.step = Step.TCP
        return await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS, interleave=1
        )

    async def _speak(
        self,
        sock: socket.socket,
        factory: Callable[[], Q],
        context: ssl.SSLContext | None,
        host: str,
    ) -> tuple[asyncio.Transport, Q]:
        self.step = Step.TLS
        try:
            return await asyncio.get_running_loop().create_connection(
                factory, sock=sock, ssl=context, server_hostname=host if context else None
            )
        except BaseException:
            sock.close()
            raise


async def dial(
    origin: Origin,
    factory: Callable[[socket.socket], Connection],
    connect_timeout: float,
    proxy: EgressProxy | None = None,
    names: Names | None = None,
    own: OwnListeners | None = None,
) -> Connection:
    """Connect, TLS included. Raises UpstreamConnectError, which is a DescriptorsError if none was
    free, an UpstreamLoopError if it is the gateway itself; when cancelled, leaves nothing.
    """
    attempt = Attempt(origin, proxy, names=names)
    try:
        async with asyncio.timeout(connect_timeout):
            transport, connection = await attempt.connect(factory)
    except LoopError as error:
        raise UpstreamLoopError(str(error)) from None
    except (OSError, UnicodeError) as error:
        why = attempt.why(error, connect_timeout)
        if _starved():
            raise DescriptorsError(f"{origin}: {why}") from None
    else:
        _refuse_own(origin, transport, connection, own)
        return connection
    if attempt.at_proxy:
        raise UpstreamConnectError(f"The proxy {proxy} gives no way to Zoom at {origin}: {why}")
    by = f" by the proxy {proxy}" if proxy else ""
    raise UpstreamConnectError(f"Zoom cannot be reached at {origin}{by}: {why}")


def _refuse_own(
    origin: Origin,
    transport: asyncio.BaseTransport,
    connection: Connection,
    own: OwnListeners | None,
) -> None:
    """Raises UpstreamLoopError where the way leads back here by another address: a Service's, say.

    Nobody else has the key of the certificate that was shown.
    """
    ssl_object = transport.get_extra_info("ssl_object") if own is not None else None
    if own is not None and ssl_object is not None and own.shows(ssl_object.getpeercert(True)):
        connection.cut()
        raise UpstreamLoopError(f"{origin} shows the certificate of the gateway itself")


def _starved() -> bool:
    """Whether no file descriptor is free; a resolver that finds none only says that it failed."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as problem:
        return problem.errno in {errno.EMFILE, errno.ENFILE}
    return False
