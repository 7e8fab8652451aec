"""A server's certificate, its key and the CAs of its clients, in files: checked, and put to use."""

import ssl
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from gateway.core.certificate import Certificate
from gateway.settings.secrets import read_small_file
from gateway.settings.shown import shown_name

CIPHERS: Final = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""For TLS 1.2: forward secret and authenticated, as Mozilla's intermediate list without those of
plain DH. TLS 1.3 has no others."""

_WEAK: Final = frozenset({"EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"})
"""What OpenSSL says of a certificate that its level of security forbids."""


class Identity(NamedTuple):
    """PEM files of what a server shows, and of what proves that it is its own."""

    certificate: Path
    key: Path


class _PassphraseError(ValueError):
    pass


def _refuse() -> str:
    # Without this, OpenSSL would ask at the terminal, and wait.
    raise _PassphraseError


C = TypeVar("C", bound=ssl.SSLContext)


def server_context(
    kind: type[C],
    identity: Identity,
    minimum: ssl.TLSVersion,
    client_ca: Path | None,
    *,
    optional: bool,
) -> C:
    """For connections of callers. Raises OSError (of which ssl.SSLError is one) or ValueError."""
    context = kind(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = minimum
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(*identity, _refuse)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL if optional else ssl.CERT_REQUIRED
        # A file with an intermediate CA alone means what it says: certificates of that one.
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        # A session that is resumed is not verified anew. A ticket would carry a caller past the
        # end of its certificate; what this leaves, sessions of TLS 1.2 in the memory of this
        # context, ends with the context, and `Connection` looks at the certificate's end.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context


def check_certificate(path: Path) -> None:
    """Raise ValueError if it holds none."""
    read_small_file(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except (OSError, ValueError):
        raise ValueError(f"{shown_name(path)} holds no certificate in PEM") from None


def check_key(certificate: Path, key: Path) -> None:
    """Raise ValueError if they cannot be used together."""
    read_small_file(key)
    name = shown_name(key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, _refuse)
    except _PassphraseError:
        raise ValueError(
            f"{name} is encrypted with a passphrase, which nobody is there to type: store the key"
            " without one"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError(
                f"{name} is not the key of the first certificate in {certificate}"
                " (certificate_file): the gateway's own must come before those of its CAs"
            ) from None
        if error.reason in _WEAK:
            raise ValueError(
                f"{certificate} (certificate_file) is too weak to be used: its key or its"
                " signature is not secure any more"
            ) from None
        raise ValueError(f"{name} holds no private key in PEM") from None
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from None


def check_client_ca(path: Path) -> None:
    """Raise ValueError if it holds anything but certificates of CAs."""
    read_small_file(path)
    name, context = shown_name(path), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError):
        raise ValueError(f"{name} holds no CA certificate in PEM") from None
    held = context.cert_store_stats()
    if not held["x509_ca"]:
        raise ValueError(f"{name} holds no certificate of a CA, but one that signs nothing")
    if held["x509"] > held["x509_ca"]:
        raise ValueError(
            f"{name} holds a certificate that is not a CA's, too: take it out, or its owner would"
            " be let in whatever becomes of it"
        )


def read_certificate(path: Path) -> Certificate:
    """What the first certificate of a file says of itself. Raises ValueError."""
    # These cost memory, and few need them.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    pem = read_small_file(path)
    try:
        found = x509.load_pem_x509_certificates(pem)[0]
        begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
        der = found.public_bytes(Encoding.DER)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Certificate((), begins.timestamp(), ends.timestamp(), der)
    except ValueError:
        raise ValueError(f"{shown_name(path)} holds a certificate that makes no sense") from None
    hosts = (
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
        *names.get_values_for_type(x509.UniformResourceIdentifier),
    )
    return Certificate(hosts, begins.timestamp(), ends.timestamp(), der)
