"""What the token endpoint wants to know of an app."""

from dataclasses import dataclass

from gateway.core.secret import Secret


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """One app's credentials, read together, so that no rotation can mix old and new.

    `previous_client_secret` is tried when Zoom refuses `client_secret`: for up to 30 days
    after a rotation Zoom takes both.
    """

    client_id: str
    client_secret: Secret
    previous_client_secret: Secret | None = None
