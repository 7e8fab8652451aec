"""Why there is no connection, in words for an operator."""

import os
import socket
import ssl


def describe(error: BaseException) -> str:
    """A few words about an error of the network; never a header or a body.

    What the system says is preferred to what libraries make of it.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message or error.reason}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {error.reason or 'the handshake failed'}"
    if isinstance(error, socket.gaierror):
        return error.strerror or "its name is not known"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
    return type(error).__name__
