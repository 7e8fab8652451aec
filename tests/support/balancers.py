"""What stands in front of a fleet and sends calls to the replicas that are ready, and only there.

Neither sends a call twice: what a replica loses, the caller sees.
"""

import asyncio
import contextlib
import itertools
import os
import random
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiohttp

from tests.support.needed import program
from tests.support.processes import Gateway

LOOK = 0.1
"""Seconds between two looks at `/readyz`. A replica's `drain.delay` must be longer."""

_PORTS = range(20_000, 32_000)
"""Below those that the kernel gives away: a port stays free while its replica is replaced."""


class Balancer(Protocol):
    def url(self) -> str:
        """Where the next call goes."""


def free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


class Endpoints:
    """As a Service of Kubernetes: who was ready at the last look gets connections, in turn.

    The callers' own connections stay with the replica that they were made to.
    """

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self._client = client
        self._ready: list[str] = []
        self._turn = itertools.count()
        self.members: list[Gateway] = []

    def url(self) -> str:
        return self._ready[next(self._turn) % len(self._ready)]

    def passes_by(self, url: str) -> bool:
        return url not in self._ready

    async def look(self) -> None:
        members = list(self.members)
        found = await asyncio.gather(*(self._is_ready(one) for one in members))
        self._ready = [one.url for one, ready in zip(members, found, strict=True) if ready]

    async def _is_ready(self, member: Gateway) -> bool:
        try:
            async with self._client.get(f"{member.admin}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            await self.look()


@asynccontextmanager
async def endpoints(members: Sequence[Gateway]) -> AsyncIterator[Endpoints]:
    async with aiohttp.ClientSession() as client:
        made = Endpoints(client)
        made.members += members
        await made.look()
        watching = asyncio.create_task(made.watch())
        try:
            yield made
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching


_CONFIGURATION = """
global
  log stdout format raw local0 info
defaults
  mode http
  log global
  option httplog
  retries 0
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout check 5s
  default-server check inter {look}ms fall 1 rise 1
frontend callers
  bind fd@{socket}
  default_backend gateways
backend gateways
  balance roundrobin
  option httpchk
  http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host probe
  http-check expect status 200
"""


class HaProxy:
    """Keeps connections to callers and replicas apart, and reuses both."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}"
        self.lines: list[str] = []

    def url(self) -> str:
        return self._url

    async def read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.lines.append(line.decode(errors="replace").rstrip())

    def down(self) -> int:
        """How often it took a replica out, as it tells."""
        return sum(" is DOWN" in line for line in self.lines)

    def took_out_more_than(self, count: int) -> bool:
        return self.down() > count


@asynccontextmanager
async def haproxy(directory: Path, places: Sequence[tuple[int, int]]) -> AsyncIterator[HaProxy]:
    """In front of replicas, each by the ports of its proxy and its admin listener."""
    program = _program()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as taken:
        taken.set_inheritable(True)
        made = HaProxy(f"127.0.0.1:{taken.getsockname()[1]}")
        servers = (
            f"  server g{number} 127.0.0.1:{port} port {admin}\n"
            for number, (port, admin) in enumerate(places)
        )
        file = directory / "haproxy.cfg"
        head = _CONFIGURATION.format(look=round(LOOK * 1000), socket=taken.fileno())
        file.write_text(head + "".join(servers))
        child = await asyncio.create_subprocess_exec(
            *(program, "-db", "-f", str(file)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=[taken.fileno()],
        )
    assert child.stdout is not None
    reading = asyncio.create_task(made.read(child.stdout))
    try:
        yield made
    finally:
        child.kill()
        await child.wait()
        await reading


def _program() -> str:
    return program("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
