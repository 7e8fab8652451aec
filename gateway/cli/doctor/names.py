"""From a host's name to connections: what it stands for, and whether each family is reachable."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.cli.doctor.running import milliseconds
from gateway.core.egress import EgressProxy
from gateway.core.zoom_hosts import is_zooms
from gateway.wiring import Way
from gateway.zoom.own import LoopError

PATIENCE: Final = 5.0
"""Seconds for a name: a resolver asks its next server after five (resolv.conf(5), timeout)."""

SLOW: Final = 1.0
"""Seconds for a name that are too many: `upstream.connect_timeout` (3 s) covers them."""

ADDRESSES: Final = "upstream.addresses"

IpAddress = IPv4Address | IPv6Address


async def resolve(way: Way, known: list[IpAddress]) -> AsyncIterator[Finding]:
    """Say what the name stands for, and add its addresses to `known`."""
    begun = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            found = await way.names.addresses(way.host, way.port)
    except LoopError as problem:
        yield _loop(way, problem)
        return
    except TimeoutError:
        yield _timeout(way)
        return
    except (socket.gaierror, UnicodeError) as problem:
        yield _unresolved(way, problem)
        return
    took = time.monotonic() - begun
    known.extend(dict.fromkeys(ip_address(str(one[4][0]).partition("%")[0]) for one in found))
    if _literal(way.host):
        return
    yield _resolved(way, known, took)
    private = [address for address in known if not address.is_global]
    if private and is_zooms(way.host) and way.source != ADDRESSES:
        yield _private(way, private)


def _literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _resolved(way: Way, known: Sequence[IpAddress], took: float) -> Finding:
    listed = ", ".join(map(str, known))
    details = {
        "host": way.host,
        "addresses": list(map(str, known)),
        "families": sorted({f"IPv{address.version}" for address in known}),
        "time_ms": milliseconds(took),
    }
    if way.source:
        details["source"] = way.source
    if way.source == ADDRESSES:
        text = f"{way.host} is {listed}, as {ADDRESSES} says."
        return Finding(Code.DNS_OK, Level.OK, way.key, text, details=details)
    by = f" of {way.source}" if way.source else ""
    text = f"{way.host} is {listed}; the answer{by} took {milliseconds(took)} ms."
    if took <= SLOW:
        return Finding(Code.DNS_OK, Level.OK, way.key, text, details=details)
    advice = f"Each new connection waits for it: look at {_servers(way)}."
    return Finding(Code.DNS_SLOW, Level.WARNING, way.key, text, advice, details)


def _servers(way: Way) -> str:
    return f"the name servers in {way.source or '/etc/resolv.conf'}"


def _loop(way: Way, problem: LoopError) -> Finding:
    return Finding(
        Code.UPSTREAM_LOOP,
        Level.PROBLEM,
        way.key,
        f"The way to Zoom leads back to the gateway: {problem}.",
        "It would not start. A hosts file or DNS that sends callers to the gateway holds for it, "
        "too: give Zoom's addresses in upstream.addresses, or name servers that know them in "
        "upstream.nameservers.",
        {"host": way.host},
    )


def address_unused(way: Way, proxy: EgressProxy) -> Finding:
    return Finding(
        Code.ADDRESS_UNUSED,
        Level.NOTICE,
        way.key,
        f"{way.source} says where {way.host} is, but the proxy {proxy} resolves it.",
        "Nothing to do if the proxy knows Zoom's addresses; else see to its resolver.",
        {"host": way.host, "source": way.source},
    )


def _timeout(way: Way) -> Finding:
    return Finding(
        Code.DNS_TIMEOUT,
        Level.PROBLEM,
        way.key,
        f"The name {way.host} was not resolved within {PATIENCE:g} s.",
        f"{_servers(way).capitalize()} do not answer: check them, and that UDP and TCP port 53 are "
        "open to them.",
        {"host": way.host, "timeout_ms": milliseconds(PATIENCE)},
    )


def _unresolved(way: Way, problem: Exception) -> Finding:
    details = {"host": way.host}
    if isinstance(problem, socket.gaierror) and problem.errno == socket.EAI_AGAIN:
        return Finding(
            Code.DNS_NO_ANSWER,
            Level.PROBLEM,
            way.key,
            f"No name server answers for {way.host}.",
            f"Is there a network? Check {_servers(way)}, and that port 53 is open to them.",
            details,
        )
    advice = f"Check {way.key} for a slip"
    if is_zooms(way.host):
        advice = "It is Zoom's, so this machine's resolver does not know the Internet"
    return Finding(
        Code.DNS_UNKNOWN,
        Level.PROBLEM,
        way.key,
        f"The name {way.host} ({way.key}) cannot be resolved: there is no such name here.",
        f"{advice}; see /etc/resolv.conf and /etc/hosts. In a network whose names are resolved "
        "by an egress proxy alone, name that proxy in upstream.egress_proxy or HTTPS_PROXY.",
        details,
    )


def _private(way: Way, private: Sequence[IpAddress]) -> Finding:
    listed = ", ".join(map(str, private))
    return Finding(
        Code.DNS_PRIVATE,
        Level.WARNING,
        way.key,
        f"{way.host} is Zoom's, but stands for {listed} here, which is no address of the Internet.",
        "A hosts file or the network's own name server says so: whatever answers there gets the "
        "credentials. Take the entry out, unless it is a relay of yours.",
        {"host": way.host, "addresses": list(map(str, private))},
    )


async def families(way: Way, known: Sequence[IpAddress], seconds: float) -> AsyncIterator[Finding]:
    """Whether IPv4 and IPv6 lead there, where the name has both."""
    firsts = {address.version: address for address in reversed(known)}
    if len(firsts) < 2:  # noqa: PLR2004  both
        return
    tries = (_connects(str(one), way.port, seconds) for one in firsts.values())
    works = dict(zip(firsts, await asyncio.gather(*tries), strict=True))
    if all(works.values()) or not any(works.values()):
        return  # the connection that is made next tells
    broken = next(version for version, well in works.items() if not well)
    yield Finding(
        Code.FAMILY_UNREACHABLE,
        Level.NOTICE,
        way.key,
        f"{way.host} has IPv{broken} addresses, but no connection to {firsts[broken]} can be made.",
        f"The gateway goes on with the other family; each new connection may take 0.25 s longer. "
        f"Repair IPv{broken} here, or let the resolver leave its addresses out.",
        {"host": way.host, "family": f"IPv{broken}", "address": str(firsts[broken])},
    )


async def _connects(address: str, port: int, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    return True
