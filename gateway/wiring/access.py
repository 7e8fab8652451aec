"""Who may call what, and by which names, as the settings say."""

from collections.abc import Sequence

from gateway.core.hosts import HostNames
from gateway.core.keys import Keys
from gateway.core.policy import Policy, Rule
from gateway.core.shapes import Shapes
from gateway.core.token_rights import TokenRights
from gateway.settings import Settings, load_operations
from gateway.settings.access_rules import AccessRule
from gateway.web.sources import Sources


def host_names(settings: Settings, *, zooms: bool = False) -> HostNames:
    """The names that this gateway answers under; with `zooms`, under Zoom's, too."""
    names = (*settings.access.hosts, settings.listen.host, settings.admin.host)
    return HostNames(names, zooms=zooms)


def sources(settings: Settings) -> Sources:
    """The names, and the pages, that calls may come by."""
    origins = settings.access.origins
    return Sources(host_names(settings, zooms=True), frozenset(one.encode() for one in origins))


def policy(settings: Settings, shapes: Shapes) -> Policy | None:
    """None: everybody may call everything. `shapes` as `Policy` has them."""
    made = access_policy(settings, shapes)
    return None if made.idle else made


def access_policy(settings: Settings, shapes: Shapes | None = None) -> Policy:
    """What the rules say, even if that is nothing."""
    access = settings.access
    return policy_of(access.rules, default_allows=access.default == "allow", shapes=shapes)


def policy_of(
    rules: Sequence[AccessRule], *, default_allows: bool, shapes: Shapes | None = None
) -> Policy:
    return Policy(
        [rule(one) for one in rules if not one.real_token],
        default_allows=default_allows,
        operations=load_operations() if rules else (),
        shapes=shapes,
    )


def rule(settings: AccessRule) -> Rule:
    return Rule(
        settings.name,
        settings.action == "allow",
        settings.callers.match(),
        frozenset(settings.accounts or ()),
        frozenset(settings.methods or ()),
        tuple(settings.operations or ()),
        settings.real_token,
    )


def token_rights(settings: Settings) -> TokenRights | None:
    """Who may have the real token; None: nobody."""
    if not settings.oauth.real_token:
        return None
    return TokenRights([rule(one) for one in settings.access.rules])


def keys(settings: Settings) -> Keys:
    """The keys as they are now. Raises ConfigurationError if a file cannot be read (any more)."""
    return Keys({name: one.current() for name, one in settings.access.keys.items()})
