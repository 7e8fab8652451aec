"""Where the replicas share the tokens, how they are let in there, and what is sealed."""

from pathlib import Path
from typing import Any, Final

from gateway.core.errors import ConfigurationError
from gateway.core.secret import Secret
from gateway.models import Field, ValidationInfo, field_validator
from gateway.settings import kinds
from gateway.settings.sealing_keys import KeyFile, read_key
from gateway.settings.secrets import (
    SecretFile,
    SecretText,
    at_most_one,
    current_secret,
    no_secret,
)
from gateway.settings.section import Section
from gateway.settings.store_urls import (
    REDIS,
    SENTINEL,
    TLS,
    RedisUrl,
    SecretUrl,
    StoreUrl,
    file_directory,
    redis_url,
    scheme_of,
)
from gateway.settings.tls_files import CaFile, PemFile, check_pair

_SCHEMES: Final = {
    "password": REDIS,
    "password_file": REDIS,
    "sentinel_password": SENTINEL,
    "sentinel_password_file": SENTINEL,
    "ca_file": TLS,
    "client_certificate_file": TLS,
    "client_key_file": TLS,
}
"""The URLs with which a key is of use. With others it is refused: who set it expects a
protection, or a fleet, that is not there."""


class StoreSettings(Section):
    """Where the replicas share the tokens."""

    url: StoreUrl = Field(
        default="memory:",
        description="`memory:` for one process alone, `file:///dir` for the processes of one"
        " machine: the tokens lie in that directory, which nobody else may read. For a fleet a"
        " Redis, version 5 or newer: `redis://host:6379/0`, or"
        " `redis+sentinel://host:26379,host:26379/master/0` with the name by which the Sentinels"
        " know it; `rediss://` and `rediss+sentinel://` with TLS. `user:password@` may stand"
        " before the hosts. Who reads that database has the tokens, unless they are encrypted.",
    )
    lease: kinds.LeaseSeconds = Field(
        default=3.0,
        description="Seconds after which the right to mint of a replica that died is taken over.",
    )
    on_outage: kinds.OnOutage = Field(
        default="mint",
        description="What a replica without a usable token does while the store does not answer:"
        " `mint` its own, or `wait`.",
    )
    password: SecretText | None = Field(
        default=None,
        description="The password for Redis. Either this, or `password_file`, or one in the URL.",
    )
    password_file: SecretFile | None = Field(
        default=None,
        description="A file that holds the password for Redis, read again for each connection,"
        " so that a changed password needs no restart.",
    )
    sentinel_password: SecretText | None = Field(
        default=None,
        description="The password for the Sentinels, if they have one. Either this or"
        " `sentinel_password_file`.",
    )
    sentinel_password_file: SecretFile | None = Field(
        default=None,
        description="A file that holds the password for the Sentinels, read again for each"
        " connection.",
    )
    ca_file: CaFile | None = Field(
        default=None,
        description="A file with the CA certificates (PEM) that sign those of Redis and the"
        " Sentinels, instead of the system's CAs.",
    )
    client_certificate_file: PemFile | None = Field(
        default=None,
        description="A file with the certificate (PEM) that the gateway shows to Redis and the"
        " Sentinels; together with `client_key_file`.",
    )
    client_key_file: PemFile | None = Field(
        default=None, description="A file with that certificate's key (PEM), without a passphrase."
    )
    encryption_key_file: KeyFile | None = Field(
        default=None,
        description="A file with the key that encrypts the tokens in the store (AES-256-GCM; all"
        " else stays in clear): 32 bytes, raw, in base64 or in hexadecimal digits, as"
        " `openssl rand -base64 32` makes them. It is read at the start; all replicas must have"
        " it. For a new key, without an interruption: first set the new one as"
        " `previous_encryption_key_file` in all replicas; then, in all, swap the two; an hour"
        " later, when every token was replaced, take the old one away. To begin to encrypt in a"
        " running fleet: first set the key as `previous_encryption_key_file` in all, then as this"
        " one; to end it, the other way round.",
    )
    previous_encryption_key_file: KeyFile | None = Field(
        default=None,
        description="A file with another key that tokens in the store may be encrypted with: it"
        " is read with, never written. A replica that has not the key of a token in the store"
        " says so and leaves the store as it is.",
    )

    @field_validator(*_SCHEMES)
    @classmethod
    def _of_use(cls, value: Any, info: ValidationInfo) -> Any:
        url, allowed = info.data.get("url"), _SCHEMES[str(info.field_name)]
        if value is not None and url is not None and scheme_of(url) not in allowed:
            names = " and ".join(f"{scheme}://" for scheme in sorted(allowed))
            raise ValueError(f"is for {names} alone, and store.url begins with {scheme_of(url)}:")
        return value

    @field_validator("password", "password_file")
    @classmethod
    def _not_in_the_url_too(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and isinstance(info.data.get("url"), SecretUrl):
            raise ValueError("is one too many: store.url holds a password, too; keep one of them")
        return value

    _one_of_each = field_validator("password_file", "sentinel_password_file")(at_most_one)

    @field_validator("password_file")
    @classmethod
    def _password_of_the_user(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        url = info.data.get("url", "")
        if path is None and "password" in info.data and info.data["password"] is None:
            address = redis_url(url) if scheme_of(url) in REDIS else None
            if address and address.user and not address.password:
                raise no_secret("store.url names a user")
        return path

    @field_validator("client_key_file")
    @classmethod
    def _with_its_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "client_certificate_file" not in info.data:  # wrong by itself, and reported already
            return key
        certificate = info.data["client_certificate_file"]
        if key is not None and certificate is not None:
            check_pair(certificate, key)
        elif key is not None:
            raise ValueError("is set without client_certificate_file: set both or neither")
        elif certificate is not None:
            raise ValueError("is missing: client_certificate_file is set; set both or neither")
        return key

    @property
    def directory(self) -> Path | None:
        """The directory of a `file:///dir` URL; None for another store."""
        return file_directory(self.url)

    @property
    def redis(self) -> RedisUrl | None:
        """What a URL of Redis says; None for another store."""
        return redis_url(self.url) if scheme_of(self.url) in REDIS else None

    @property
    def tls(self) -> bool:
        """Whether the connections to Redis are over TLS."""
        return scheme_of(self.url) in TLS

    def redis_password(self) -> Secret | None:
        """The password as it is now: a file is read afresh. Raises ValueError if it cannot be."""
        address = self.redis
        in_url = address.password if address else None
        return in_url or current_secret(self, "password")

    def current_sentinel_password(self) -> Secret | None:
        """The Sentinels' password as it is now. Raises ValueError if its file cannot be read."""
        return current_secret(self, "sentinel_password")

    def encryption_keys(self) -> tuple[Secret | None, Secret | None]:
        """The key to encrypt with and another to read with, as they are now, in hexadecimal.

        Raises ConfigurationError with every file that cannot be read (any more).
        """
        keys, problems = [], []
        for name in ("encryption_key_file", "previous_encryption_key_file"):
            path: Path | None = getattr(self, name)
            try:
                keys.append(read_key(path) if path else None)
            except ValueError as error:
                problems.append(f"store.{name}: {error}")
        if problems:
            raise ConfigurationError(problems)
        return keys[0], keys[1]
