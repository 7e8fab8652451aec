"""Variables: those that look like ours and set nothing, and those of egress proxies."""

from collections.abc import AsyncIterator, Iterator, Mapping
from urllib.parse import urlsplit

from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.core import egress
from gateway.core.zoom_hosts import is_loopback
from gateway.settings.strays import strays


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
    """Whether this machine is meant to reach the Internet by a proxy, which is not used."""
    upstream, name = case.settings.upstream, egress.variable(case.environ)
    hosts = list(dict.fromkeys(_would_use(case)))
    if upstream.egress_proxy != egress.OFF or name is None or not hosts:
        return
    failed = not all(case.reached.values())
    yield Finding(
        Code.PROXY_IGNORED,
        Level.WARNING if failed else Level.NOTICE,
        name,
        f"{name} is set, but upstream.egress_proxy is off: the gateway makes its connections to "
        f"{' and '.join(hosts)} itself.",
        "This may be why a connection fails: set upstream.egress_proxy: auto, or open the firewall "
        "for this machine to these hosts, port 443."
        if failed
        else "Nothing to do as long as the direct way works, as it does now.",
        {"variables": [name], "hosts": hosts},
    )


def _would_use(case: Case) -> Iterator[str]:
    """The hosts to which the environment names a proxy, usable or not."""
    upstream = case.settings.upstream
    for url in map(urlsplit, (upstream.api_origin, upstream.token_url)):
        host, port = url.hostname or "", url.port or 443
        outside = url.scheme == "https" and not is_loopback(host)
        if outside and not egress.excepted(case.environ, host, port):
            yield host
