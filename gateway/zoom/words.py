"""Why there is no connection, in words for an operator."""

import os
import re
import socket
import ssl
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from gateway.core.zoom_hosts import LOCALHOST, canonical, is_loopback

_OLD: Final = re.compile(r"UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|NO_PROTOCOLS_AVAILABLE")
"""OpenSSL's reasons, and the peer's alerts, when both sides have no version in common."""

_ENDED: Final = re.compile(r"EOF")


def describe(error: BaseException) -> str:
    """A few words about an error of the network; never a header or a body.

    What the system says is preferred to what libraries make of it.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message or error.reason}"
    if isinstance(error, ssl.SSLError):
        return _no_tls(error.reason or "")
    if isinstance(error, socket.gaierror):
        return f"its name has no address here: {error.strerror or 'it is not known'}"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
    return type(error).__name__


def _no_tls(reason: str) -> str:
    if _OLD.search(reason):
        return f"no TLS: it has no version from TLS 1.2 on ({reason})"
    if _ENDED.search(reason):
        return CLOSED_EARLY
    return f"no TLS: {reason or 'the handshake failed'}"


CLOSED_EARLY: Final = "it closed the connection during the TLS handshake"


def in_handshake(error: Exception) -> str:
    """As `describe`, for what came while TLS was being agreed on."""
    if isinstance(error, ConnectionError):
        return CLOSED_EARLY
    return describe(error)


def only_here(host: str, addresses: Iterable[str]) -> None:
    """See that `localhost` stands for this machine: it is sent secrets in clear.

    Raises OSError if a hosts file or a name server says something else.
    """
    if canonical(host) != LOCALHOST:
        return
    for one in addresses:
        if not is_loopback(one):
            raise OSError(f"localhost stands for {one} here, which is not this machine")


def refused_tunnel(status: int, *, with_login: bool) -> str:
    """What a proxy that does not connect us meant. Its own words are not repeated."""
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        hint = (
            "it does not take the user and password of its URL"
            if with_login
            else "it asks for a user and password: give its URL as http://user:password@host:port"
        )
    elif status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED):
        hint = "its rules do not allow this way: let it through there"
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        hint = "it cannot reach the host itself"
    else:
        hint = "it may be no proxy that takes CONNECT"
    return f"it refuses with status {status}: {hint}"
