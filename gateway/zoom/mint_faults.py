"""Why a mint got no answer, in words, and whether Zoom may have minted all the same."""

import ssl
from dataclasses import dataclass
from typing import Final

import aiohttp

from gateway.core.egress import EgressProxy
from gateway.core.errors import MintError, MintFailure
from gateway.zoom.words import describe, in_handshake, refused_tunnel


@dataclass(slots=True)
class Sending:
    """One request to the token endpoint."""

    proxy: EgressProxy | None
    """On the way there."""
    seconds: float
    """The time for a connection."""
    sent: bool = False
    """Whether any of it was sent to Zoom."""

    def explain(self, error: Exception) -> MintError:
        """Say what went wrong; nothing of the error itself is kept, as it holds headers."""
        if isinstance(error, aiohttp.InvalidURL):
            words = "upstream.token_url is no URL that can be called"
            return MintError(MintFailure.CONNECTION, words)
        if not self.sent or isinstance(error, _UNCONNECTED):
            return MintError(MintFailure.CONNECTION, self._unconnected(error))
        if isinstance(error, TimeoutError):
            words = "The token endpoint did not answer in time; it may have minted"
            return MintError(MintFailure.TIMEOUT, words)
        words = "The connection to the token endpoint broke, so it may have minted"
        return MintError(MintFailure.BROKEN, f"{words}: {_why(error)}")

    def _unconnected(self, error: Exception) -> str:
        by = f" by the proxy {self.proxy}" if self.proxy else ""
        if isinstance(error, TimeoutError):
            within = f"within {self.seconds:g} s: check the way to it"
            return f"No connection to the token endpoint{by} {within}"
        if self.proxy and self._at_proxy(error):
            why = _why(error)
            if isinstance(error, aiohttp.ClientHttpProxyError):
                with_login = self.proxy.login is not None
                why = refused_tunnel(error.status, with_login=with_login)
            elif isinstance(error, aiohttp.ServerDisconnectedError):
                why = "it hangs up"
            elif isinstance(error, aiohttp.ClientResponseError):
                why = "its answer is not HTTP"
            return f"The proxy {self.proxy} gives no way to the token endpoint: {why}"
        return f"The token endpoint cannot be reached{by}: {_why(error)}"

    def _at_proxy(self, error: Exception) -> bool:
        """Whether the proxy is at fault, and not what is behind it."""
        if isinstance(error, aiohttp.ClientConnectorError):
            return self.proxy is not None and (error.host, error.port) == (
                self.proxy.host,
                self.proxy.port,
            )
        return not isinstance(error, ssl.SSLError)


_UNCONNECTED: Final = (
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
)


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return describe(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError):
        # Nothing was sent, so what was cut off can only have been the handshake.
        lost = isinstance(error.os_error, ConnectionResetError | ConnectionAbortedError)
        return in_handshake(error.os_error) if lost else describe(error.os_error)
    return describe(error)
