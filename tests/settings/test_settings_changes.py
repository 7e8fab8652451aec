from pathlib import Path
from typing import Any

import pytest

from gateway.settings import load
from gateway.settings.changes import applicable, changes, same_store
from tests.stores.certificates import Authority, Issued

BASE = {
    "ZOOM_ACCOUNT_ID": "acc",
    "ZOOM_CLIENT_ID": "id",
    "ZOOM_CLIENT_SECRET": "a secret",
}
SALES = {
    "ZOOM_GATEWAY_ACCOUNTS__SALES__ACCOUNT_ID": "other",
    "ZOOM_GATEWAY_ACCOUNTS__SALES__APPS__0__CLIENT_ID": "id-2",
    "ZOOM_GATEWAY_ACCOUNTS__SALES__APPS__0__CLIENT_SECRET": "another secret",
}


def settings(**variables: str) -> Any:
    keys = {f"ZOOM_GATEWAY_{name}": text for name, text in variables.items()}
    return load(None, {**BASE, **keys})


def test_what_is_the_same_is_no_change() -> None:
    found = changes(settings(), settings(TOKEN__WAIT_TIMEOUT="8.0"))
    assert found.applied == found.ignored == ()


@pytest.mark.parametrize(
    ("variables", "applied"),
    [
        ({"TOKEN__ROTATE_AT": "0.5"}, ("token",)),
        ({"LOG__LEVEL": "debug", "DRAIN__DELAY": "1"}, ("drain", "log")),
        ({"STORE__LEASE": "5", "UPSTREAM__IDLE_TIMEOUT": "5"}, ("upstream", "store")),
        ({"ACCOUNTS__DEFAULT__APPS__0__CLIENT_SECRET": "new"}, ("accounts.default",)),
        ({"ACCOUNTS__DEFAULT__APPS__0__TOKEN_INDEXES": "[0, 1]"}, ("accounts.default",)),
        ({"RATELIMIT__RETRY": "3"}, ("ratelimit",)),
        ({"ACCOUNTS__DEFAULT__RATELIMIT__RETRY": "3"}, ("accounts.default",)),
    ],
)
def test_changes_are_named_in_the_order_of_the_configuration(
    variables: dict[str, str], applied: tuple[str, ...]
) -> None:
    found = changes(settings(), settings(**variables))
    assert (found.applied, found.ignored) == (applied, ())
    assert "new" not in str(found)


def test_what_is_about_calls_alone_leaves_tokens_as_they_are() -> None:
    def identity(**variables: str) -> Any:
        return settings(**variables).accounts["default"].identity

    assert identity() == identity(ACCOUNTS__DEFAULT__RATELIMIT__RETRY="3")
    assert identity() != identity(ACCOUNTS__DEFAULT__APPS__0__CLIENT_SECRET="new")
    assert identity() != identity(ACCOUNTS__DEFAULT__ACCOUNT_ID="new")


def test_accounts_that_come_or_go_are_changes() -> None:
    one, two = load(None, BASE), load(None, {**BASE, **SALES})
    assert changes(one, two).applied == changes(two, one).applied == ("accounts.sales",)


def test_tls_is_switched_by_a_restart_and_all_else_of_it_without(tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    one, two = ca.issue("one.test"), ca.issue("two.test")

    def tls(issued: Issued, **more: str) -> Any:
        files = {"CERTIFICATE_FILE": str(issued.certificate), "KEY_FILE": str(issued.key), **more}
        return settings(**{f"TLS__{name}": text for name, text in files.items()})

    off, on, changed = settings(), tls(one), tls(two, CLIENT_CA_FILE=str(ca.file))
    found = changes(on, changed)
    assert (found.applied, found.ignored) == (("tls",), ())
    assert applicable(on, changed).tls == changed.tls
    for old, new in ((off, on), (on, off)):
        found = changes(old, new)
        assert found.applied == ()
        assert found.ignored == ("tls.certificate_file", "tls.key_file")
        assert applicable(old, new).tls == old.tls


def test_addresses_need_a_restart_and_stay_as_they_were() -> None:
    old = settings()
    new = settings(LISTEN__PORT="1", ADMIN__HOST="127.0.0.2", LOG__LEVEL="debug")
    found = changes(old, new)
    assert found.ignored == ("listen.port", "admin.host")
    assert found.applied == ("log",)
    in_force = applicable(old, new)
    assert (in_force.listen, in_force.admin, in_force.log) == (old.listen, old.admin, new.log)


def test_what_is_allowed_needs_no_restart() -> None:
    old, new = settings(), settings(ADMIN__ALLOW_ACTIONS="true", ADMIN__PORT="1")
    found = changes(old, new)
    assert (found.applied, found.ignored) == (("admin",), ("admin.port",))
    in_force = applicable(old, new).admin
    assert (in_force.allow_actions, in_force.port) == (True, old.admin.port)
    assert not applicable(new, old).admin.allow_actions


@pytest.mark.parametrize(
    ("variables", "same"),
    [
        ({}, True),
        ({"STORE__LEASE": "5", "STORE__ON_OUTAGE": "wait"}, True),
        ({"STORE__URL": "file:///tokens"}, False),
        ({"STORE__URL": "redis://user:one@host/0"}, False),
    ],
)
def test_how_managers_use_a_store_makes_no_other_store_of_it(
    variables: dict[str, str], *, same: bool
) -> None:
    assert same_store(settings(), settings(**variables)) is same


def test_another_password_is_another_way_to_the_store() -> None:
    one, two = (settings(STORE__URL=f"redis://user:{word}@host/0") for word in ("one", "two"))
    assert not same_store(one, two)
    assert changes(one, two).applied == ("store",)
