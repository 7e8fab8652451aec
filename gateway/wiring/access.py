"""Who may call what, and by which names, as the settings say."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from gateway.core.caller_match import UNIX, CallerMatch, name_pattern, network
from gateway.core.hosts import HostNames
from gateway.core.keys import Keys
from gateway.core.policy import Policy, Rule
from gateway.settings import Settings, load_operations
from gateway.settings.access_rules import AccessRule
from gateway.web.sources import Sources


def sources(settings: Settings) -> Sources:
    """The names, and the pages, that calls may come by."""
    names = (*settings.access.hosts, settings.listen.host, settings.admin.host)
    origins = settings.access.origins
    return Sources(HostNames(names), frozenset(one.encode() for one in origins))


def policy(settings: Settings) -> Policy | None:
    """None: everybody may call everything."""
    made = access_policy(settings)
    return None if made.idle else made


def access_policy(settings: Settings) -> Policy:
    """What the rules say, even if that is nothing."""
    access = settings.access
    return policy_of(access.rules, default_allows=access.default == "allow")


def policy_of(rules: Sequence[AccessRule], *, default_allows: bool) -> Policy:
    return Policy(
        [rule(one) for one in rules],
        default_allows=default_allows,
        operations=load_operations() if rules else (),
    )


def rule(settings: AccessRule) -> Rule:
    callers = settings.callers
    networks = tuple(callers.networks or ())
    return Rule(
        settings.name,
        settings.action == "allow",
        CallerMatch(
            _networks(networks),
            UNIX in networks,
            tuple(map(name_pattern, callers.certificates or ())),
            frozenset(callers.keys or ()),
        ),
        frozenset(settings.accounts or ()),
        frozenset(settings.methods or ()),
        tuple(settings.operations or ()),
    )


def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(network(text) for text in texts if text != UNIX)


def keys(settings: Settings) -> Keys:
    """The keys as they are now. Raises ConfigurationError if a file cannot be read (any more)."""
    return Keys({name: one.current() for name, one in settings.access.keys.items()})
