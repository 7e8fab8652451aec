"""The limits in force, with what depends on the process filled in."""

import sys

from gateway.core.limits import Limits, calls_per_account, connections_within
from gateway.settings import LimitSettings


def limits_of(settings: LimitSettings, accounts: int = 1) -> Limits:
    """`auto` becomes what the process's file descriptors, and so many accounts, allow now."""
    values = settings.model_dump()
    if settings.calls_per_account == "auto":
        values["calls_per_account"] = calls_per_account(settings.calls, accounts)
    if settings.connections == "auto":
        values["connections"] = connections_within(descriptors(), settings.calls)
    return Limits(**values)


def descriptors() -> int:
    """How many files and sockets this process may have open."""
    if sys.platform == "win32":
        return 8192
    import resource  # noqa: PLC0415  not everywhere

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENDLESS if soft == resource.RLIM_INFINITY else soft


_ENDLESS = 1 << 20
