"""How the gateway is guarded, as the status tells it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.core.posture import LimitStatus, ListenerStatus, Posture, UpstreamStatus
from gateway.settings import Settings


def posture(
    settings: Settings, listener: ListenerStatus, limits: Mapping[str, LimitStatus]
) -> Posture:
    """Give it as it is now."""
    return Posture(
        listener, UpstreamStatus(urlsplit(settings.upstream.api_url).netloc), limits=limits
    )
