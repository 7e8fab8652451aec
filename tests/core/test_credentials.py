"""An app's credentials: read together, and shown to nobody."""

from dataclasses import FrozenInstanceError, replace

import pytest

from gateway.core.credentials import AppCredentials
from gateway.core.secret import Secret

CANARY = "canary-Qw47"
BOTH = AppCredentials("client-1", Secret(f"{CANARY}-new"), Secret(f"{CANARY}-old"))


def test_an_app_has_one_secret_unless_it_is_being_rotated() -> None:
    assert AppCredentials("client-1", Secret("s")).previous_client_secret is None
    assert BOTH.previous_client_secret == Secret(f"{CANARY}-old")


def test_they_show_the_client_but_neither_of_its_secrets() -> None:
    assert "client-1" in repr(BOTH)
    assert CANARY not in repr(BOTH)


def test_those_read_again_unchanged_are_equal_and_a_rotated_secret_makes_them_differ() -> None:
    again = AppCredentials("client-1", Secret(f"{CANARY}-new"), Secret(f"{CANARY}-old"))
    assert again == BOTH
    assert replace(BOTH, client_secret=Secret("newer")) != BOTH
    assert replace(BOTH, previous_client_secret=None) != BOTH


def test_none_of_them_is_replaced_alone() -> None:
    with pytest.raises(FrozenInstanceError):
        BOTH.client_secret = Secret("other")  # type: ignore[misc]
