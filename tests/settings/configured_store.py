"""Loads a configuration of the store, given by its keys in the environment."""

from gateway.settings import Settings, StoreSettings
from tests.settings.configured import SHORT, problem, settings


def store(**keys: object) -> StoreSettings:
    return loaded(**keys).store


def loaded(**keys: object) -> Settings:
    return settings(None, _environ(keys))


def wrong(**keys: object) -> str:
    """The one problem, which is about the store."""
    line = problem(None, _environ(keys))
    assert line.startswith("store.")
    return line.removeprefix("store.")


def _environ(keys: dict[str, object]) -> dict[str, str]:
    return SHORT | {f"ZOOM_GATEWAY_STORE__{k.upper()}": str(v) for k, v in keys.items()}
