"""Accounts and their apps: whose tokens the gateway manages."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.core.credentials import AppCredentials
from gateway.core.errors import ConfigurationError
from gateway.core.secret import Secret
from gateway.settings.kinds import AccountId, AppName, ClientId, Indexes, Kind
from gateway.settings.secrets import SecretFile, SecretText, read_secret
from gateway.settings.section import Section

NO_SECRET: Final = "no_secret"  # noqa: S105 - no password, the name of an error
"""The type of the error that an app has no client secret in any form."""


class AppSettings(Section):
    """One Server-to-Server OAuth app of the account."""

    name: AppName = Field(
        default="default", description="The app's name in logs and metrics; different for each app."
    )
    client_id: ClientId = Field(description="The app's client id.")
    client_secret: SecretText | None = Field(
        default=None, description="The app's client secret. Either this or `client_secret_file`."
    )
    client_secret_file: SecretFile | None = Field(
        default=None,
        description="A file that holds the client secret, read again for each new token, so that"
        " a rotated secret needs no restart.",
    )
    previous_client_secret: SecretText | None = Field(
        default=None,
        description="The secret before a rotation, tried when Zoom refuses the current one.",
    )
    previous_client_secret_file: SecretFile | None = Field(
        default=None, description="A file that holds the previous client secret."
    )
    token_indexes: Indexes = Field(
        default=(0,),
        description="The token indexes to mint in. With two, one token stays good while the other"
        " is renewed; Zoom's support raises the range of an app.",
    )

    @field_validator("client_secret_file")
    @classmethod
    def _one_secret(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if "client_secret" not in info.data:  # wrong by itself, and reported already
            return path
        secret = info.data["client_secret"]
        if path is None and secret is None:
            raise PydanticCustomError(NO_SECRET, "neither client_secret nor a file of it is set")
        if path is not None and secret is not None:
            raise ValueError("is one too many: client_secret is set, too; keep one of the two")
        return path

    @field_validator("previous_client_secret_file")
    @classmethod
    def _at_most_one_secret(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is not None and info.data.get("previous_client_secret") is not None:
            raise ValueError(
                "is one too many: previous_client_secret is set, too; keep one of the two"
            )
        return path

    def credentials(self) -> AppCredentials:
        """The credentials as they are now: files are read afresh.

        Raises ConfigurationError if a file cannot be read (any more).
        """
        secret = self._secret("client_secret", self.client_secret, self.client_secret_file)
        if secret is None:  # not after a successful validation
            raise ConfigurationError([f"app {self.name}: there is no client secret"])
        previous = self._secret(
            "previous_client_secret", self.previous_client_secret, self.previous_client_secret_file
        )
        return AppCredentials(self.client_id, secret, previous)

    def _secret(self, key: str, value: Secret | None, path: Path | None) -> Secret | None:
        if path is None:
            return value
        try:
            return read_secret(path)
        except ValueError as error:
            raise ConfigurationError([f"app {self.name}: {key}_file: {error}"]) from None


def _at_least_one(apps: tuple[AppSettings, ...]) -> tuple[AppSettings, ...]:
    if not apps:
        raise ValueError("must be a list of at least one app")
    return apps


class AccountSettings(Section):
    """One Zoom account, under the name by which callers select it.

    Callers of another account than `default` use the base URL `http://gateway:8080/@NAME/v2`
    or the header `X-Zoom-Account: NAME`.
    """

    account_id: AccountId = Field(description="Zoom's id of the account.")
    apps: Annotated[
        tuple[AppSettings, ...],
        AfterValidator(_at_least_one),
        Kind("a list of at least one app"),
    ] = Field(description="The apps of the account. More apps mean more tokens side by side.")
