"""What rules come to: the operations that callers may use, and rules that never decide."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gateway.core.caller_match import CallerMatch
from gateway.core.patterns import Pattern, Selection, covers, nameless, shape_of
from gateway.core.policy import CompiledRule, Policy, Rule
from gateway.core.routes import Operation


class Profile(NamedTuple):
    """Callers who are all that one rule asks for, and no more; `rule` is the first such rule.

    None: callers who are nothing that any rule asks for.
    """

    callers: CallerMatch
    rule: Rule | None


def profiles(rules: Iterable[CompiledRule]) -> list[Profile]:
    """Those that the rules tell apart, in their order; everybody else is the last."""
    found: dict[CallerMatch, Rule] = {}
    for one in rules:
        if not one.rule.callers.everybody:
            found.setdefault(one.rule.callers, one.rule)
    return [*(Profile(*pair) for pair in found.items()), Profile(CallerMatch(), None)]


def rights(
    policy: Policy, callers: CallerMatch, account: str, operations: Iterable[Operation]
) -> list[Operation]:
    """The operations that such callers may use of an account."""
    rules = [
        one.rule.name
        for one in policy.rules
        if one.rule.callers.covers(callers)
        and (not one.rule.accounts or account in one.rule.accounts)
    ]
    return [one for one in operations if policy.judges(rules, one)]


def shadowed(rules: Sequence[CompiledRule]) -> Iterator[tuple[Rule, Rule]]:
    """Rules that can never decide, each with an earlier one that fits all that it fits.

    A rule that several earlier ones cover only together is not found.
    """
    for place, late in enumerate(rules):
        for early in rules[:place]:
            if _covers(early, late):
                yield late.rule, early.rule
                break


def _covers(wide: CompiledRule, narrow: CompiledRule) -> bool:
    return (
        wide.rule.callers.covers(narrow.rule.callers)
        and _within(narrow.rule.accounts, wide.rule.accounts)
        and _methods_within(narrow, wide.rule)
        and _selects_all(wide, narrow)
    )


def _within(narrow: frozenset[str], wide: frozenset[str]) -> bool:
    """An empty set is everything."""
    return not wide or (bool(narrow) and narrow <= wide)


def _methods_within(narrow: CompiledRule, wide: Rule) -> bool:
    methods = narrow.rule.methods
    if not methods and narrow.selection is not None and not narrow.selection.patterns:
        # Operations have methods of their own, and GET's are HEAD's, too.
        methods = frozenset(method for method, _ in narrow.selection.operations)
    return not wide.methods or (bool(methods) and all(map(wide.has_method, methods)))


def _selects_all(wide: CompiledRule, narrow: CompiledRule) -> bool:
    if wide.selection is None:
        return True
    if narrow.selection is None:
        return False
    return all(
        any(covers(pattern, inner) for pattern in wide.selection.patterns)
        for inner in narrow.selection.patterns
    ) and all(_selects(wide.selection, key) for key in narrow.selection.operations)


def _selects(selection: Selection, key: tuple[str, str]) -> bool:
    as_pattern = Pattern(shape_of(key[1]), (), nameless(key[1]))
    return key in selection.operations or any(
        covers(pattern, as_pattern) for pattern in selection.patterns
    )
