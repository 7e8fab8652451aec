"""What the access rules come to: who may use what, rules that do nothing, and missing scopes."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from gateway import wiring
from gateway.cli.doctor import real_token
from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.core.caller_match import UNIX
from gateway.core.other_hosts import PREFIX
from gateway.core.patterns import Catalogue
from gateway.core.policy import Policy
from gateway.core.rights import Profile, profiles, rights, shadowed
from gateway.core.routes import Operation
from gateway.settings import Settings, load_operations
from gateway.settings.access_rules import AccessRule, CallerSettings

_ELSEWHERE: Final = PREFIX.decode("ascii")
"""Begins the paths of Zoom's other hosts, which are in no table."""

_CLASSIC: Final = re.compile(r"[a-z_]+:(read|write|master)(:(admin|master))?")
"""A scope of the kind that apps had before 2024: `user:read:admin`."""

_SHOWN: Final = 5
"""Products that are named in a sentence."""

Access = tuple[str, str, list[Operation]]
"""Callers and account, in words, and what they may use."""


async def rules(case: Case, *, listing: bool) -> AsyncIterator[Finding]:
    """Says nothing where everybody may call everything and nobody shows a key."""
    access = case.settings.access
    for finding in (*_keys(case.settings), *real_token.findings(case.settings)):
        yield finding
    if not _of_calls(case.settings) and access.default == "allow":
        return
    policy = wiring.access_policy(case.settings)
    found = (
        *_idle(case.settings, policy),
        *_unknown(case.settings),
        *_never(case.settings, policy),
    )
    for finding in found:
        yield finding
    for who, account, allowed in _rights(case.settings, policy):
        yield _may(who, account, allowed, listing=listing)


async def scopes(case: Case, *, listing: bool) -> AsyncIterator[Finding]:
    """Which of what callers may use the app may not; known once there was a token."""
    if not _of_calls(case.settings):
        return
    policy = wiring.access_policy(case.settings)
    for account, granted in case.scopes.items():
        known = {scope for one in load_operations() for scope in one.scopes}
        classic = sorted(scope for scope in granted - known if _CLASSIC.fullmatch(scope))
        if classic and not granted & known:
            yield _unclear(account, classic)
            continue
        for who, _, allowed in _rights(case.settings, policy, [account]):
            lacking = [one for one in allowed if one.scopes and not granted & {*one.scopes}]
            if lacking:
                yield _lacking(who, account, lacking, classic, listing=listing)


def _of_calls(settings: Settings) -> list[AccessRule]:
    """The rules that are about calls."""
    return [one for one in settings.access.rules if not one.real_token]


def _rights(settings: Settings, policy: Policy, accounts: Sequence[str] = ()) -> Iterator[Access]:
    operations = load_operations()
    apart = any(one.accounts for one in _of_calls(settings))
    names = list(accounts) or (
        list(settings.accounts) if apart else [next(iter(settings.accounts))]
    )
    for profile in profiles(policy.rules):
        for account in names:
            allowed = rights(policy, profile.callers, account, operations)
            where = f"of account {account} " if apart or accounts else ""
            yield _who(settings, profile), where, allowed


def _who(settings: Settings, profile: Profile) -> str:
    if profile.rule is None:
        named = any(one.callers != CallerSettings() for one in _of_calls(settings))
        return "All other callers" if named else "All callers"
    rule = next(one for one in settings.access.rules if one.name == profile.rule.name)
    return real_token.words(rule.callers)


def _may(who: str, where: str, allowed: list[Operation], *, listing: bool) -> Finding:
    total = len(load_operations())
    counts = Counter(one.product for one in allowed)
    text = f"{who} may use {len(allowed)} of {total} operations {where}".rstrip()
    if 0 < len(allowed) < total:
        text += f": {_counted(counts)}"
    details: dict[str, Any] = {"products": dict(sorted(counts.items())), "count": len(allowed)}
    if listing:
        details["operations"] = _listed(allowed)
    return Finding(Code.ACCESS_RIGHTS, Level.OK, "access.rules", f"{text}.", details=details)


def _listed(operations: Iterable[Operation]) -> list[str]:
    return [f"{one.method} {one.path} ({one.operation_id})" for one in operations]


def _counted(counts: Counter[str]) -> str:
    most = [f"{name} {count}" for name, count in counts.most_common(_SHOWN)]
    rest = len(counts) - len(most)
    more = f" and {rest} product{'s' * (rest > 1)} more" if rest else ""
    return f"{', '.join(most)}{more}"


def _lacking(
    who: str, account: str, lacking: list[Operation], classic: list[str], *, listing: bool
) -> Finding:
    counts = Counter(one.product for one in lacking)
    text = (
        f"{who} may use {len(lacking)} operations of account {account} for which its token lacks "
        f"the scope: {_counted(counts)}."
    )
    if classic:
        text += f" Some may be covered by {', '.join(classic[:_SHOWN])}, which tell less."
    details: dict[str, Any] = {
        "products": dict(sorted(counts.items())),
        "count": len(lacking),
        "scopes": sorted({one.scopes[-1] for one in lacking}),
    }
    if listing:
        details["operations"] = _listed(lacking)
    return Finding(Code.ACCESS_SCOPES, Level.NOTICE, f"accounts.{account}", text, details=details)


def _unclear(account: str, classic: list[str]) -> Finding:
    text = (
        f"The token of account {account} has classic scopes ({', '.join(classic[:_SHOWN])}), of "
        "which it cannot be told exactly which operations they allow."
    )
    details = {"scopes": classic}
    return Finding(
        Code.ACCESS_SCOPES_UNCLEAR, Level.NOTICE, f"accounts.{account}", text, details=details
    )


def _unknown(settings: Settings) -> Iterator[Finding]:
    catalogue = Catalogue(load_operations())
    for place, rule in enumerate(settings.access.rules):
        paths = [one for one in rule.operations or () if one.startswith("/")]
        unknown = [one for one in paths if not (catalogue.knows(one) or one.startswith(_ELSEWHERE))]
        if unknown:
            yield Finding(
                Code.RULE_PATHS_UNKNOWN,
                Level.WARNING,
                f"access.rules[{place}].operations",
                f"The rule {rule.name} names what fits none of Zoom's {len(load_operations())} "
                f"operations: {', '.join(unknown[:_SHOWN])}.",
                "Write paths as Zoom has them, from /v2 on; where this one is right, say "
                "--ignore rule_paths_unknown.",
                {"rule": rule.name, "paths": unknown},
            )


def _never(settings: Settings, policy: Policy) -> Iterator[Finding]:
    """Rules that never decide, and why."""
    for late, early in shadowed(policy.rules):
        place = next(n for n, one in enumerate(settings.access.rules) if one.name == late.name)
        yield Finding(
            Code.RULE_SHADOWED,
            Level.WARNING,
            f"access.rules[{place}]",
            f"The rule {late.name} never decides: {early.name}, which stands before it, fits all "
            "that it fits.",
            f"Put it before {early.name}, or take it out.",
            {"rule": late.name, "by": early.name},
        )
    for place, rule in enumerate(settings.access.rules):
        for code, text, advice, wrong in _UNREACHED:
            if wrong(settings, rule.callers):
                about = f"access.rules[{place}].callers"
                sentence = f"The rule {rule.name} {text}"
                yield Finding(code, Level.WARNING, about, sentence, advice, {"rule": rule.name})


def _no_network(settings: Settings, callers: CallerSettings) -> bool:
    networks = [one for one in callers.networks or () if one != UNIX]
    if settings.listen.socket is not None:
        return bool(networks)
    return real_token.is_loopback(settings) and any(
        not one.startswith(("127.", "::1", "0.0.0.0/0", "::/0")) for one in networks
    )


def _no_certificate(settings: Settings, callers: CallerSettings) -> bool:
    return bool(callers.certificates) and settings.tls.asked is None


def _no_socket(settings: Settings, callers: CallerSettings) -> bool:
    # Beside networks it does no harm: one file for a sidecar and a service.
    return settings.listen.socket is None and set(callers.networks or ()) == {UNIX}


_UNREACHED: Final[tuple[tuple[Code, str, str, Callable[[Settings, CallerSettings], bool]], ...]] = (
    (
        Code.RULE_NETWORKS_LOOPBACK,
        "names networks, but listen takes calls of this machine alone.",
        "Listen on an address that they reach, or take the networks out.",
        _no_network,
    ),
    (
        Code.RULE_CERTIFICATES_UNSEEN,
        "names certificates, but callers are asked for none: it fits no call.",
        "Set tls.client_ca_file, with the certificate and key of the gateway, or take them out.",
        _no_certificate,
    ),
    (
        Code.RULE_SOCKET_UNUSED,
        "is for callers on the Unix socket, but listen.socket is not set: it fits no call.",
        "Set listen.socket, or take the rule out.",
        _no_socket,
    ),
)


def _idle(settings: Settings, policy: Policy) -> Iterator[Finding]:
    access = settings.access
    if access.default == "deny" and all(one.action == "deny" for one in _of_calls(settings)):
        yield Finding(
            Code.ACCESS_DENIES_ALL,
            Level.WARNING,
            "access.default",
            "Nobody may call anything: access.default denies, and no rule allows.",
            "Write a rule that allows (access.rules), or take access.default out.",
        )
    if policy.idle:
        yield Finding(
            Code.RULES_IDLE,
            Level.WARNING,
            "access.default",
            "The rules do nothing: they allow, and so does access.default.",
            "Say access.default: deny, so that what they do not allow is refused.",
            {"rules": [one.name for one in _of_calls(settings)]},
        )


def _keys(settings: Settings) -> Iterator[Finding]:
    keys = settings.access.keys
    used = {name for rule in settings.access.rules for name in rule.callers.keys or ()}
    unused = sorted(keys.keys() - used)
    if unused:
        yield Finding(
            Code.KEYS_UNUSED,
            Level.NOTICE,
            "access.keys",
            f"No rule is about the key{'s' * (len(unused) > 1)} {', '.join(unused)}.",
            details={"keys": unused},
        )
    if keys and not settings.tls.on and not real_token.is_loopback(settings):
        yield Finding(
            Code.KEYS_IN_CLEAR,
            Level.WARNING,
            "access.keys",
            "Keys travel to listen in clear: who sees the network's traffic has them.",
            "Switch TLS on (tls.certificate_file), or listen on 127.0.0.1 or a Unix socket; where "
            "TLS ends before it, or the network itself encrypts (a service mesh, WireGuard), say "
            "--ignore keys_in_clear.",
        )
