"""Which account a call that names none is made with."""

import pytest

from gateway.core.endpoint import Endpoint
from gateway.core.errors import CallRefusedError
from gateway.web.accounts import UNDECIDED, AccountContext, Accounts
from tests.support.scripted_tokens import ScriptedTokens


def _accounts(*names: str) -> Accounts:
    return Accounts(AccountContext(name, ScriptedTokens()) for name in names)


def test_the_default_one_if_there_is_one() -> None:
    assert _accounts("acme", "default").named(None).name == "default"


def test_the_only_one_whatever_its_name() -> None:
    assert _accounts("acme").named(None).name == "acme"


def test_none_of_several_others() -> None:
    with pytest.raises(CallRefusedError) as refused:
        _accounts("acme", "globex").named(None)
    assert refused.value.status == 404
    assert "acme" not in str(refused.value)


def test_undecided_only_where_none_is_named_and_none_is_the_default() -> None:
    several = _accounts("acme", "globex")
    assert several.named_or_undecided(None) is UNDECIDED
    assert several.named_or_undecided("acme").name == "acme"
    with pytest.raises(CallRefusedError):
        several.named_or_undecided("initech")
    assert _accounts("acme").named_or_undecided(None).name == "acme"
    assert _accounts("acme", "default").named_or_undecided(None).name == "default"


def test_no_call_gets_a_token_of_an_account_that_is_undecided() -> None:
    with pytest.raises(CallRefusedError) as refused:
        UNDECIDED.tokens.call(Endpoint("GET", "other", "GET /x"))
    assert refused.value.status == 404
