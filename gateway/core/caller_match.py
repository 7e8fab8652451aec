"""Which callers a rule is about."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from gateway.core.caller import Caller

UNIX: Final = "unix"
"""The word for callers on a Unix socket."""

Network = IPv4Network | IPv6Network

_URI: Final = re.compile(
    r"([a-z][a-z0-9+.-]*)://([^/?#@*\s]+)((?:/[^/?#*\s]+)*)(/\*)?", re.IGNORECASE
)
_DNS: Final = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?", re.IGNORECASE)
_EMAIL: Final = re.compile(r"(\*|[^@*\s]+)@[^@*\s]+")


def network(text: str) -> Network:
    """An address or a network. Raises ValueError, with what would be right."""
    try:
        found = ip_network(text)
    except ValueError:
        try:
            meant = ip_network(text, strict=False)
        except ValueError:
            raise ValueError(
                "is no network: give one such as 10.0.0.0/8, an address, or unix"
            ) from None
        raise ValueError(f"has bits set behind its length: did you mean {meant}?") from None
    if isinstance(found, IPv6Network) and found.network_address.ipv4_mapped is not None:
        raise ValueError("is a network of IPv4 written as one of IPv6: give it as IPv4")
    return found


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A name in a certificate, as a rule has it. `any_below`: what comes deeper fits, too."""

    steps: tuple[str, ...]
    any_below: bool = False

    def fits(self, name: str) -> bool:
        steps = _steps(name)
        if self.any_below:
            head = steps[: len(self.steps)]
            rest = steps[len(self.steps) :]
            # A step that could be read as another place is no name.
            return head == self.steps and bool(rest) and all(map(_is_step, rest))
        return len(steps) == len(self.steps) and all(
            wanted == step or (wanted == "*" and _is_step(step))
            for wanted, step in zip(self.steps, steps, strict=True)
        )

    def covers(self, other: "NamePattern") -> bool:
        """Whether every name that fits `other` fits this. False for some that do."""
        if self.any_below:
            deeper = len(other.steps) + other.any_below > len(self.steps)
            return deeper and other.steps[: len(self.steps)] == self.steps
        return self == other or (not other.any_below and self.fits(_joined(other)))


def name_pattern(text: str) -> NamePattern:
    """Read a rule's entry. Raises ValueError, with what would be right."""
    kind, _, rest = text.partition(":")
    kind = kind.lower()
    if kind == "dns" and _DNS.fullmatch(rest):
        return NamePattern(_steps(f"dns:{rest.lower()}"))
    if kind == "email" and _EMAIL.fullmatch(rest):
        return NamePattern(_steps(f"email:{rest.lower()}"))
    if kind == "ip":
        return NamePattern(("ip", str(_address(rest))))
    uri = _URI.fullmatch(rest if kind == "uri" else text)
    if uri and (kind == "uri" or uri[1].lower() == "spiffe"):
        return NamePattern(_steps(uri[0].removesuffix("/*")), any_below=bool(uri[4]))
    raise ValueError(
        "is no name in a certificate: give spiffe://DOMAIN/PATH, dns:NAME, email:ADDRESS,"
        " ip:ADDRESS or uri:URI; * may stand for what follows the last / of a URI, for the first"
        " label of a DNS name, and for what precedes the @"
    )


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError:
        raise ValueError("is no name in a certificate: ip: wants an address") from None


def _steps(name: str) -> tuple[str, ...]:
    """What a wildcard stands for one of: labels, or segments behind scheme and authority."""
    kind, _, rest = name.partition(":")
    if kind == "dns":
        # The whole of what follows the first label is one step, as a wildcard is never there.
        label, _, parent = rest.partition(".")
        return ("dns", label, parent)
    if kind == "email":
        local, _, domain = rest.rpartition("@")
        return ("email", local, domain)
    if kind == "ip":
        return ("ip", rest)
    scheme, _, behind = name.partition("://")
    authority, *path = behind.split("/")
    return (scheme.lower(), authority.lower(), *path)


def _joined(pattern: NamePattern) -> str:
    kind, *rest = pattern.steps
    if kind == "dns":
        return f"dns:{'.'.join(filter(None, rest))}"
    if kind == "email":
        return f"email:{'@'.join(rest)}"
    return f"{kind}:{rest[0]}" if kind == "ip" else f"{kind}://{'/'.join(rest)}"


def _is_step(step: str) -> bool:
    return step not in {"", ".", ".."} and not set(step) & set("%\\?#*")


@dataclass(frozen=True, slots=True)
class CallerMatch:
    """The callers of a rule: every kind that is not empty must fit, each by one of its entries."""

    networks: tuple[Network, ...] = ()
    unix: bool = False
    """A kind of network."""
    certificates: tuple[NamePattern, ...] = ()
    keys: frozenset[str] = frozenset()

    @property
    def everybody(self) -> bool:
        return not (self.networks or self.unix or self.certificates or self.keys)

    def fits(self, caller: Caller, key: str | None) -> bool:
        """`key` is the name of the key that the caller showed; None: it showed none."""
        return (
            (not self.keys or key in self.keys)
            and self._near(caller)
            and (
                not self.certificates
                or any(one.fits(name) for name in caller.names for one in self.certificates)
            )
        )

    def _near(self, caller: Caller) -> bool:
        if not self.networks and not self.unix:
            return True
        if caller.address is None:
            return self.unix
        return any(caller.address in one for one in self.networks)

    def covers(self, other: "CallerMatch") -> bool:
        """Whether every caller of `other` is one of these. False for some that are."""
        return (
            (not self.keys or (bool(other.keys) and other.keys <= self.keys))
            and self._covers_networks(other)
            and (not self.certificates or _all_covered(self.certificates, other.certificates))
        )

    def _covers_networks(self, other: "CallerMatch") -> bool:
        if not self.networks and not self.unix:
            return True
        if not other.networks and not other.unix:
            return False
        return (self.unix or not other.unix) and all(
            any(_within(inner, outer) for outer in self.networks) for inner in other.networks
        )


def _all_covered(wide: Sequence[NamePattern], narrow: Iterable[NamePattern]) -> bool:
    narrow = tuple(narrow)
    return bool(narrow) and all(any(one.covers(other) for one in wide) for other in narrow)


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)
