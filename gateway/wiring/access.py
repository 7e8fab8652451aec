"""Who may call, as the settings say."""

from gateway.core.hosts import HostNames
from gateway.settings import Settings
from gateway.web.admit import Access


def access(settings: Settings) -> Access:
    """Under which names, and from which pages, calls may come."""
    names = (*settings.access.hosts, settings.listen.host, settings.admin.host)
    origins = settings.access.origins
    return Access(HostNames(names), frozenset(one.encode() for one in origins))
