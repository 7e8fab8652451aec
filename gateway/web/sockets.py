"""Listening sockets, made before there is a loop: a parent process makes them for its workers."""

import contextlib
import errno
import socket
from collections.abc import Sequence
from typing import Any, Final

from gateway.web.limits import BACKLOG, UNSENT

_NOT_HERE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""A name may stand for addresses of which this machine has only some: `localhost` and no IPv6."""

Address = tuple[str, int]


def listen(host: str, port: int, *, sharing: bool = False) -> list[socket.socket]:
    """Listen on every address that `host` stands for; port 0 takes a free one.

    With `sharing`, other sockets of this user that share may listen on the same port, and the
    kernel spreads the connections over them; one that does not share keeps its port for itself.
    Raises OSError with `host:port` in `filename`; nothing is left open then.
    """
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in _addresses(host, port):
            place = (address[0], bound(sockets)[1] if sockets else port, *address[2:])
            try:
                sockets.append(_listening(family, place, sharing=sharing))
            except OSError as problem:
                if problem.errno not in _NOT_HERE:
                    raise
                missing = problem
        if not sockets and missing is not None:
            raise missing
    except OSError as problem:
        close(sockets)
        raise OSError(problem.errno, problem.strerror, written((host, port))) from problem
    return sockets


def bound(sockets: Sequence[socket.socket]) -> Address:
    """The first one's address."""
    name = sockets[0].getsockname()
    return str(name[0]), int(name[1])


def written(address: Address) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def named(sockets: Sequence[socket.socket]) -> str:
    """Where they listen: `host:port`, or `unix:/path`."""
    if sockets[0].family == socket.AF_UNIX:
        return f"unix:{sockets[0].getsockname()}"
    return written(bound(sockets))


def close(sockets: Sequence[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _addresses(host: str, port: int) -> dict[tuple[int, tuple[Any, ...]], None]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return dict.fromkeys((int(family), address) for family, _, _, _, address in found)


def _listening(family: int, address: tuple[Any, ...], *, sharing: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sharing:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # As asyncio has it: `::` is all of IPv6, and `0.0.0.0` may be bound beside it.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _send_little_ahead(sock)
        sock.bind(address)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _send_little_ahead(sock: socket.socket) -> None:
    """Bound what the kernel holds for a caller that reads nothing: what it accepts inherits this.

    Else the buffer grows to megabytes for each (`net.ipv4.tcp_wmem`), and one that pretends to
    download has them filled at once. What is under way to a fast caller does not count.
    """
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        with contextlib.suppress(OSError):  # a kernel without it does as it always did
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
