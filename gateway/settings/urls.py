"""The URLs of the configuration. No problem repeats one: it may hold a password."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator

from gateway.settings.kinds import Kind, is_host

STORE_SCHEMES: Final = (
    "memory:",
    "file:///dir",
    "redis://[user:password@]host:port/db",
    "rediss://[user:password@]host:port/db",
)
"""The stores there are, as they are written."""

_PRINTABLE: Final = re.compile(r"[!-~]+")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")


_DATABASE: Final = re.compile(r"(/[0-9]{0,5})?")


class SecretUrl(str):
    """A URL with a password, which its text hides: whoever shows or writes it shows `***`."""

    __slots__ = ("_whole",)
    _whole: str

    @classmethod
    def hide(cls, url: str) -> "SecretUrl":
        parts = urlsplit(url)
        user, _, host = parts.netloc.rpartition("@")
        shown = cls(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}").geturl())
        shown._whole = url
        return shown

    def reveal(self) -> str:
        """Give the URL with its password. Never pass it to a logger, an exception or a label."""
        return self._whole


def whole_url(url: str) -> str:
    """`url` with its password, if it hides one: for the store that connects to it alone."""
    return url.reveal() if isinstance(url, SecretUrl) else url


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on the machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _http(url: str) -> SplitResult:
    """The parts of an absolute http(s) URL without userinfo, query and fragment."""
    try:
        parts = urlsplit(url if _PRINTABLE.fullmatch(url) else "")
        readable = is_host(parts.hostname or "") and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        readable = False
    if not readable or parts.scheme not in {"http", "https"}:
        raise ValueError("must be a URL such as https://api.zoom.us")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password")
    if "?" in url or "#" in url:
        raise ValueError("must not have a query or a fragment: nothing after ? or #")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(
            "must begin with https://, or secrets would travel in clear"
            " (http:// is for localhost, 127.0.0.1 and ::1)"
        )
    return parts


def _api_url(url: str) -> str:
    parts = _http(url)
    path = parts.path.rstrip("/")
    if path == "/v2":
        raise ValueError("must end before /v2: callers add /v2 themselves")
    if path:
        raise ValueError("must not have a path: callers send the whole path themselves")
    return f"{parts.scheme}://{parts.netloc}"


def _token_url(url: str) -> str:
    parts = _http(url)
    if not parts.path.strip("/"):
        raise ValueError("must have a path: https://zoom.us/oauth/token is Zoom's")
    return parts.geturl()


def _store_url(url: str) -> str:
    scheme = _SCHEME.match(url)
    supported = " or ".join(STORE_SCHEMES)
    if scheme is None or not _PRINTABLE.fullmatch(url):
        raise ValueError(f"must be {supported}")
    if scheme[0] == "memory" and url != "memory:":
        raise ValueError("must be memory: and no more")
    if scheme[0] == "file" and not file_directory(url):
        raise ValueError("must be file: with three slashes and a directory, as in file:///var/dir")
    if scheme[0] in {"redis", "rediss"}:
        return _redis_url(url)
    if scheme[0] not in {"memory", "file"}:
        raise ValueError(f"{scheme[0]}: is no store that is supported: use {supported}")
    return url


def _redis_url(url: str) -> str:
    if isinstance(url, SecretUrl):
        return url
    try:
        parts = urlsplit(url)
        readable = is_host(parts.hostname or "") and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        readable = False
    if not readable:
        raise ValueError("must name a host and a port, as in redis://host:6379/0")
    if "?" in url or "#" in url:
        raise ValueError(
            "must not have a query or a fragment: nothing after ? or #"
            " (in a password they are written %3F and %23)"
        )
    if not _DATABASE.fullmatch(parts.path):
        raise ValueError("must end with the number of a database, as in redis://host:6379/0")
    if "@" in parts.netloc and not parts.password:
        raise ValueError("must hold a password after the user, as in redis://user:password@host")
    return SecretUrl.hide(url) if parts.password else url


def file_directory(url: str) -> Path | None:
    """The directory that a `file:///dir` URL names (percent-decoded), or None if it names none."""
    parts = urlsplit(url)
    directory = unquote(parts.path)
    if (parts.scheme, parts.netloc, parts.query, parts.fragment) != ("file", "", "", ""):
        return None
    if not url.startswith("file:///") or not directory.strip("/") or "\0" in directory:
        return None
    return Path(directory)


ApiUrl = Annotated[str, AfterValidator(_api_url), Kind("a URL without a path")]
TokenUrl = Annotated[str, AfterValidator(_token_url), Kind("a URL")]
StoreUrl = Annotated[
    str, AfterValidator(_store_url), Kind("memory:, file:///dir or redis://host:port/db")
]
