"""The accounts that calls can be made with."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from gateway.core.endpoint import Endpoint
from gateway.core.errors import CallRefusedError
from gateway.ports import CallTokens, Loan, Tokens
from gateway.web.meters import Hand
from gateway.web.origins import Api
from gateway.web.pacing import Pacer

DEFAULT: Final = "default"
"""The account of a call that names none."""


@dataclass(frozen=True, slots=True)
class AccountContext:
    """One account as the proxy needs it.

    `account_id` is Zoom's; `scope` gives the managed token's scope, `""` while there is none.
    `api` None: its calls go where those of all accounts go. `retries`: so often is a call sent
    again that Zoom's limit of this second refused. `pacer` None: they go as they come.
    """

    name: str
    tokens: Tokens
    account_id: str = ""
    scope: Callable[[], str] = str
    api: Api | None = None
    retries: int = 0
    pacer: Pacer | None = None
    lend: Callable[[], Awaitable[Loan]] | None = None
    """Gives the real token; raises TokenUnavailableError. None: nobody may have it."""
    hand: Hand | None = None
    """Its share of the calls in hand; None: it may have all."""


class _NoTokens:
    """Implements `Tokens`, and has none."""

    def call(self, endpoint: Endpoint) -> CallTokens:
        """Raises CallRefusedError (404)."""
        del endpoint
        raise _unknown_account()


UNDECIDED: Final = AccountContext("unknown", _NoTokens())
"""The account of a call that names none where none is the default: the emulated token endpoint
may still pick one. The name is that of calls whose account is not known, in logs and metrics."""


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
            raise _unknown_account()
        return context

    def named_or_undecided(self, name: str | None) -> AccountContext:
        """As `named`, but UNDECIDED for a call that names none where none is the default."""
        if name is None and self._unnamed not in self._by_name:
            return UNDECIDED
        return self.named(name)

    def with_id(self, account_id: str) -> AccountContext | None:
        """Give the account with Zoom's id, or None."""
        return self._by_id.get(account_id)


def _unknown_account() -> CallRefusedError:
    # What is configured is nobody's business who has to ask.
    return CallRefusedError(
        404,
        "unknown_account",
        "There is no such account here: name a configured one as /@NAME or in X-Zoom-Account.",
    )
