"""Operations that Zoom refuses because the token lacks a scope: what is remembered of them.

Pure: the clock comes in as an argument.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from gateway.core.routes import OTHER
from gateway.core.scopes import advised, scopes_of
from gateway.core.token import Token

MOST: Final = 1000
"""Operations that are remembered, of all accounts together; the longest unheard of is forgotten."""

AGAIN: Final = 3600.0
"""Seconds after which an operation that was accepted and is refused anew is told again. Of two apps
one may lack the scope: then every other call is refused."""

STALE: Final = 86_400.0
"""Seconds without a further refusal after which nobody calls it any more."""

Key = tuple[str, str, str]
"""Account, method and path template."""


@dataclass(frozen=True, slots=True)
class Lack:
    """An operation of an account, and the scopes each of which would do; none: nobody knows.

    Moments are on the gateway's clock.
    """

    method: str
    route: str
    scopes: tuple[str, ...]
    since: float
    last: float
    count: int
    generation: int
    """Of the token that was refused last."""
    told: float
    """When it was told last."""
    open: bool = True

    @property
    def operation(self) -> str:
        return f"{self.method} {self.route}"

    @property
    def scope(self) -> str:
        """The one to add, for people."""
        if not self.scopes:
            return "a scope that Zoom does not name"
        return f"the scope {advised(self.scopes)}"


class Lacks:
    """Of all accounts."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, Lack] = OrderedDict()
        self._accounts: set[str] = set()
        """Those that may have open ones: a thousand others need no look."""
        self.open = 0
        """How many there are now."""

    def heard(self, key: Key, scopes: tuple[str, ...], generation: int, now: float) -> Lack | None:
        """An operation was refused. Give what is to be told of it; None: it was told."""
        account, method, route = key
        self._accounts.add(account)
        known = self._known.pop(key, None)
        if known is None:
            fresh = Lack(method, route, scopes, now, now, 1, generation, now)
            self._keep(key, fresh)
            return fresh
        tells = not known.open and now - known.told > AGAIN
        changed = replace(
            known,
            scopes=scopes or known.scopes,
            since=known.since if known.open else now,
            last=now,
            count=known.count + 1 if known.open else 1,
            generation=generation,
            told=now if tells else known.told,
            open=True,
        )
        self.open -= known.open
        self._keep(key, changed)
        return changed if tells else None

    def _keep(self, key: Key, lack: Lack) -> None:
        self._known[key] = lack
        self.open += 1
        if len(self._known) > MOST:
            _, forgotten = self._known.popitem(last=False)
            self.open -= forgotten.open

    def accepted(self, key: Key) -> None:
        """Zoom takes the operation (again)."""
        # Of paths outside the table, this one may be another.
        if key[2] != OTHER:
            self._settle(key, lambda _: True)

    def _settle(self, key: Key, settled: Callable[[Lack], bool]) -> None:
        known = self._known.get(key)
        if known is not None and known.open and settled(known):
            self._known[key] = replace(known, open=False)
            self.open -= 1

    def of(self, account: str, token: Token | None, now: float) -> tuple[Lack, ...]:
        """Those of an account that are open, with `token` as the one that calls get, the newest
        first.
        """
        if account not in self._accounts:
            return ()
        held = scopes_of(token.scope) if token else frozenset()
        generation = token.generation if token else 0

        def settled(lack: Lack) -> bool:
            # Where the refused token held it already, Zoom is just late.
            added = generation > lack.generation and not held.isdisjoint(lack.scopes)
            return added or now - lack.last > STALE

        keys = [key for key in self._known if key[0] == account]
        for key in keys:
            self._settle(key, settled)
        found = tuple(lack for key in reversed(keys) if (lack := self._known[key]).open)
        if not found:
            self._accounts.discard(account)
        return found

    def __len__(self) -> int:
        return len(self._known)


def told_lacks(lacks: Iterable[Lack], moment: Callable[[float], str]) -> list[dict[str, object]]:
    """For `/status.json`. `moment` writes one of the gateway's clock."""
    return [
        {
            "method": one.method,
            "route": one.route,
            "scopes": list(one.scopes),
            "count": one.count,
            "since": moment(one.since),
            "last": moment(one.last),
        }
        for one in lacks
    ]
