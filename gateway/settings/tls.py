"""TLS on the port that callers connect to: the gateway's certificate, and theirs."""

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from gateway.core.certificate import Certificate
from gateway.core.errors import ConfigurationError
from gateway.models import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
)
from gateway.settings.kinds import Kind
from gateway.settings.secrets import read_small_file
from gateway.settings.section import Section
from gateway.settings.server_tls import (
    C,
    Identity,
    check_certificate,
    check_client_ca,
    check_key,
    read_certificate,
    server_context,
)
from gateway.settings.tls_files import PemFile


def _certificate_file(path: Path) -> Path:
    check_certificate(path)
    return path


def _client_ca_file(path: Path) -> Path:
    check_client_ca(path)
    return path


def _text(value: object) -> object:
    # YAML reads 1.2 without quotes as a number.
    return str(value) if isinstance(value, float) else value


CertificateFile = Annotated[
    Path, AfterValidator(_certificate_file), Kind("the path of a readable file")
]
ClientCaFile = Annotated[Path, AfterValidator(_client_ca_file), Kind("the path of a readable file")]
Asked = Annotated[Literal["required", "optional"], Kind("required or optional")]
Version = Annotated[Literal["1.2", "1.3"], BeforeValidator(_text), Kind("1.2 or 1.3")]

_VERSIONS: Final[Mapping[str, ssl.TLSVersion]] = {
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


class TlsSettings(Section):
    """TLS for callers. Files that change are read again within seconds, and on SIGHUP."""

    certificate_file: CertificateFile | None = Field(
        default=None,
        description="A file with the gateway's certificate (PEM), those of intermediate CAs after"
        " it; together with `key_file`. Unset: callers speak plain HTTP.",
    )
    key_file: PemFile | None = Field(
        default=None, description="A file with that certificate's key (PEM), without a passphrase."
    )
    client_ca_file: ClientCaFile | None = Field(
        default=None,
        description="A file with the CA certificates (PEM) that sign those of callers (mutual"
        " TLS). No other CA counts: not the system's.",
    )
    client_certificates: Asked | None = Field(
        default=None,
        description="With `client_ca_file`: `required` (also if it is unset) ends a connection"
        " that shows no certificate; with `optional` it is up to the access rules what such a"
        " caller may do.",
    )
    minimum_version: Version = Field(
        default="1.2", description="The oldest version of TLS that is spoken: 1.2 or 1.3."
    )

    @field_validator("key_file")
    @classmethod
    def _of_the_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "certificate_file" not in info.data:  # wrong by itself, and reported already
            return key
        certificate = info.data["certificate_file"]
        if key is not None and certificate is not None:
            check_key(certificate, key)
        elif key is not None:
            raise ValueError("is set without certificate_file: set both or neither")
        elif certificate is not None:
            raise ValueError("is missing: certificate_file is set; set both or neither")
        return key

    @field_validator("client_ca_file")
    @classmethod
    def _with_a_certificate(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        _needs(path, info, "certificate_file")
        return path

    @field_validator("client_certificates")
    @classmethod
    def _with_a_client_ca(cls, asked: str | None, info: ValidationInfo) -> str | None:
        _needs(asked, info, "client_ca_file")
        return asked

    @property
    def on(self) -> bool:
        """Whether callers speak TLS."""
        return self.certificate_file is not None

    @property
    def asked(self) -> str | None:
        """`required` or `optional`; None: callers are not asked for certificates."""
        return None if self.client_ca_file is None else self.client_certificates or "required"

    @property
    def files(self) -> tuple[Path, ...]:
        """All that are read."""
        found = (self.certificate_file, self.key_file, self.client_ca_file)
        return tuple(path for path in found if path is not None)

    def context(self, kind: type[C]) -> C:
        """For a server, from the files as they are now. Raises ConfigurationError."""
        certificate, key, client_ca = self.certificate_file, self.key_file, self.client_ca_file
        assert certificate is not None  # noqa: S101  asked only while `on`
        assert key is not None  # noqa: S101  as above
        problems = _problems(certificate, key, client_ca)
        if problems:
            raise ConfigurationError(problems)
        try:
            return server_context(
                kind,
                Identity(certificate, key),
                _VERSIONS[self.minimum_version],
                client_ca,
                optional=self.asked == "optional",
            )
        except (OSError, ValueError):  # changed since it was checked
            raise ConfigurationError(["tls: its files change just now"]) from None

    def certificate(self) -> Certificate:
        """What the certificate says of itself. Raises ConfigurationError."""
        assert self.certificate_file is not None  # noqa: S101  asked only while `on`
        try:
            return read_certificate(self.certificate_file)
        except ValueError as error:
            raise ConfigurationError([f"tls.certificate_file: {error}"]) from None


def _needs(value: object, info: ValidationInfo, other: str) -> None:
    """Refuse what would promise a protection that is not there."""
    if value is not None and other in info.data and info.data[other] is None:
        raise ValueError(f"is of no use without {other}")


def _problems(certificate: Path, key: Path, client_ca: Path | None) -> list[str]:
    """What is wrong with the files now: a line for each, as when the settings were read."""
    found = _wrong("certificate_file", check_certificate, certificate)
    if found:
        found += _wrong("key_file", read_small_file, key)
    else:
        found += _wrong("key_file", check_key, certificate, key)
    if client_ca is not None:
        found += _wrong("client_ca_file", check_client_ca, client_ca)
    return found


def _wrong(name: str, check: Callable[..., object], *paths: Path) -> list[str]:
    try:
        check(*paths)
    except ValueError as error:
        return [f"tls.{name}: {error}"]
    return []
