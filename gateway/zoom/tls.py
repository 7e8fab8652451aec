"""Whom the two clients of Zoom believe."""

import ssl
from collections.abc import Callable
from functools import cache

Trust = Callable[[], ssl.SSLContext]
"""Gives the context for a new connection: whom it believes may have changed meanwhile."""


@cache
def default_tls() -> ssl.SSLContext:
    """Certificates and names are checked, by the machine's store of authorities."""
    return strict(ssl.create_default_context())


def strict(context: ssl.SSLContext) -> ssl.SSLContext:
    """For HTTP/1.1 over TLS 1.2 or newer; a machine that asks for more gets it."""
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    context.set_alpn_protocols(["http/1.1"])
    return context
