"""Servers under TLS, good and bad."""

import contextlib
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

from tests.settings.certificates import make_ca
from tests.stores.certificates import Authority

NAME = "api.zoom.test"
"""Which no resolver knows: a connection to it can only be made by a proxy."""

HERE = (NAME, "127.0.0.1", "localhost")


def certified(
    authority: Authority, names: tuple[str, ...] = HERE, days: tuple[float, float] = (-1, 1)
) -> ssl.SSLContext:
    issued = authority.issue(*names, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    return context


def self_signed(directory: Path) -> ssl.SSLContext:
    make_ca(directory / "own.pem", directory / "own.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "own.pem", directory / "own.key")
    return context


@contextlib.contextmanager
def old_server(context: ssl.SSLContext) -> Iterator[tuple[int, bytearray]]:
    """Speaks TLS 1.0 and 1.1 alone; gives its port and what it could read.

    In a thread: the event loop's server hangs up without the alert that says why.
    """
    _age(context)
    heard = bytearray()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        # Shutting it down ends it.
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listening.accept()
                with (
                    sock,
                    contextlib.suppress(OSError),
                    context.wrap_socket(sock, server_side=True) as tls,
                ):
                    heard.extend(tls.recv(65_536))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1], heard
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        listening.close()


def _age(context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
