"""How the gateway is guarded: its listener, its limits, who may call, and the way to Zoom.

What is told of it is JSON-ready; moments are seconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from gateway.core.diagnosis import Diagnosis, Severity

_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR

ENDING: Final = _DAY
"""Seconds before its end at which a certificate makes the gateway degraded."""

SOON: Final = 7 * _DAY
"""Seconds before its end at which a certificate is marked."""

_SHARES: Final = {ENDING: 1 / 6, SOON: 1 / 4}
"""The same for short lives, as shares of them: what renews certificates does so at a third."""

CLOSE: Final = 0.8
"""The share of a limit from which it is nearly reached."""

_SECONDS: Final = "_timeout"
_BYTES: Final = frozenset({"header_bytes", "kept_memory", "kept_disk"})
_UNITS: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


@dataclass(frozen=True, slots=True)
class TlsStatus:
    """What callers find who speak TLS."""

    expires_at: float
    """When the certificate in use ends."""
    names: tuple[str, ...]
    """Whom it names."""
    client_certificates: str = "off"
    """`required`, `optional` or `off`."""
    begins_at: float | None = None
    """When it became valid, where known."""


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """Where callers connect."""

    address: str
    """`host:port`, or the path of a socket."""
    tls: TlsStatus | None = None


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """One limit, and how near it is."""

    limit: float
    """A number, bytes or seconds; 0 is none."""
    now: float | None = None
    """What counts against it at this moment; None where that is nothing to measure."""
    hits: int = 0
    """How often it was reached since the start."""


@dataclass(frozen=True, slots=True)
class AccessStatus:
    """What the access rules do."""

    default: str = "allow"
    """`allow` or `deny`: what becomes of calls that no rule names."""
    rules: int = 0
    denied: Mapping[str, int] = field(default_factory=dict)
    """Calls that were not allowed since the start, by reason."""


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """The way to Zoom."""

    api: str
    """The host of Zoom's API."""
    proxy: str | None = None
    """`host:port` of the proxy on the way there; never its password."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """By host, where the configuration says that it is."""
    nameservers: tuple[str, ...] = ()
    """Who is asked for the others of Zoom's; empty: the system."""
    named: tuple[str, ...] = ()
    """Further hosts of the API, that tokens named."""


@dataclass(frozen=True, slots=True)
class Posture:
    """How a gateway stands: who may come, what may be called, by which way."""

    listener: ListenerStatus
    upstream: UpstreamStatus
    access: AccessStatus = field(default_factory=AccessStatus)
    limits: Mapping[str, LimitStatus] = field(default_factory=dict)
    """By the key below `limits` in the configuration."""


CLIENT_CERTIFICATES: Final = {
    "required": "required",
    "optional": "asked for, not required",
    "off": "not asked for",
}
"""In words."""


class Mark(StrEnum):
    """How something looks; each has its word and its colour."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


def told(posture: Posture) -> dict[str, Any]:
    """Give the parts of `/status.json`."""
    tls, access, upstream = posture.listener.tls, posture.access, posture.upstream
    return {
        "listener": {
            "address": posture.listener.address,
            "tls": None
            if tls is None
            else {
                "expires_at": tls.expires_at,
                "begins_at": tls.begins_at,
                "names": list(tls.names),
                "client_certificates": tls.client_certificates,
            },
        },
        "access": {
            "default": access.default,
            "rules": access.rules,
            "denied": dict(access.denied),
        },
        "limits": {
            name: {"limit": one.limit, "now": one.now, "hits": one.hits}
            for name, one in posture.limits.items()
        },
        "upstream": {
            "api": upstream.api,
            "proxy": upstream.proxy,
            "addresses": dict(upstream.addresses),
            "nameservers": list(upstream.nameservers),
            "named": list(upstream.named),
        },
    }


def diagnose_certificate(tls: TlsStatus | None, wall: float) -> list[Diagnosis]:
    """What is wrong with it, `wall` seconds after the epoch. It makes no replica unready."""
    if tls is None or not _within(ENDING, tls.expires_at, tls.begins_at, wall):
        return []
    left = tls.expires_at - wall
    advice = (
        "Renew it: tls.certificate_file and tls.key_file are read again when they change. If they "
        "were renewed, see the log for why they cannot be used."
    )
    if left <= 0:
        return [
            Diagnosis(
                "certificate_expired",
                Severity.ERROR,
                "The proxy's certificate has expired: callers that verify it get no connection.",
                advice,
                since=tls.expires_at,
            )
        ]
    return [
        Diagnosis(
            "certificate_expires",
            Severity.WARNING,
            f"The proxy's certificate expires in {remaining(left)}: then callers that verify it get"
            " no connection.",
            advice,
        )
    ]


def mark_certificate(tls: Mapping[str, Any], wall: float) -> Mark:
    """How a certificate looks, as `told` tells of it."""
    expires, begins = tls["expires_at"], tls.get("begins_at")
    if _within(ENDING, expires, begins, wall):
        return Mark.ERROR
    return Mark.WARNING if _within(SOON, expires, begins, wall) else Mark.OK


def _within(span: float, expires: float, begins: float | None, wall: float) -> bool:
    """A certificate that lives for a day is never far from its end, and well."""
    whole = span if begins is None else min(span, _SHARES[span] * max(0.0, expires - begins))
    return expires - wall <= whole


def share(one: Mapping[str, Any]) -> float | None:
    """How much of a limit is used, 0 to 1 and more; None where that is nothing to measure."""
    if one["now"] is None or not one["limit"]:
        return None
    return float(one["now"]) / float(one["limit"])


def mark_limit(one: Mapping[str, Any]) -> Mark:
    """How a limit looks, as `told` tells of it."""
    used = share(one)
    if used is not None and used >= 1:
        return Mark.ERROR
    return Mark.WARNING if (used is not None and used >= CLOSE) or one["hits"] else Mark.OK


def certificate_words(tls: Mapping[str, Any], wall: float) -> str:
    """`good for 62 days`, or `expired`."""
    left = tls["expires_at"] - wall
    return f"good for {remaining(left)}" if left > 0 else "expired"


def access_words(access: Mapping[str, Any]) -> str:
    """Who may call, in a few words, as `told` tells of it."""
    others = "may call" if access["default"] == "allow" else "may not call"
    rules = access["rules"]
    if not rules:
        return f"no rules: who reaches the gateway {others}"
    return f"{rules:,} rule{'' if rules == 1 else 's'}; whom none names {others}"


def way_words(upstream: Mapping[str, Any]) -> str:
    """Where calls go, and by which way, as `told` tells of it; a gateway of before tells less."""
    hosts = ", ".join((upstream["api"], *upstream.get("named", ())))
    proxy = upstream["proxy"]
    if proxy:
        return f"{hosts}, through the proxy {proxy}"
    known = [f"{host} is {place}" for host, place in upstream.get("addresses", {}).items()]
    servers = upstream.get("nameservers", ())
    if servers:
        known.append(f"names by {', '.join(servers)}")
    return f"{hosts} ({'; '.join(known)})" if known else hosts


def denials(access: Mapping[str, Any]) -> tuple[int, str]:
    """How many calls were not allowed, and by reason: `rule: 10, default: 2`."""
    found = {reason: count for reason, count in access["denied"].items() if count}
    return sum(found.values()), ", ".join(f"{reason}: {n:,}" for reason, n in found.items())


def times(hits: int) -> str:
    """`reached once`."""
    return f"reached {'once' if hits == 1 else f'{hits:,} times'}"


def use(limit: str, one: Mapping[str, Any]) -> str:
    """`950 of 1,000`, or the limit alone where there is nothing to measure."""
    most = amount(limit, one["limit"]) if one["limit"] else "no limit"
    return most if one["now"] is None else f"{amount(limit, one['now'])} of {most}"


def amount(limit: str, value: float) -> str:
    """A limit's value in its unit: `1,000`, `64 MiB`, `30 s`."""
    if limit.endswith(_SECONDS):
        return f"{value:g} s"
    if limit in _BYTES:
        for size, unit in _UNITS:
            if value >= size:
                return f"{round(value / size, 1):,g} {unit}"
        return f"{value:,.0f} B"
    return f"{value:,.0f}"


def remaining(seconds: float) -> str:
    """`62 days`, `5 h`, `40 min`: how long a certificate is good for."""
    if seconds >= 2 * _DAY:
        return f"{int(seconds / _DAY)} days"
    if seconds >= 2 * _HOUR:
        return f"{int(seconds / _HOUR)} h"
    return f"{max(0, int(seconds / 60))} min"
