"""The variables that are a complete configuration by themselves.

`ZOOM_ACCOUNT_ID`, `ZOOM_CLIENT_ID` and `ZOOM_CLIENT_SECRET` (or `ZOOM_CLIENT_SECRET_FILE`)
are about the account `default` and its app `default`.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.settings.merge import Tree

DEFAULT: Final = "default"

ACCOUNT_KEYS: Final = {"account_id": "ZOOM_ACCOUNT_ID"}
APP_KEYS: Final = {
    "client_id": "ZOOM_CLIENT_ID",
    "client_secret": "ZOOM_CLIENT_SECRET",
    "client_secret_file": "ZOOM_CLIENT_SECRET_FILE",
}
_SECRETS: Final = ("client_secret", "client_secret_file")


def variable_of(path: tuple[str, ...]) -> str | None:
    """The short variable that can set the key at `path`, if there is one."""
    if path[:2] != ("accounts", DEFAULT):
        return None
    if path[2:4] == ("apps", "0"):
        return APP_KEYS.get(path[-1])
    return ACCOUNT_KEYS.get(path[-1])


def fill(tree: Tree, environ: Mapping[str, str]) -> None:
    """Set from the short variables what `tree` leaves unset. An empty one counts as unset.

    Beside other accounts, the account `default` is made only if the variables are complete, so
    that a stray one does no harm. A list of apps that is configured gets no other app from them:
    a new app would mint beside those that were meant.
    """
    for_account = {key: environ[name] for key, name in ACCOUNT_KEYS.items() if environ.get(name)}
    for_app = {key: environ[name] for key, name in APP_KEYS.items() if environ.get(name)}
    if not for_account and not for_app:
        return
    complete = "client_id" in for_app and any(key in for_app for key in _SECRETS)
    account = _account(tree.setdefault("accounts", {}), may_add=complete and bool(for_account))
    if account is None:
        return
    _set(account, for_account)
    app = _app(account.setdefault("apps", [{"name": DEFAULT}]))
    if app is None:
        return
    if any(key in app for key in _SECRETS):
        for_app = {key: value for key, value in for_app.items() if key not in _SECRETS}
    _set(app, for_app)


def _set(tree: Tree, values: Mapping[str, str]) -> None:
    for key, value in values.items():
        tree.setdefault(key, value)


def _account(accounts: Any, *, may_add: bool) -> Tree | None:
    """The account `default`, made if it may be; None also if the tree has another shape."""
    if not isinstance(accounts, dict) or (accounts and DEFAULT not in accounts and not may_add):
        return None
    account = accounts.setdefault(DEFAULT, {})
    return account if isinstance(account, dict) else None


def _app(apps: Any) -> Tree | None:
    """The app `default` of a list; None also if the tree has another shape."""
    if not isinstance(apps, list):
        return None
    named = (a for a in apps if isinstance(a, dict) and a.get("name", DEFAULT) == DEFAULT)
    return next(named, None)
