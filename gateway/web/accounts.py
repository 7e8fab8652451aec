"""The accounts that calls can be made with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from gateway.core.errors import CallRefusedError
from gateway.ports import Tokens

DEFAULT: Final = "default"
"""The account of a call that names none."""


@dataclass(frozen=True, slots=True)
class AccountContext:
    """One account as the proxy needs it.

    `account_id` is Zoom's; `scope` gives the managed token's scope, `""` while there is none.
    """

    name: str
    tokens: Tokens
    account_id: str = ""
    scope: Callable[[], str] = str


class Accounts:
    """The configured accounts, by our name and by Zoom's id."""

    def __init__(self, contexts: Iterable[AccountContext]) -> None:
        self._by_name = {context.name: context for context in contexts}
        # A gateway for one account serves it whatever its name is.
        self._unnamed = next(iter(self._by_name)) if len(self._by_name) == 1 else DEFAULT
        self._by_id = {c.account_id: c for c in self._by_name.values() if c.account_id}

    def named(self, name: str | None) -> AccountContext:
        """Give an account; None: the default or only one. Raises CallRefusedError (404)."""
        context = self._by_name.get(self._unnamed if name is None else name)
        if context is None:
            # What is configured is nobody's business who has to ask.
            raise CallRefusedError(
                404,
                "unknown_account",
                "There is no such account here: name a configured one as /@NAME or in "
                "X-Zoom-Account.",
            )
        return context

    def with_id(self, account_id: str) -> AccountContext | None:
        """Give the account with Zoom's id, or None."""
        return self._by_id.get(account_id)
