"""Who may have the real token, and how it travels to them."""

import contextlib
from collections.abc import Iterator
from ipaddress import ip_address

from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.settings import Settings
from gateway.settings.access_rules import AccessRule, CallerSettings


def findings(settings: Settings) -> Iterator[Finding]:
    """Says nothing where it is off and no rule is about it."""
    rules = [one for one in settings.access.rules if one.real_token]
    if not settings.oauth.real_token:
        if rules:
            yield Finding(
                Code.REAL_TOKEN_OFF,
                Level.NOTICE,
                "oauth.real_token",
                f"Nobody gets the real token, as oauth.real_token is off: {_named(rules)} "
                "do nothing.",
                details={"rules": [one.name for one in rules]},
            )
        return
    if not rules:
        yield Finding(
            Code.REAL_TOKEN_UNUSED,
            Level.WARNING,
            "oauth.real_token",
            "oauth.real_token is on, but no rule names who gets the real token: nobody does.",
            "Write a rule with real_token: true (docs/real-token.md), or switch it off.",
        )
        return
    for rule in rules:
        accounts = f"the account {', '.join(rule.accounts)}" if rule.accounts else "every account"
        yield Finding(
            Code.REAL_TOKEN,
            Level.NOTICE,
            "access.rules",
            f"{words(rule.callers)} get the real token of {accounts}, with all that the app may "
            f"do (rule {rule.name}).",
            details={"rule": rule.name, "accounts": list(rule.accounts or settings.accounts)},
        )
    if not settings.tls.on and not is_loopback(settings):
        yield Finding(
            Code.REAL_TOKEN_IN_CLEAR,
            Level.WARNING,
            "oauth.real_token",
            "Real tokens travel from listen in clear: who sees the network's traffic has them.",
            "Switch TLS on (tls.certificate_file), or listen on 127.0.0.1 or a Unix socket; where "
            "TLS ends before it, or the network itself encrypts (a service mesh, WireGuard), say "
            "--ignore real_token_in_clear.",
        )


def _named(rules: list[AccessRule]) -> str:
    return f"the rule{'s' * (len(rules) > 1)} {', '.join(one.name for one in rules)}"


def words(callers: CallerSettings) -> str:
    """Who they are."""
    parts = [
        f"{how} {' or '.join(values)}"
        for how, values in (
            ("from", callers.networks),
            ("with the certificate", callers.certificates),
            ("with the key", callers.keys),
        )
        if values
    ]
    return f"Callers {' and '.join(parts)}"


def is_loopback(settings: Settings) -> bool:
    """Whether nothing of what callers send is on a network."""
    listen = settings.listen
    with contextlib.suppress(ValueError):
        return listen.socket is not None or ip_address(listen.host).is_loopback
    return listen.host.lower().removesuffix(".") == "localhost"
