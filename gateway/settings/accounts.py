"""Accounts and their apps: whose tokens the gateway manages."""

from typing import Annotated

from gateway.core.credentials import AppCredentials
from gateway.core.errors import ConfigurationError
from gateway.models import AfterValidator, Field, field_validator
from gateway.settings.kinds import AccountId, AppName, ClientId, Indexes, Kind
from gateway.settings.limits import CountOrZero
from gateway.settings.ratelimit import AccountRateLimitSettings
from gateway.settings.secrets import (
    SecretFile,
    SecretText,
    at_least_one,
    at_most_one,
    current_secret,
)
from gateway.settings.section import Section


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

    _one_client_secret = field_validator("client_secret_file")(at_least_one)
    _one_of_each = field_validator("client_secret_file", "previous_client_secret_file")(at_most_one)

    def credentials(self) -> AppCredentials:
        """The credentials as they are now: files are read afresh.

        Raises ConfigurationError if a file cannot be read (any more).
        """
        try:
            secret = current_secret(self, "client_secret")
            previous = current_secret(self, "previous_client_secret")
        except ValueError as error:
            raise ConfigurationError([f"app {self.name}: {error}"]) from None
        if secret is None:  # not after a successful validation
            raise ConfigurationError([f"app {self.name}: there is no client secret"])
        return AppCredentials(self.client_id, secret, previous)


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
    ratelimit: AccountRateLimitSettings = AccountRateLimitSettings()
    calls: CountOrZero | None = Field(
        default=None,
        description="Calls of this account in hand at once, in place of"
        " `limits.calls_per_account`. 0: no limit but `limits.calls`.",
    )

    @property
    def identity(self) -> tuple[str, tuple[AppSettings, ...]]:
        """What its tokens depend on: they stay as they are while nothing else changes."""
        return self.account_id, self.apps
