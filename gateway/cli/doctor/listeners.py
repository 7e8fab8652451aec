"""Whether the gateway could listen where it is told to, and who has the port if it could not."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address, ip_network
from typing import Final

from gateway import wiring
from gateway.cli.doctor import certificates, unix_socket
from gateway.cli.doctor.case import Case
from gateway.cli.doctor.codes import Code
from gateway.cli.doctor.findings import Finding, Level
from gateway.cli.status import UnreachableError, fetch
from gateway.core.caller_match import CallerMatch
from gateway.core.rights import rights
from gateway.settings import Settings, load_operations
from gateway.web import sockets

_EVERYWHERE: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""Where those are of whom nothing is known."""

PATIENCE: Final = 2.0
"""Seconds for an answer of what has the port."""

NOBODY: Final = "/@check./v2"
"""A path that no gateway passes on: an account's name has no dot."""

ALL: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  compared with, not bound
"""Addresses that stand for all, and where those are found."""

Place = tuple[str, str, int]
"""Section of the configuration, host, port."""


async def listeners(case: Case) -> AsyncIterator[Finding]:
    listen, admin = case.settings.listen, case.settings.admin
    if listen.socket is not None:
        for finding in await asyncio.to_thread(lambda: list(unix_socket.look_at(listen))):
            yield finding
    else:
        async for finding in _on_tcp(case, ("listen", listen.host, listen.port)):
            yield finding
    async for finding in _on_tcp(case, ("admin", admin.host, admin.port)):
        yield finding
    if case.settings.tls.on:
        for finding in await asyncio.to_thread(lambda: list(certificates.look_at(case.settings))):
            yield finding


async def _on_tcp(case: Case, place: Place) -> AsyncIterator[Finding]:
    section, host, _ = place
    yield await asyncio.to_thread(_listener, place)
    if section == "listen" and case.settings.tls.asked == "required":
        return  # whoever reaches it must show who it is
    if host in ALL or not await asyncio.to_thread(_is_local, host):
        yield _everywhere(place, case.settings)


def _is_local(host: str) -> bool:
    """Whether only this machine reaches it; a name that is not known is taken for one that does."""
    with contextlib.suppress(OSError):
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return all(ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in found)
    return True


def _listener(place: Place) -> Finding:
    section, host, port = place
    where = sockets.written((host, port))
    try:
        sockets.close(sockets.listen(host, port))
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            return _taken(place)
        return _impossible(place, problem)
    text = f"{section} can listen on {where}."
    if port == 0:
        text = f"{section} can listen on {host}, on a free port that differs at every start."
    return Finding(Code.LISTENER_FREE, Level.OK, section, text, details={"address": where})


def _impossible(place: Place, problem: OSError) -> Finding:
    section, host, port = place
    why = problem.strerror or type(problem).__name__
    advice = f"{section}.host must be an address of this machine, or 0.0.0.0 or :: for all."
    if problem.errno == errno.EACCES:
        advice = f"Ports below 1024 need a privilege: take another {section}.port."
    return Finding(
        Code.LISTENER_IMPOSSIBLE,
        Level.PROBLEM,
        section,
        f"{section} cannot listen on {sockets.written((host, port))}: {why}.",
        advice,
    )


def _taken(place: Place) -> Finding:
    section, host, port = place
    where = sockets.written((host, port))
    near = sockets.written((ALL.get(host, host), port))
    if _is_admin(near) if section == "admin" else _is_proxy(ALL.get(host, host), port):
        admin = f" --url http://{near}" if section == "admin" else ""
        return Finding(
            Code.LISTENER_IS_GATEWAY,
            Level.NOTICE,
            section,
            f"A gateway answers at {where} ({section}) already.",
            f"See how it is with: zoom-gateway status{admin}. A second one on this machine needs "
            "other ports.",
            {"address": where},
        )
    return Finding(
        Code.LISTENER_TAKEN,
        Level.PROBLEM,
        section,
        f"{section} cannot listen on {where}: another program, which is no gateway, has the port.",
        f"Stop that program (ss -ltnp shows which it is), or change {section}.port.",
        {"address": where},
    )


def _is_admin(near: str) -> bool:
    try:
        fetch(f"http://{near}", PATIENCE)
    except UnreachableError:
        return False
    return True


def _is_proxy(host: str, port: int) -> bool:
    """Whether what answers is a gateway's proxy. Nothing of this reaches Zoom."""
    connection = HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request("GET", NOBODY)
        return connection.getresponse().getheader("X-Zoom-Gateway-Error") is not None
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _anybody(settings: Settings) -> int:
    """Of how many operations a caller may use some, of whom nothing is known."""
    access = settings.access
    operations = load_operations()
    if not access.rules and access.default == "allow":
        return len(operations)
    policy = wiring.access_policy(settings)
    return max(
        len(rights(policy, CallerMatch(networks=(everywhere,)), account, operations))
        for account in settings.accounts
        for everywhere in _EVERYWHERE
    )


def _everywhere(place: Place, settings: Settings) -> Finding:
    section, host, port = place
    where = sockets.written((host, port))
    what = f"on all addresses ({where})" if host in ALL else f"beyond this machine ({where})"
    if section == "admin":
        return Finding(
            Code.LISTENS_EVERYWHERE,
            Level.NOTICE,
            section,
            f"admin listens {what}: who reaches {socket.gethostname()} sees "
            "the metrics and the status page, which hold no secret.",
            "Let only your monitoring reach the port (firewall, NetworkPolicy).",
        )
    usable, total = _anybody(settings), len(load_operations())
    if not usable:
        return Finding(
            Code.LISTENS_EVERYWHERE,
            Level.NOTICE,
            section,
            f"listen takes calls {what}; the rules let nobody in whom they do not name by "
            "key, certificate or network.",
            details={"usable": 0},
        )
    may = "has the app's rights at Zoom" if usable == total else f"may use {usable} operations"
    return Finding(
        Code.LISTENS_EVERYWHERE,
        Level.WARNING,
        section,
        f"listen takes calls {what}: who reaches {socket.gethostname()} {may}, without a password.",
        "Ask callers for certificates (tls.client_ca_file) or keys (access.keys), listen on "
        "127.0.0.1 or on a Unix socket, or let only your programs reach the port (firewall, "
        "NetworkPolicy); in the last case say --ignore listens_everywhere.",
        {"usable": usable},
    )
