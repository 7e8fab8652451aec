"""The URLs of Zoom. No problem repeats one: it may hold a password."""

import re
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from gateway.core.zoom_hosts import is_loopback
from gateway.models import AfterValidator
from gateway.settings.kinds import Kind, is_host

_PRINTABLE: Final = re.compile(r"[!-~]+")


AUTO: Final = "auto"
"""In place of the API's URL: the one that the token endpoint names."""


def _parts(url: str, example: str) -> SplitResult:
    """The parts of an absolute http(s) URL without userinfo, query and fragment."""
    try:
        parts = urlsplit(url if _PRINTABLE.fullmatch(url) else "")
        readable = is_host(parts.hostname or "") and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        readable = False
    if not readable or parts.scheme not in {"http", "https"}:
        raise ValueError(f"must be a URL such as {example}")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password")
    if "?" in url or "#" in url:
        raise ValueError("must not have a query or a fragment: nothing after ? or #")
    return parts


def _http(url: str) -> SplitResult:
    """Of a URL that secrets are sent to."""
    parts = _parts(url, "https://api.zoom.us")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(
            "must begin with https://, or secrets would travel in clear"
            " (http:// is for localhost, 127.0.0.1 and ::1)"
        )
    return parts


def _api_url(url: str) -> str:
    if url.lower() == AUTO:
        return AUTO
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


def _collector_url(url: str) -> str:
    parts = _parts(url, "http://localhost:4318")
    path = parts.path if parts.path.strip("/") else "/v1/traces"
    return f"{parts.scheme}://{parts.netloc}{path}"


ApiUrl = Annotated[str, AfterValidator(_api_url), Kind("auto, or a URL without a path")]
TokenUrl = Annotated[str, AfterValidator(_token_url), Kind("a URL")]
CollectorUrl = Annotated[str, AfterValidator(_collector_url), Kind("a URL")]
