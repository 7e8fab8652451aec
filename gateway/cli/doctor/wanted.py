"""Which scopes the tokens lack for the operations that somebody wants to use."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Final

from gateway import wiring
from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.core.rights import profiles, rights
from gateway.core.routes import Operation
from gateway.core.scopes import Weighed, advised, classic, weigh
from gateway.settings import load_operations
from gateway.settings.wanted import Wanted

_SHOWN: Final = 5
"""Scopes that are named in a sentence."""

_MARKETPLACE: Final = (
    "Add them to the app in the Zoom Marketplace (Scopes). They count for tokens minted after: the "
    "next rotation brings them, or Rotate now."
)


async def scopes(case: Case, accounts: Iterable[str]) -> AsyncIterator[Finding]:
    """Says nothing if nobody asked."""
    wanted = case.wanted
    if wanted is None:
        return
    known = frozenset(scope for one in load_operations() for scope in one.scopes)
    for name in accounts:
        operations = _operations(wanted, name)
        granted = case.scopes.get(name, case.stored.get(name))
        if granted is None:
            yield _unknown(name)
            continue
        weighed = weigh(operations, granted, known)
        for finding in _judged(name, weighed, wanted.strangers, classic(granted, known)):
            yield finding


def _operations(wanted: Wanted, account: str) -> list[Operation]:
    """All that any caller may use, or those of the list."""
    if not wanted.rules:
        return [*wanted.operations]
    policy = wiring.policy_of(wanted.rules, default_allows=wanted.default_allows)
    table = load_operations()
    allowed = {
        one
        for profile in profiles(policy.rules)
        for one in rights(policy, profile.callers, account, table)
    }
    return [one for one in table if one in allowed]


def _judged(
    account: str, weighed: Weighed, strangers: tuple[str, ...], old: list[str]
) -> Iterator[Finding]:
    about = f"accounts.{account}"
    if weighed.lacking:
        yield _lacking(about, account, weighed.lacking)
    if weighed.hidden or weighed.unlisted or strangers:
        yield _undecided(about, account, weighed, strangers, old)
    if weighed.held or not (weighed.lacking or weighed.hidden or weighed.unlisted or strangers):
        text = f"The token of account {account} has the scope for {_counted(weighed.held)} wanted."
        details = {"count": len(weighed.held)}
        yield Finding(Code.WANTED_SCOPES_HELD, Level.OK, about, text, details=details)


def _lacking(about: str, account: str, operations: list[Operation]) -> Finding:
    missing = sorted({advised(one.scopes) for one in operations})
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return Finding(
        Code.WANTED_SCOPES_LACKING,
        Level.PROBLEM,
        about,
        f"The token of account {account} lacks the scope for {_counted(operations)}: "
        f"{', '.join(missing[:_SHOWN])}{more}.",
        _MARKETPLACE,
        {
            "scopes": missing,
            "count": len(operations),
            "operations": [f"{_named(one)} needs {' or '.join(one.scopes)}" for one in operations],
        },
    )


def _undecided(
    about: str, account: str, weighed: Weighed, strangers: tuple[str, ...], old: list[str]
) -> Finding:
    reasons = []
    if weighed.hidden:
        reasons.append(
            f"for {_counted(weighed.hidden)}, as it has classic scopes ({', '.join(old[:_SHOWN])}),"
            " which do not say what they allow"
        )
    if weighed.unlisted:
        reasons.append(
            f"for {_counted(weighed.unlisted)} of which Zoom's reference names no granular scope"
        )
    if strangers:
        reasons.append(f"for {len(strangers)} that Zoom's reference, as known here, does not have")
    return Finding(
        Code.WANTED_SCOPES_UNDECIDED,
        Level.WARNING,
        about,
        f"Whether the token of account {account} suffices cannot be told {'; '.join(reasons)}.",
        "Call each once: where a scope is missing, Zoom names it, and the status page shows it. "
        "Once you know, say --ignore wanted_scopes_undecided.",
        {
            "classic": old,
            "hidden": [_named(one) for one in weighed.hidden],
            "unlisted": [_named(one) for one in weighed.unlisted],
            "unknown": [*strangers],
            "operations": [
                *(f"{_named(one)}: classic scopes" for one in weighed.hidden),
                *(f"{_named(one)}: no scope is known" for one in weighed.unlisted),
                *(f"{one}: not in the reference" for one in strangers),
            ],
        },
    )


def _unknown(account: str) -> Finding:
    return Finding(
        Code.WANTED_SCOPES_UNKNOWN,
        Level.PROBLEM,
        f"accounts.{account}",
        f"There is no token of account {account} to look at: none in use is in the store, and none "
        "was minted.",
        "Say --mint, or share the running gateway's store (store.url).",
    )


def _counted(operations: list[Operation]) -> str:
    return f"{len(operations)} operation{'s' * (len(operations) != 1)}"


def _named(one: Operation) -> str:
    return f"{one.method} {one.path} ({one.operation_id})"
