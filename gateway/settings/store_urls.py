"""The URLs of the stores. No problem repeats one: it may hold a password."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, NoReturn
from urllib.parse import unquote, urlsplit

from gateway.core.secret import Secret
from gateway.models import AfterValidator, ValidatorFunctionWrapHandler, WrapValidator
from gateway.settings.kinds import Kind, is_host

STORE_URLS: Final = (
    "memory:",
    "file:///dir",
    "redis://[user:password@]host:port/db",
    "redis+sentinel://[user:password@]host:port,host:port/master/db",
)
"""The stores there are, as they are written."""

REDIS: Final = frozenset({"redis", "rediss", "redis+sentinel", "rediss+sentinel"})
"""The schemes of a store in Redis; an s after redis stands for TLS."""

SENTINEL: Final = frozenset({"redis+sentinel", "rediss+sentinel"})
TLS: Final = frozenset({"rediss", "rediss+sentinel"})

_REDIS_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379

_PRINTABLE: Final = re.compile(r"[!-~]+")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_SHOWN_SCHEME: Final = re.compile(r"[a-z+-]{1,20}", re.IGNORECASE)
_REDIS_URL: Final = re.compile(
    r"(?P<scheme>[a-z+]+)://((?P<user>[^/]*)@)?(?P<hosts>[^/@]*)(?P<path>/.*)?"
)
_HOST: Final = re.compile(r"(\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(:(?P<port>[0-9]+))?")
_DATABASE: Final = re.compile(r"(/(?P<database>[0-9]{0,5}))?")
_MASTER: Final = re.compile(r"/(?P<master>[A-Za-z0-9._-]+)(/(?P<database>[0-9]{0,5}))?")
"""A master's name as Sentinel allows it."""


class SecretUrl(str):
    """A URL with a password, which its text hides: whoever shows or writes it shows `***`.

    Without a password, the user is one: proxies are sold that want a key in its place.
    """

    __slots__ = ("_whole",)
    _whole: str

    @classmethod
    def hide(cls, url: str) -> "SecretUrl":
        before, _, after = url.rpartition("@")
        scheme, _, login = before.partition("://")
        user, _, password = login.partition(":")
        shown = cls(f"{scheme}://{f'{user}:***' if password else '***'}@{after}")
        shown._whole = url
        return shown

    def reveal(self) -> str:
        """Give the URL with its password. Never pass it to a logger, an exception or a label."""
        return self._whole

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretUrl) and other._whole == self._whole

    def __ne__(self, other: object) -> bool:
        return not self == other  # str has one of its own

    def __hash__(self) -> int:
        return hash((SecretUrl, self._whole))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SecretUrl is not pickled: it holds a password")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a SecretUrl has no state to show: it holds a password")


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """What a URL says of a store in Redis."""

    nodes: tuple[tuple[str, int], ...]
    """(host, port): of the one server, or of every Sentinel."""
    master: str | None
    """The name by which the Sentinels know the primary; None without Sentinels."""
    database: int
    user: str | None
    password: Secret | None


def scheme_of(url: str) -> str:
    """What is before the first colon."""
    return url.partition(":")[0]


def redis_url(url: str) -> RedisUrl:
    """The parts of a URL whose scheme is in `REDIS`. Raises ValueError, without the URL."""
    whole = url.reveal() if isinstance(url, SecretUrl) else url
    if "?" in whole or "#" in whole:
        raise ValueError(
            "must not have a query or a fragment: nothing after ? or #"
            " (in a password they are written %3F and %23)"
        )
    scheme = scheme_of(whole)
    with_sentinel = scheme in SENTINEL
    example = f"{scheme}://host:26379,host:26379/master" if with_sentinel else f"{scheme}://host"
    parts = _REDIS_URL.fullmatch(whole)
    if parts is None or "@" in (parts["path"] or ""):
        raise ValueError(
            f"must name a host and a port, as in {example} (in a password, / is written %2F)"
        )
    nodes = _nodes(parts["hosts"], with_sentinel=with_sentinel, example=example)
    master, database = _path(parts["path"] or "", with_sentinel=with_sentinel, example=example)
    user, password = _user(parts["user"])
    return RedisUrl(nodes, master, database, user, password)


def _nodes(hosts: str, *, with_sentinel: bool, example: str) -> tuple[tuple[str, int], ...]:
    if "," in hosts and not with_sentinel:
        raise ValueError(
            "must name one host: several are for Sentinels, as in"
            " redis+sentinel://host:26379,host:26379/master"
        )
    default = _SENTINEL_PORT if with_sentinel else _REDIS_PORT
    nodes = tuple(_node(host, default, example) for host in hosts.split(","))
    if len(set(nodes)) != len(nodes):
        raise ValueError("must name no host twice")
    return nodes


def _node(text: str, default_port: int, example: str) -> tuple[str, int]:
    parts = _HOST.fullmatch(text)
    host = parts and (parts["ipv6"] or parts["name"])
    port = int(parts["port"] or default_port) if parts else 0
    if not host or not is_host(host) or not 0 < port <= 65535:  # noqa: PLR2004 - the last port
        raise ValueError(
            f"must name a host and a port (1 to 65535), as in {example}; an IPv6 address is in"
            " brackets"
        )
    return host, port


def _path(path: str, *, with_sentinel: bool, example: str) -> tuple[str | None, int]:
    """The master's name, if there are Sentinels, and the number of the database."""
    if not with_sentinel:
        parts = _DATABASE.fullmatch(path)
        if parts is None:
            raise ValueError(f"must end with the number of a database, as in {example}/0")
        return None, int(parts["database"] or 0)
    if not path.strip("/"):
        raise ValueError(f"must name the Sentinels' master after the hosts, as in {example}")
    parts = _MASTER.fullmatch(path)
    if parts is None:
        raise ValueError(
            "must have after the hosts the master's name (letters, digits, . - and _) and then"
            f" at most the number of a database, as in {example}/0"
        )
    return parts["master"], int(parts["database"] or 0)


def _user(userinfo: str | None) -> tuple[str | None, Secret | None]:
    if userinfo is None:
        return None, None
    user, _, password = userinfo.partition(":")
    if not user and not password:
        raise ValueError("must hold a user or a password before the @")
    try:
        decoded = unquote(password, errors="strict")
        return unquote(user, errors="strict") or None, Secret(decoded) if password else None
    except ValueError:
        raise ValueError("must be UTF-8 where it is written with % before the @") from None


def _store_url(url: str) -> str:
    scheme = _SCHEME.match(url)
    supported = " or ".join(STORE_URLS) + " (rediss: with TLS)"
    if scheme is None or not _PRINTABLE.fullmatch(url):
        raise ValueError(f"must be {supported}")
    if scheme[0] in REDIS:
        return SecretUrl.hide(url) if redis_url(url).password else url
    if scheme[0] == "memory" and url != "memory:":
        raise ValueError("must be memory: and no more")
    if scheme[0] == "file" and not file_directory(url):
        raise ValueError("must be file: with three slashes and a directory, as in file:///var/dir")
    if scheme[0] not in {"memory", "file"}:
        # What stands before a colon may also be a user, or a part of a password.
        shown = f"{scheme[0]}:" if _SHOWN_SCHEME.fullmatch(scheme[0]) else "it"
        raise ValueError(f"{shown} is no store that is supported: use {supported}")
    return url


def file_directory(url: str) -> Path | None:
    """The directory that a `file:///dir` URL names (percent-decoded), or None if it names none."""
    parts = urlsplit(url)
    directory = unquote(parts.path)
    if (parts.scheme, parts.netloc, parts.query, parts.fragment) != ("file", "", "", ""):
        return None
    if not url.startswith("file:///") or not directory.strip("/") or "\0" in directory:
        return None
    return Path(directory)


def _unless_hidden(value: object, check: ValidatorFunctionWrapHandler) -> object:
    # Checked already; the library would make plain text of it, and lose the password.
    return value if isinstance(value, SecretUrl) else check(value)


StoreUrl = Annotated[
    str,
    AfterValidator(_store_url),
    WrapValidator(_unless_hidden),
    Kind("memory:, file:///dir, redis://host:port/db or redis+sentinel://host:port/master"),
]
