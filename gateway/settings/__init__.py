"""The configuration: one YAML file, the environment over it, everything checked at the start.

`load(path, environ)` gives `Settings` or raises ConfigurationError with all problems. Only the
composition root reads them; docs/configuration.md is made from the model.
"""

from gateway.settings.accounts import AccountSettings, AppSettings
from gateway.settings.limits import LimitSettings
from gateway.settings.listen import AdminSettings, ListenSettings
from gateway.settings.loader import load
from gateway.settings.model import (
    DrainSettings,
    LogSettings,
    ReplaySettings,
    Settings,
    TokenSettings,
)
from gateway.settings.operations import load_operations, read_operations
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
    "ReplaySettings",
    "Settings",
    "StoreSettings",
    "TokenSettings",
    "UpstreamSettings",
    "load",
    "load_operations",
    "read_operations",
]
