"""Who may have an account's real token: nobody whom no rule names for it."""

from collections.abc import Sequence
from ipaddress import collapse_addresses

from gateway.core.caller import Caller
from gateway.core.caller_match import CallerMatch, Network
from gateway.core.policy import Rule


class TokenRights:
    """What rules say of the real token, first fit first; where none fits, no.

    Beside rules for the token, those count that deny a caller everything.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(
            one for one in rules if one.real_token or not (one.allows or _is_narrow(one))
        )

    def rule_for(self, caller: Caller, key: str | None, account: str | None) -> str | None:
        """The name of the rule that lets the caller have the token; None: none does.

        `key` is the name of the key that was shown; `account` None: of any account.
        """
        for rule in self._rules:
            if rule.accounts and account is not None and account not in rule.accounts:
                continue
            if not rule.callers.fits(caller, key):
                continue
            if rule.real_token:
                return rule.name
            if account is not None or not rule.accounts:
                return None
        return None


def _is_narrow(rule: Rule) -> bool:
    return bool(rule.methods or rule.operations)


def fits_anybody(callers: CallerMatch) -> bool:
    """Whether these callers are not told apart from others: by nothing, or by networks that are
    all addresses.
    """
    if callers.keys or callers.certificates:
        return False
    return callers.everybody or any(_is_whole(callers.networks, version) for version in (4, 6))


def _is_whole(networks: Sequence[Network], version: int) -> bool:
    same = [one for one in networks if one.version == version]
    # The library's types want one version at a time.
    return any(one.prefixlen == 0 for one in collapse_addresses(same))  # type: ignore[type-var]
