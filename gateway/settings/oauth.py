"""The emulated token endpoint."""

from gateway.models import Field
from gateway.settings import kinds
from gateway.settings.section import Section


class OAuthSettings(Section):
    """The emulated token endpoint. It gives away a placeholder, with which callers call here."""

    real_token: kinds.Switch = Field(
        default=False,
        description="Whether it gives the account's real token to callers whom a rule with"
        " `real_token` names: for what cannot be proxied, such as a WebSocket. Such a caller can do"
        " with it whatever the app may, and no rule, limit or replay is between it and Zoom. Each"
        " such answer is logged (`real_token_given`) and counted.",
    )
