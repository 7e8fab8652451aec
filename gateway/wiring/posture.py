"""How the gateway is guarded, as the status tells it."""

from collections.abc import Mapping

from gateway.core.posture import AccessStatus, LimitStatus, ListenerStatus, Posture, UpstreamStatus
from gateway.settings import Settings


def posture(
    settings: Settings,
    listener: ListenerStatus,
    upstream: UpstreamStatus,
    denied: Mapping[str, int],
    limits: Mapping[str, LimitStatus],
) -> Posture:
    """Give it as it is now. `denied` counts calls that were not allowed, by reason."""
    rules = settings.access
    access = AccessStatus(rules.default, len(rules.rules), denied)
    return Posture(listener, upstream, access, limits)
