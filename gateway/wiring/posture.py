"""What the status tells of the gateway's listener and of its way to Zoom."""

from urllib.parse import urlsplit

from gateway.core.posture import ListenerStatus, Posture, UpstreamStatus
from gateway.settings import Settings


def posture(settings: Settings, address: str) -> Posture:
    """Give it as it is now; `address` is where the proxy listens."""
    return Posture(
        ListenerStatus(address), UpstreamStatus(urlsplit(settings.upstream.api_url).netloc)
    )
