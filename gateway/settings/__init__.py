"""The configuration: one YAML file, the environment over it, everything checked at the start.

`load(path, environ)` gives `Settings` or raises ConfigurationError with all problems. Only the
composition root reads them; docs/configuration.md is made from the model.
"""

from collections.abc import Mapping
from pathlib import Path

from gateway.settings.accounts import AccountSettings, AppSettings
from gateway.settings.limits import LimitSettings
from gateway.settings.listen import AdminSettings, ListenSettings
from gateway.settings.model import (
    DrainSettings,
    LogSettings,
    ReplaySettings,
    Settings,
    TokenSettings,
)
from gateway.settings.operations import load_operations, read_operations
from gateway.settings.ratelimit import RateLimitSettings
from gateway.settings.store import StoreSettings
from gateway.settings.upstream import UpstreamSettings

__all__ = [
    "AccountSettings",
    "AdminSettings",
    "AppSettings",
    "DrainSettings",
    "LimitSettings",
    "ListenSettings",
    "LogSettings",
    "RateLimitSettings",
    "ReplaySettings",
    "Settings",
    "StoreSettings",
    "TokenSettings",
    "UpstreamSettings",
    "load",
    "load_operations",
    "read_operations",
]


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """As `gateway.settings.loader.load`."""
    # Not at the top: who only uses a configuration has no need of what reads one.
    from gateway.settings import loader  # noqa: PLC0415

    return loader.load(path, environ)
