"""The proxy on a real socket, between a caller and an upstream in memory."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.core.endpoint import Endpoint
from gateway.core.events import TokenEvent
from gateway.core.headers import CallerHeaders
from gateway.core.hosts import HostNames
from gateway.core.keys import DEFAULT_FIELD, Keys
from gateway.core.limits import Limits
from gateway.core.loops import LoopMark
from gateway.core.routes import OTHER
from gateway.core.trace import CallTrace
from gateway.ports import Upstream
from gateway.reports import CallReport
from gateway.web.access import Access
from gateway.web.accounts import AccountContext, Accounts
from gateway.web.connection import Connection
from gateway.web.elsewhere import Elsewhere
from gateway.web.listener import ProxyServer, Tls
from gateway.web.meters import Allowance, Meters
from gateway.web.origins import Origin
from gateway.web.proxy import Proxy
from gateway.web.proxy_parts import Hooks, ProxyParts
from gateway.web.sources import Sources
from gateway.web.spool import SpoolConfig
from tests.support.raw_http import Caller
from tests.support.scripted_tokens import ScriptedTokens
from tests.support.scripted_upstream import ScriptedUpstream

DEADLINE = 10.0
NO_KEYS = Keys({})
"""One for all calls, as the gateway has it: what is known of a header holds for the same keys."""
KIB = 1024


class MonotonicClock:
    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()


@dataclass
class Reports:
    """Implements `Observer`; checks that every call begins and ends once."""

    began: list[str] = field(default_factory=list)
    ended: list[CallReport] = field(default_factory=list)

    def call_began(self, account: str) -> None:
        self.began.append(account)

    def call_ended(self, report: CallReport) -> None:
        self.ended.append(report)

    def token_event(self, account: str, event: TokenEvent) -> None:
        raise AssertionError(f"not the proxy's to say: {account} {event}")

    async def get(self, count: int = 1) -> list[CallReport]:
        """All reports, once there are `count`."""
        await until(lambda: len(self.ended) >= count)
        assert len(self.began) >= len(self.ended) == count
        assert self.began[:count] == [report.account for report in self.ended]
        return self.ended


async def until(condition: Callable[[], object]) -> None:
    """Poll, up to a deadline."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.001)


@dataclass
class Listening:
    """A running proxy and everything around it."""

    address: tuple[str, int]
    server: ProxyServer
    proxy: Proxy
    upstream: ScriptedUpstream
    tokens: ScriptedTokens
    reports: Reports
    unhandled: list[BaseException]
    unknown_ids: list[str]
    spool_failures: list[OSError]
    meters: Meters
    reached: list[str]
    """The limits that were, in that order."""
    tls: ssl.SSLContext | None = None
    """What callers connect with, unless they say otherwise."""

    @property
    def connections(self) -> list[Connection]:
        assert self.server._http is not None
        return self.server._http.callers

    async def caller(self, *, limit: int = 65536, tls: ssl.SSLContext | None = None) -> Caller:
        return await Caller.connect(self.address, limit=limit, tls=tls or self.tls)


class Spoken:
    """What `listening` speaks unless it is told otherwise: nothing, or TLS."""

    tls: Tls | None = None
    client: ssl.SSLContext | None = None


def endpoint_of(method: str, path: bytes) -> Endpoint:
    assert b"?" not in path
    return Endpoint(method, "/v2/users/{userId}", f"{method} {path.decode()}")


def stray(method: str, path: bytes) -> Endpoint:
    """Of a path in no template."""
    return Endpoint(method, OTHER, f"{method} {path.decode()}")


@asynccontextmanager
async def listening(
    upstream: ScriptedUpstream | None = None,
    *,
    tokens: ScriptedTokens | None = None,
    accounts: Iterable[AccountContext] = (),
    has_default: bool = True,
    memory_limit: int = 64 * KIB,
    disk_limit: int = 1024 * KIB,
    directory: str | None = None,
    real_upstream: Upstream | None = None,
    trace_of: Callable[[CallerHeaders, float], CallTrace | None] = lambda *_: None,
    propagate: bool = False,
    limits: Limits | None = None,
    tls: Tls | None = None,
    client: ssl.SSLContext | None = None,
    sources: Sources | None = None,
    access: Access | None = None,
    elsewhere: Elsewhere | None = None,
    has_template: bool = True,
    mark: LoopMark | None = None,
) -> AsyncIterator[Listening]:
    """`accounts` come beside `default`, if there is one; its Zoom id is `acc-default`.

    Other hosts of Zoom's are where the API is, unless `elsewhere` says otherwise. Paths are
    in a template, or, without `has_template`, in none.
    """
    scripted = upstream or ScriptedUpstream()
    tokens = tokens or ScriptedTokens()
    default = AccountContext("default", tokens, "acc-default", lambda: "user:read")
    reports = Reports()
    unhandled: list[BaseException] = []
    unknown_ids: list[str] = []
    spool_failures: list[OSError] = []
    reached: list[str] = []
    limits = limits or Limits()
    meters = Meters(reached.append)
    spool = SpoolConfig(
        memory_limit, disk_limit, directory, spool_failures.append, Allowance(limits, meters)
    )
    proxy = Proxy(
        ProxyParts(
            accounts=Accounts([default, *accounts] if has_default else accounts),
            origin=Origin(real_upstream or scripted, b"api.zoom.test"),
            elsewhere=elsewhere or Elsewhere(lambda _: real_upstream or scripted),
            observer=reports,
            clock=MonotonicClock(),
            endpoint_of=endpoint_of if has_template else stray,
            spool=spool,
            sources=sources or Sources(HostNames(["api.zoom.us"])),
            hooks=Hooks(unhandled.append, unknown_ids.append),
            trace_of=trace_of,
            access=access or Access(None, lambda: NO_KEYS, DEFAULT_FIELD),
            limits=limits,
            meters=meters,
            mark=mark,
            propagate=propagate,
        )
    )
    server = ProxyServer(proxy, tls=tls or Spoken.tls)
    address = await server.start("127.0.0.1", 0)
    try:
        yield Listening(
            address,
            server,
            proxy,
            scripted,
            tokens,
            reports,
            unhandled,
            unknown_ids,
            spool_failures,
            meters,
            reached,
            client or Spoken.client,
        )
    finally:
        await server.finish(1.0)
    assert unhandled == [], unhandled
    assert len(reports.began) == len(reports.ended)
    assert server.inflight == 0
    used = (meters.calls, meters.connections, meters.kept_memory, meters.kept_disk)
    assert used == (0, 0, 0, 0)
