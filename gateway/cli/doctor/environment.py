"""Variables: those that look like ours and set nothing, and those of egress proxies."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.settings.strays import strays

_PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
"""What other programs heed for https:// URLs."""


def variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Those that set nothing. No value is shown: it may be a secret."""
    for stray in strays(environ):
        if stray.meant:
            yield Finding(
                Code.VARIABLE_IGNORED,
                Level.WARNING,
                stray.name,
                f"The variable {stray.name} sets nothing: it is not the name of a key.",
                _meant(stray.meant),
                {"meant": stray.meant},
            )
        else:
            yield Finding(
                Code.VARIABLE_UNKNOWN,
                Level.NOTICE,
                stray.name,
                f"The variable {stray.name} is none of the gateway's, and sets nothing.",
                "docs/configuration.md has the names of all variables.",
            )


def _meant(name: str) -> str:
    hint = " Between the steps of a key stand two underscores." if "__" in name else ""
    return f"Did you mean {name}?{hint}"


async def proxies(case: Case) -> AsyncIterator[Finding]:
    """Whether this machine is meant to reach the Internet by a proxy, which the gateway is not."""
    named = [name for name in _PROXIES if case.environ.get(name)]
    hosts = [host for host in _hosts(case) if not _bypassed(host, case.environ)]
    if not named or not hosts:
        return
    failed = not all(case.reached.values())
    yield Finding(
        Code.PROXY_IGNORED,
        Level.WARNING if failed else Level.NOTICE,
        named[0],
        f"{' and '.join(named)} is set, but the gateway makes its connections to "
        f"{' and '.join(hosts)} itself: it uses no egress proxy.",
        "This may be why a connection fails: open the firewall for this machine to these hosts, "
        "port 443, or route them through a transparent gateway."
        if failed
        else "Nothing to do as long as the direct way works, as it does now.",
        {"variables": named, "hosts": hosts},
    )


def _hosts(case: Case) -> list[str]:
    """Those of Zoom, which are not on this machine."""
    upstream = case.settings.upstream
    urls = (urlsplit(url) for url in (upstream.api_url, upstream.token_url))
    return list(dict.fromkeys(url.hostname or "" for url in urls if url.scheme == "https"))


def _bypassed(host: str, environ: Mapping[str, str]) -> bool:
    """Whether NO_PROXY excepts the host: by its name, or by a domain that it is in."""
    text = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    excepted = [one.strip().lstrip("*").lstrip(".").lower() for one in text.split(",")]
    if "*" in (one.strip() for one in text.split(",")):
        return True
    return any(one and (host == one or host.endswith(f".{one}")) for one in excepted)
