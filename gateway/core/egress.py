"""Which HTTP proxy a connection goes by, if it goes by one.

The words are those of curl and of Go's `net/http`: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, and
each in small letters, which win. `HTTP_PROXY` is for `http://` alone, which never leaves the
machine here.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.core.secret import Secret
from gateway.core.zoom_hosts import address, canonical, is_loopback, within

AUTO: Final = "auto"
OFF: Final = "off"

KEY: Final = "upstream.egress_proxy"

VARIABLES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""What names a proxy for `https://`, the strongest first."""

EXCEPTIONS: Final = ("no_proxy", "NO_PROXY")

_URL: Final = re.compile(
    r"((?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?((?P<user>[^/]*)@)?"
    r"(\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:/@\[\]]+))(:(?P<port>[0-9]{1,5}))?/?"
)
_PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 65535
_EXAMPLE: Final = "http://proxy.example:3128 or http://user:password@proxy.example:3128"
_ENTRY: Final = re.compile(
    r"(\[(?P<bracketed>[^\]]+)\]|(?P<host>[^:\[\]]+)|(?P<ipv6>[0-9A-Fa-f:.]+(/[0-9]+)?))"
    r"(:(?P<port>[0-9]{1,5}))?"
)
"""One of `NO_PROXY`."""


@dataclass(frozen=True, slots=True)
class EgressProxy:
    """A proxy that takes CONNECT. Its text is `host:port`, and shows no password."""

    host: str
    port: int
    secure: bool
    """Whether it is itself reached with TLS."""
    login: Secret | None = None
    """`user:password`."""
    source: str = field(default=KEY, compare=False)
    """The key or the variable that names it."""

    def __str__(self) -> str:
        return host_and_port(self.host, self.port)

    @property
    def url(self) -> str:
        """Without the password."""
        return f"{'https' if self.secure else 'http'}://{self}"

    @property
    def authorization(self) -> Secret | None:
        """What `Proxy-Authorization` says (RFC 7617)."""
        if self.login is None:
            return None
        encoded = base64.b64encode(self.login.reveal().encode("utf-8", "surrogateescape"))
        return Secret(f"Basic {encoded.decode('ascii')}")


def host_and_port(host: str, port: int) -> str:
    """As CONNECT and `Host` write it: an IPv6 address is in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_proxy(url: str, source: str = KEY) -> EgressProxy:
    """Read a proxy's URL; without a scheme, `http` is meant.

    Raises ValueError with what would be right, never with the URL: it may hold a password.
    """
    if "?" in url or "#" in url:
        raise ValueError(
            "must not have a query or a fragment: nothing after ? or #"
            " (in a password they are written %3F and %23)"
        )
    parts = _URL.fullmatch(url)
    scheme = (parts["scheme"] or "http").lower() if parts else ""
    if scheme.startswith("socks"):
        raise ValueError(
            "is a SOCKS proxy, and the gateway speaks HTTP alone to proxies: name one that takes"
            f" CONNECT, such as {_EXAMPLE}"
        )
    host = canonical(parts["ipv6"] or parts["name"]) if parts else None
    if parts is None or host is None or scheme not in _PORTS:
        raise ValueError(
            f"must be a proxy's URL such as {_EXAMPLE}, without a path"
            " (in a password, / is written %2F)"
        )
    port = int(parts["port"] or _PORTS[scheme])
    if not 0 < port <= _LAST_PORT:
        raise ValueError("must have a port from 1 to 65535")
    return EgressProxy(host, port, scheme == "https", _login(parts["user"]), source)


def _login(userinfo: str | None) -> Secret | None:
    if userinfo is None:
        return None
    user, _, password = userinfo.partition(":")
    if not user:
        raise ValueError("must have a user before the @, or no @ at all")
    parts = (unquote_to_bytes(part).decode("utf-8", "surrogateescape") for part in (user, password))
    return Secret(":".join(parts))


def choose(
    choice: str, environ: Mapping[str, str], host: str, port: int, *, secure: bool
) -> EgressProxy | None:
    """The proxy for `host`; None: the connection is made directly.

    `choice` is `auto`, `off`, or a proxy's URL, which the environment does not except anything
    from. Nothing goes to a proxy without TLS inside, and nothing that stays on this machine.
    Raises ValueError, with the variable's name first, for one that cannot be used.
    """
    if choice == OFF or not secure or is_loopback(host):
        return None
    if choice != AUTO:
        return parse_proxy(choice)
    name = variable(environ)
    if name is None or excepted(environ, host, port):
        return None
    try:
        return parse_proxy(environ[name].strip(), name)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def variable(environ: Mapping[str, str]) -> str | None:
    """The name of the variable that names the proxy, if one does."""
    return next((name for name in VARIABLES if environ.get(name, "").strip()), None)


def excepted(environ: Mapping[str, str], host: str, port: int) -> bool:
    """Whether `NO_PROXY` excepts the host.

    `*` is all hosts; `zoom.us`, `.zoom.us` and `*.zoom.us` are that domain and what is below it;
    an address, or a network such as `10.0.0.0/8`, is compared with hosts that are addresses; a
    port after any of them restricts it. Entries that make no sense except nothing.
    """
    name = canonical(host)
    text = next((environ[one] for one in EXCEPTIONS if environ.get(one)), "")
    entries = re.split(r"[,\s]+", text.strip())
    return name is not None and any(_excepts(entry, name, port) for entry in entries)


def _excepts(entry: str, name: str, port: int) -> bool:
    if entry == "*":
        return True
    parts = _ENTRY.fullmatch(entry)
    if parts is None or (parts["port"] and int(parts["port"]) != port):
        return False
    what = parts["bracketed"] or parts["ipv6"] or parts["host"]
    if "/" in what:
        return _in_network(name, what)
    domain = canonical(what.removeprefix("*.").removeprefix("."))
    return domain is not None and within(name, domain)


def _in_network(name: str, network: str) -> bool:
    found = address(name)
    try:
        return found is not None and found in ip_network(network, strict=False)
    except ValueError:
        return False
