"""A whole gateway, put together."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from gateway import __version__
from gateway.clock import SystemClock
from gateway.core.course import Asked
from gateway.core.diagnosis import Chart
from gateway.core.errors import ConfigurationError, StoreError
from gateway.core.loops import LoopMark
from gateway.core.posture import ListenerStatus, Posture, diagnose_certificate
from gateway.core.presence import Presence
from gateway.core.routes import Endpoints, RouteTable
from gateway.core.status import Readiness, ReadinessGate, snapshot
from gateway.observe.fanout import Fanout
from gateway.observe.gateway_log import GatewayLog
from gateway.observe.history import History
from gateway.observe.metrics import Metrics
from gateway.observe.missing_scopes import MissingScopes
from gateway.observe.rate_watch import RateWatch
from gateway.observe.shared import Shared
from gateway.observe.totals import Totals
from gateway.settings import ListenSettings, Settings, read_operations
from gateway.settings.changes import Changes, applicable, changes
from gateway.web import sockets
from gateway.web.admin import AdminSources
from gateway.web.admin_server import AdminServer
from gateway.web.listener import ProxyServer, Tls
from gateway.web.status_page import DETAILED
from gateway.web.unix_sockets import UnixSocket
from gateway.wiring.assembly import Assembly, Commons
from gateway.wiring.certificates import Certificates, TlsNews
from gateway.wiring.credentials import slots
from gateway.wiring.in_use import InUse
from gateway.wiring.lines import Lines
from gateway.wiring.loops import refuse_loops
from gateway.wiring.operations import scopes_needed
from gateway.wiring.outward import Outward
from gateway.wiring.pacing import pace_hooks
from gateway.wiring.posture import posture
from gateway.wiring.replica import Worker, found_at, replica
from gateway.wiring.traces import Traces
from gateway.zoom.own import OwnListeners

_LAST: Final = 10.0
"""Seconds for parts of former configurations to be closed, once no call needs them."""


class Gateway:
    """A whole gateway, made from settings. Start it and stop it inside one event loop."""

    def __init__(
        self, settings: Settings, log: FilteringBoundLogger, worker: Worker | None = None
    ) -> None:
        self._clock = SystemClock()
        self._lines = Lines(log, settings.log.sample)
        self._replica = replica(self._clock.now(), worker)
        self._gate = ReadinessGate()
        self._totals = Totals()
        self._shared = Shared(worker.metrics, worker.number) if worker else None
        self._metrics = Metrics(
            slots(settings), self.charts, self._clock.wall, __version__, self._shared
        )
        self._metrics.show_fleet(lambda: self._assembly.heartbeat.sighting)
        self._in_use = InUse(
            self._metrics.limits,
            self._lines,
            self._shared,
            lambda: self._assembly.limits,
            self._totals.calls,
            self._metrics.refresh,
        )
        self._traces = Traces(self._replica, self._clock, self._lines)
        self._history = History(settings.accounts, self._clock.now, self._clock.wall)
        self._rates = RateWatch(
            settings.accounts, self._clock.now, self._clock.wall, self._lines.error_ratio
        )
        self._metrics.rates.uses, self._metrics.rates.told = self._rates.uses, self._rates.told
        self._own = OwnListeners()
        self._scopes = MissingScopes(self._clock.now, scopes_needed, self._lines.scope_missing)
        self._commons = self._make_commons(first=worker is None or worker.number == 1)
        self._address = ""
        """Of the proxy, for other machines: `host:port` or `unix:/path`."""
        self._listens = ""
        """The same, as it was bound."""
        self._since = self._clock.wall()
        self._assembly = Assembly(settings, self._commons)
        self._traces.use(settings)
        self._living = [self._assembly]
        """The configurations that calls in hand began with, and the one in force, the last."""
        self._retiring: set[asyncio.Task[None]] = set()
        self._certificates = self._make_certificates(settings)
        self._proxy = ProxyServer(self._assembly.proxy, tls=self._tls())
        self._unix: UnixSocket | None = None
        """The one that was made here; workers get theirs."""
        self._admin = AdminServer(self._admin_sources())
        self._history.listener = self._admin.poke
        self._draining = False

    def _make_commons(self, *, first: bool) -> Commons:
        observer = Fanout(
            self._metrics,
            self._totals,
            self._history,
            self._rates,
            self._lines,
            self._traces,
            self._scopes,
            defect=self._lines.defect,
        )
        return Commons(
            self._replica,
            self._clock,
            observer,
            self._lines,
            self._traces,
            Endpoints(RouteTable(read_operations())),
            self._in_use.meters,
            self._presence,
            self._store_failed,
            pace_hooks(self._metrics.pace, self._lines, self._store_failed),
            self._own,
            LoopMark(secrets.token_hex(8)),
            first=first,
        )

    def _make_certificates(self, settings: Settings) -> Certificates | None:
        if not settings.tls.on:
            return None
        told = TlsNews(self._metrics, lambda: self.log)
        made = Certificates(settings.tls, told, self._clock.wall, others=self._see_out)
        self._metrics.show_certificate(lambda: made.certificate.ends)
        self._own.certificate = lambda: made.certificate.der
        return made

    def _see_out(self) -> None:
        self._proxy.see_out()

    def _tls(self) -> Tls | None:
        made = self._certificates
        return None if made is None else Tls(made.context, made.told.handshake_failed)

    def _admin_sources(self) -> AdminSources:
        return AdminSources(
            status=self.status,
            readiness=self.readiness,
            metrics=self._metrics.scrape,
            glance=lambda: self.status(DETAILED),
            history=lambda name: (
                self._history.of(name) | self._rates.of(name) | self._assembly.pacing.of(name)
            ),
            may_come=self._may_come,
            may_act=lambda: self.settings.admin.allow_actions,
            rotate=self.rotate,
        )

    # State.

    @property
    def log(self) -> GatewayLog:
        return self._lines.gateway

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self._assembly.settings

    def charts(self) -> Mapping[str, Chart]:
        keepers, onto = self._assembly.keepers, self._scopes.onto
        return self._rates.marked(
            {name: onto(name, one.manager.chart()) for name, one in keepers.items()}
        )

    def readiness(self) -> Readiness:
        return self._judge(self.charts())

    def _judge(self, charts: Mapping[str, Chart]) -> Readiness:
        keepers = self._assembly.keepers
        tried = {name for name, keeper in keepers.items() if keeper.manager.tried}
        served = {name for name, keeper in keepers.items() if keeper.manager.served}
        wall = self._clock.wall()
        own = diagnose_certificate(self._listener().tls, wall) + self._in_use.diagnoses(wall)
        return self._gate.look(charts, tried, served, own)

    def _listener(self) -> ListenerStatus:
        return ListenerStatus(
            self._listens, self._certificates.status() if self._certificates else None
        )

    def _posture(self) -> Posture:
        return posture(
            self.settings,
            self._listener(),
            self._assembly.way_out(),
            (self._shared or self._totals).denied(),
            self._in_use.status(),
        )

    def status(self, most: int | None = None) -> dict[str, Any]:
        """Give the body of `/status.json`; with `most`, of so many accounts in full."""
        charts = self.charts()
        now, wall = self._clock.now(), self._clock.wall()
        totals = (self._shared or self._totals).totals()
        told = replace(
            self._replica,
            sighting=self._assembly.heartbeat.sighting,
            posture=self._posture(),
        )
        return snapshot(charts, self._judge(charts), told, now, wall, totals, most=most)

    def _may_come(self, host: bytes) -> bool:
        """Whether the admin port answers under this name."""
        return self._assembly.admin_names.allow(host)

    def rotate(self, account: str, caller: str) -> Asked | None:
        """Somebody at the address `caller` wants a new token; None: there is no such account."""
        keeper = self._assembly.keepers.get(account)
        if keeper is None:
            return None
        asked = keeper.manager.request()
        self.log.rotation_requested(account, caller, began=asked.began)
        return asked

    def _presence(self) -> Presence:
        return Presence(
            self._replica.name,
            self._replica.version,
            self._address,
            self._since,
            {name: keeper.manager.generation for name, keeper in self._assembly.keepers.items()},
        )

    def _store_failed(self, problem: StoreError) -> None:
        for keeper in self._assembly.keepers.values():
            keeper.manager.store_failed(problem)

    @property
    def inflight(self) -> int:
        """Calls in hand."""
        return self._proxy.inflight

    # Life.

    async def start(self) -> tuple[str, str]:
        """Listen and begin to mint; give both listeners' addresses, `host:port` or `unix:/path`.

        Raises OSError, with the address in `filename`, if one cannot be bound, and
        ConfigurationError if the way to Zoom leads back to it; nothing is left running then.
        """
        settings = self.settings
        try:
            listen = self._listen(settings.listen)
            await self._proxy.serve(listen)
            admin = sockets.listen(settings.admin.host, settings.admin.port)
        except OSError:
            await self.stop(0.0)
            raise
        addresses = sockets.named(listen), sockets.named(admin)
        try:
            await self._begin(listen, admin)
        except ConfigurationError:
            sockets.close(admin)
            await self.stop(0.0)
            raise
        store = settings.store.url.partition(":")[0]
        proxy = settings.upstream.shown_proxy(os.environ)
        self.log.started(
            __version__, *addresses, store, list(settings.accounts), proxy, tls=settings.tls.on
        )
        return addresses

    def _listen(self, settings: ListenSettings) -> list[socket.socket]:
        if settings.socket is None:
            return sockets.listen(settings.host, settings.port)
        self._unix = UnixSocket(settings.socket, settings.mode)
        return [self._unix.listening]

    async def serve(self, listen: Sequence[socket.socket], admin: Sequence[socket.socket]) -> None:
        """As `start`, with sockets that listen already."""
        await self._proxy.serve(listen)
        await self._begin(listen, admin)

    async def _begin(self, listen: Sequence[socket.socket], admin: Sequence[socket.socket]) -> None:
        self._address, self._listens = found_at(listen), sockets.named(listen)
        self._own.add(listen)
        await refuse_loops(self.settings.upstream, self._assembly.outward)
        await self._admin.serve(admin)
        if self._certificates is not None:
            self._certificates.start()
        self._assembly.start()
        self._in_use.start()

    def log_to(self, log: FilteringBoundLogger) -> None:
        """Write to `log` from now on, as the settings in force say."""
        self._lines.use(log, self.settings.log.sample)

    async def reload(self, settings: Settings) -> Changes:
        """Work with other settings from now on; calls in hand go on with those they began with.

        What only a restart applies stays as it is. Raises ConfigurationError for files that
        cannot be used (any more), and for a way to Zoom that leads back here; then all stays as it
        was.
        """
        if settings.upstream != self.settings.upstream:
            await refuse_loops(settings.upstream, Outward(settings.upstream, own=self._own))
        if self._certificates is None:
            return self._put_in_force(settings)
        tls = applicable(self.settings, settings).tls
        async with self._certificates.changing(tls) as change_tls:
            return self._put_in_force(settings, change_tls)

    def _put_in_force(
        self, settings: Settings, change_tls: Callable[[], None] = lambda: None
    ) -> Changes:
        """All at once: rules rely on who is let in, so that no call may see a half of it."""
        former = self._assembly
        found = changes(former.settings, settings)
        if self._draining:
            return found
        if not found.applied:
            change_tls()
            return found
        assembly = Assembly(applicable(former.settings, settings), self._commons, former)
        if _tracing(former.settings) != _tracing(settings):
            self._traces.use(settings)
        # Nothing fails from here on.
        change_tls()
        self._metrics.prepare(slots(settings))
        self._history.prepare(settings.accounts)
        self._rates.prepare(settings.accounts)
        assembly.start(self._living)
        self._assembly = assembly
        self._living.append(assembly)
        self._proxy.use(assembly.proxy)
        task = asyncio.create_task(self._retire(former))
        self._retiring.add(task)
        task.add_done_callback(self._retired)
        return found

    async def _retire(self, former: Assembly) -> None:
        await self._proxy.retire(former.proxy)
        self._living.remove(former)
        lasting = {name for one in self._living for name in one.keepers}
        self._metrics.forget(former.keepers.keys() - lasting)
        await self._close(former, {id(part) for one in self._living for part in one.parts()})

    async def _close(self, former: Assembly, kept: set[int]) -> None:
        """Close what is not among the `kept`."""
        for closings in former.closings():
            due = [close() for part, close in closings if id(part) not in kept]
            for outcome in await asyncio.gather(*due, return_exceptions=True):
                if isinstance(outcome, Exception):
                    self._lines.defect(outcome)

    def _retired(self, task: "asyncio.Task[None]") -> None:
        self._retiring.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._lines.defect(problem)

    def begin_drain(self, signal: str) -> None:
        """Not ready from now on; calls are still accepted."""
        self._draining = True
        self._gate.drain()
        self._proxy.begin_drain()
        self._admin.poke()
        self.log.draining(signal, self.inflight)

    async def stop(self, timeout: float) -> int:  # noqa: ASYNC109  calls get it as a whole
        """Finish the calls in hand within `timeout` seconds; keep the tokens. Gives those cut."""
        cut = await self._proxy.finish(timeout)
        self._in_use.close()
        if self._unix is not None:
            self._unix.remove()
        if self._certificates is not None:
            await self._certificates.close()
        if self._retiring:
            await asyncio.wait(self._retiring, timeout=_LAST)
        closed: set[int] = set()
        for one in reversed(self._living):
            await self._close(one, closed)
            closed |= {id(part) for part in one.parts()}
        await self._admin.close()
        await self._traces.close()
        return cut


def _tracing(settings: Settings) -> object:
    """All that spans depend on."""
    return settings.tracing, settings.upstream.api_origin
