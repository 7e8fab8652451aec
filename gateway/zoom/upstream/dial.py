"""From a URL to a connection: names, addresses, TCP and TLS."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohappyeyeballs

from gateway.core.errors import ConfigurationError, DescriptorsError, UpstreamConnectError
from gateway.zoom.upstream.connection import Connection
from gateway.zoom.words import describe

NEXT_ADDRESS: Final = 0.25
"""Seconds before the next address is tried beside the last one (RFC 8305, section 5), so
that a broken IPv6 does not use up the connect timeout."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where all calls go. `tls` is None for plain http."""

    host: str
    port: int
    tls: ssl.SSLContext | None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def authority(self) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.tls else 80
        return (host if self.port == usual else f"{host}:{self.port}").encode("ascii")


def parse_origin(url: str, tls: ssl.SSLContext | None = None) -> Origin:
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
    return Origin(parts.hostname, port or 443, tls or default_tls())


def default_tls() -> ssl.SSLContext:
    """Certificates and names are checked, by the machine's store of authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


async def dial(
    origin: Origin, factory: Callable[[socket.socket], Connection], connect_timeout: float
) -> Connection:
    """Connect, TLS included. Raises UpstreamConnectError, which is a DescriptorsError if none was
    free; when cancelled, leaves nothing.
    """
    try:
        async with asyncio.timeout(connect_timeout):
            return await _connect(origin, factory)
    except TimeoutError:
        why = f"no connection within {connect_timeout:g} s"
    except UnicodeError:
        why = "its name is no host name"
    except OSError as error:
        why = describe(error)
        if _starved():
            raise DescriptorsError(f"{origin}: {why}") from None
    raise UpstreamConnectError(f"Zoom cannot be reached at {origin}: {why}")


def _starved() -> bool:
    """Whether no file descriptor is free; a resolver that finds none only says that it failed."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as problem:
        return problem.errno in {errno.EMFILE, errno.ENFILE}
    return False


async def _connect(origin: Origin, factory: Callable[[socket.socket], Connection]) -> Connection:
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    sock = await aiohappyeyeballs.start_connection(
        addresses, happy_eyeballs_delay=NEXT_ADDRESS, interleave=1
    )
    try:
        _, connection = await loop.create_connection(
            lambda: factory(sock),
            sock=sock,
            ssl=origin.tls,
            server_hostname=origin.host if origin.tls else None,
        )
    except BaseException:
        sock.close()
        raise
    return connection
