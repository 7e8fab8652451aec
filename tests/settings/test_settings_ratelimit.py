"""What is done about Zoom's rate limits: for all accounts, and for one."""

import pytest

from tests.settings.configured import problem, settings

ACCOUNT = "account_id: i, apps: [{client_id: c, client_secret: s}]"


def test_nothing_is_done_unless_it_is_asked_for() -> None:
    found = settings(f"accounts: {{default: {{{ACCOUNT}}}}}", {})
    assert found.ratelimit.retry == 0
    assert found.accounts["default"].ratelimit.retry is None


def test_an_account_has_a_number_of_its_own() -> None:
    account = f"{{{ACCOUNT}, ratelimit: {{retry: 0}}}}"
    found = settings(f"ratelimit: {{retry: 3}}\naccounts: {{default: {account}}}", {})
    assert found.ratelimit.retry == 3
    assert found.accounts["default"].ratelimit.retry == 0


@pytest.mark.parametrize("value", ["-1", "11", "1.5", "true", "many"])
def test_other_numbers_are_refused(value: str) -> None:
    line = problem(f"ratelimit: {{retry: {value}}}")
    assert line == "ratelimit.retry: must be a whole number from 0 to 10"
    account = f"{{{ACCOUNT}, ratelimit: {{retry: {value}}}}}"
    line = problem(f"accounts: {{default: {account}}}", {})
    assert line == "accounts.default.ratelimit.retry: must be a whole number from 0 to 10"


def test_variables_set_them() -> None:
    variables = {
        "ZOOM_GATEWAY_RATELIMIT__RETRY": "3",
        "ZOOM_GATEWAY_ACCOUNTS__DEFAULT__RATELIMIT__RETRY": "5",
    }
    found = settings(f"accounts: {{default: {{{ACCOUNT}}}}}", variables)
    assert (found.ratelimit.retry, found.accounts["default"].ratelimit.retry) == (3, 5)
