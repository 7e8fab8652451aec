"""An endpoint is a value."""

from dataclasses import FrozenInstanceError

import pytest

from gateway.core.endpoint import Endpoint

USER = Endpoint("GET", "/v2/users/{userId}", "GET /v2/users/{userId}")


def test_endpoints_of_the_same_parts_are_the_same_key_of_a_dict() -> None:
    assert {USER: 1}[Endpoint("GET", "/v2/users/{userId}", "GET /v2/users/{userId}")] == 1


def test_two_paths_in_no_template_are_two_endpoints_under_one_route() -> None:
    assert Endpoint("GET", "other", "GET 1f") != Endpoint("GET", "other", "GET 2e")


def test_an_endpoint_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        USER.route = "other"  # type: ignore[misc]
