"""A CA of the test's own, and contexts for its servers and clients."""

import datetime as dt
import re
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Its certificate is in `file`."""

    def __init__(
        self, directory: Path, name: str = "ca", days: tuple[float, float] = (-1, 1)
    ) -> None:
        self._directory = directory
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = directory / f"{name}.pem"
        own = self._builder(self._name, self._key.public_key(), days).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self._write(self.file, own)

    def issue(self, *hosts: str, days: tuple[float, float] = (-1, 1), named: bool = True) -> Issued:
        """For a server of these names, or for a client; good from and until, in days from now.

        Not `named`: the names are nowhere that clients look.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_host(host) for host in hosts or ("client",)])
        stem = re.sub(r"[^\w.-]+", "_", "-".join(hosts))[-64:] or "client"
        made = Issued(self._directory / f"{stem}.pem", self._directory / f"{stem}.key")
        plain = self._builder(_name(stem), key.public_key(), days)
        self._write(
            made.certificate, plain.add_extension(names, critical=False) if named else plain
        )
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return made

    def context(self, client: Issued | None = None) -> ssl.SSLContext:
        """A client's: it trusts this CA alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.file)
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
        return context

    def server_options(self, server: Issued) -> tuple[str, ...]:
        """Give what a Redis server needs, which asks its clients for certificates of this CA."""
        return (
            *("--tls-cert-file", str(server.certificate), "--tls-key-file", str(server.key)),
            *("--tls-ca-cert-file", str(self.file), "--tls-auth-clients", "yes"),
            *("--tls-replication", "yes"),
        )

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        days: tuple[float, float] = (-1, 1),
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
        )

    def _write(self, file: Path, certificate: x509.CertificateBuilder) -> None:
        signed = certificate.sign(self._key, hashes.SHA256())
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def _host(host: str) -> x509.GeneralName:
    if "://" in host:
        return x509.UniformResourceIdentifier(host)
    if "@" in host:
        return x509.RFC822Name(host)
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
