"""Every key of the configuration, its default and its meaning."""

from typing import Annotated, Any

from gateway.models import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from gateway.settings import kinds
from gateway.settings.access import AccessSettings
from gateway.settings.accounts import AccountSettings
from gateway.settings.kinds import AccountName, Kind
from gateway.settings.limits import LimitSettings
from gateway.settings.listen import AdminSettings, ListenSettings, overlap
from gateway.settings.oauth import OAuthSettings
from gateway.settings.ratelimit import RateLimitSettings
from gateway.settings.section import Section
from gateway.settings.store import StoreSettings
from gateway.settings.tls import TlsSettings
from gateway.settings.tracing import TracingSettings
from gateway.settings.upstream import UpstreamSettings


class TokenSettings(Section):
    """When tokens are renewed, and how long calls wait for one."""

    rotate_at: kinds.RotateAt = Field(
        default="auto",
        description="The share of its life after which a token is replaced. `auto`: 0.5 with"
        " several slots, 0.9 with one.",
    )
    wait_timeout: kinds.WaitSeconds = Field(
        default=8.0,
        description="Seconds that a call waits for tokens, all its waits together. Clients often"
        " give up after 15.",
    )
    mint_timeout: kinds.Seconds = Field(
        default=4.0,
        description="Seconds for one request to the token endpoint; less than `wait_timeout`.",
    )
    probe_path: kinds.ProbePath = Field(
        default="/v2/users/me",
        description="The path of the harmless GET that tells a dead token from an endpoint that"
        " refuses by itself. A scope of the app must allow it.",
    )

    @field_validator("mint_timeout")
    @classmethod
    def _within_the_wait(cls, timeout: float, info: ValidationInfo) -> float:
        wait: float | None = info.data.get("wait_timeout")
        if wait is not None and timeout >= wait:
            raise ValueError(f"must be less than token.wait_timeout ({wait:g} s)")
        return timeout


class ReplaySettings(Section):
    """What is kept of a request's body, so that a refused call can be sent again."""

    memory_limit: kinds.ByteCount = Field(
        default=1_048_576, description="Bytes of a body up to which it is kept in memory."
    )
    disk_limit: kinds.ByteCount = Field(
        default=268_435_456,
        description="Bytes of a body up to which it is kept in a temporary file. A larger one is"
        " forwarded, but its refusal is passed on.",
    )
    dir: kinds.SpoolDirectory = Field(
        default="auto",
        description="The directory of the temporary files. `auto`: the system's own.",
    )


class DrainSettings(Section):
    """How the gateway stops."""

    delay: kinds.SecondsOrZero = Field(
        default=5.0,
        description="Seconds from SIGTERM, when `/readyz` turns 503, until no new connection is"
        " taken: load balancers need time to notice.",
    )
    timeout: kinds.SecondsOrZero = Field(
        default=30.0, description="Seconds that calls in flight then have to finish."
    )


class LogSettings(Section):
    """What is logged, to standard error."""

    format: kinds.LogFormat = Field(
        default="json", description="`json`: a line each, for machines; `console`: for people."
    )
    level: kinds.LogLevel = Field(
        default="info", description="The least serious level that is logged."
    )
    sample: kinds.Portion = Field(
        default=1.0,
        description="The share of the calls that went well whose `call` line is written, 0 to 1."
        " Those that did not, or were slow, are always written.",
    )


class Settings(BaseModel):
    """The whole configuration, checked. Made by `gateway.settings.load`, read by the wiring."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    listen: ListenSettings = ListenSettings()
    admin: AdminSettings = AdminSettings()
    tls: TlsSettings = TlsSettings()
    access: AccessSettings = AccessSettings()
    oauth: OAuthSettings = OAuthSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    accounts: Annotated[
        dict[AccountName, AccountSettings], Kind("a mapping of account names to accounts")
    ] = Field(default_factory=dict, description="The accounts, by name.")
    token: TokenSettings = TokenSettings()
    replay: ReplaySettings = ReplaySettings()
    limits: LimitSettings = LimitSettings()
    ratelimit: RateLimitSettings = RateLimitSettings()
    store: StoreSettings = StoreSettings()
    drain: DrainSettings = DrainSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()

    @field_validator("admin")
    @classmethod
    def _apart_from_listen(cls, admin: AdminSettings, info: ValidationInfo) -> AdminSettings:
        listen: ListenSettings | None = info.data.get("listen")
        if listen is not None and overlap(listen, admin):
            raise ValueError(
                f"must listen elsewhere than listen ({listen.host}, port {listen.port}):"
                " give one of them another port"
            )
        return admin

    @field_validator("tls")
    @classmethod
    def _not_on_a_unix_socket(cls, tls: TlsSettings, info: ValidationInfo) -> TlsSettings:
        listen: ListenSettings | None = info.data.get("listen")
        if listen is not None and listen.socket is not None and tls.on:
            raise ValueError(
                "is for callers over TCP, and listen.socket is set: who may open a Unix socket is"
                " said by its file's permissions; take away one of the two"
            )
        return tls

    @field_validator("accounts")
    @classmethod
    def _at_least_one(cls, accounts: dict[str, AccountSettings]) -> dict[str, AccountSettings]:
        if not accounts:
            raise ValueError(
                "must hold at least one account: set ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID and"
                " ZOOM_CLIENT_SECRET, or accounts.default in the file"
            )
        return accounts

    def describe(self) -> dict[str, Any]:
        """All values as plain data for logs and the status page; secrets are masked."""
        return self.model_dump(mode="json", exclude_none=True)
