"""Which account a call that names none is made with."""

import pytest

from gateway.core.errors import CallRefusedError
from gateway.web.accounts import AccountContext, Accounts
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
