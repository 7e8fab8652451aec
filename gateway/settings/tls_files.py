"""Certificates and keys for connections over TLS, in files."""

import ssl
from pathlib import Path
from typing import Annotated, Final

from gateway.models import AfterValidator
from gateway.settings.kinds import Kind
from gateway.settings.secrets import read_small_file
from gateway.settings.shown import shown_name


def client_context(
    ca: Path | None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """For connections to a server whose certificate `ca`, or else the system's CAs, stand for.

    With `certificate` and its `key` for a server that asks who calls. Raises OSError (of which
    ssl.SSLError is one) or ValueError if a file cannot be used.
    """
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key, _refuse)
    return context


def _refuse() -> str:
    # Without this, OpenSSL would ask at the terminal, and wait.
    raise ValueError("the key is encrypted with a passphrase")


def check_pair(certificate: Path, key: Path) -> None:
    """Raise ValueError if they cannot be used together."""
    try:
        client_context(None, certificate, key)
    except (OSError, ValueError):
        raise ValueError(
            f"{shown_name(key)} is not the key of {certificate} (client_certificate_file), in PEM"
            " and without a passphrase"
        ) from None


_BUNDLE_LIMIT: Final = 8_388_608
"""Bytes of a file of CAs: a system's own has some 250,000."""


def _ca_file(path: Path) -> Path:
    read_small_file(path, _BUNDLE_LIMIT)
    try:
        client_context(path)
    except (OSError, ValueError):
        raise ValueError(f"{shown_name(path)} holds no CA certificate in PEM") from None
    return path


def _readable(path: Path) -> Path:
    read_small_file(path)
    return path


_WORDS: Final = Kind("the path of a readable file")

CaFile = Annotated[Path, AfterValidator(_ca_file), _WORDS]
PemFile = Annotated[Path, AfterValidator(_readable), _WORDS]
