"""A whole gateway, put together."""

import os
import random
import secrets
import socket
from collections.abc import Mapping
from typing import Any

from structlog.typing import FilteringBoundLogger

from gateway import __version__
from gateway.clock import SystemClock
from gateway.core.routes import Endpoints, RouteTable
from gateway.core.status import Readiness, ReadinessGate, Replica, snapshot
from gateway.observe.access_log import AccessLog
from gateway.observe.fanout import Fanout
from gateway.observe.gateway_log import GatewayLog
from gateway.observe.metrics import Metrics
from gateway.observe.token_log import TokenLog
from gateway.observe.totals import Totals
from gateway.settings import AccountSettings, Settings, load_operations
from gateway.tokens.manager import ManagerParts, TokenManager
from gateway.tokens.probing import ProbeTarget
from gateway.web.accounts import AccountContext, Accounts
from gateway.web.admin import AdminSources
from gateway.web.admin_server import AdminServer
from gateway.web.listener import ProxyServer
from gateway.web.proxy import Hooks, Proxy, ProxyParts
from gateway.web.spool import SpoolConfig
from gateway.wiring.credentials import credentials_print, identities
from gateway.wiring.store import token_store
from gateway.wiring.zoom import minter, prober, upstream

SECOND_PROBE = "/v2/users?page_size=1"
"""Asked when the endpoint in question is the first probe's own."""


class Gateway:
    """A whole gateway, made from settings. Start it and stop it inside one event loop."""

    def __init__(self, settings: Settings, log: FilteringBoundLogger) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self.log = GatewayLog(log)
        self._replica = Replica(
            f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}",
            __version__,
            os.getpid(),
            self._clock.now(),
        )
        self._gate = ReadinessGate()
        self._totals = Totals()
        self._metrics = Metrics(settings.accounts, self.charts, self._clock.wall, __version__)
        self._observer = Fanout(
            self._metrics, self._totals, AccessLog(log), TokenLog(log), defect=self.log.defect
        )
        self._endpoints = Endpoints(RouteTable(load_operations()))
        self._upstream = upstream(settings)
        self._store = token_store(settings, self.log.store_file_set_aside)
        self._minters = {
            name: minter(settings, account) for name, account in settings.accounts.items()
        }
        self.managers = {
            name: self._manager(name, account) for name, account in settings.accounts.items()
        }
        self._proxy = ProxyServer(Proxy(self._proxy_parts()))
        self._admin = AdminServer(self._admin_sources())

    def _manager(self, name: str, account: AccountSettings) -> TokenManager:
        token, store = self._settings.token, self._settings.store
        return TokenManager(
            ManagerParts(
                account=name,
                replica=self._replica.name,
                identities=identities(account),
                store=self._store,
                minter=self._minters[name],
                prober=prober(self._upstream),
                observer=self._observer,
                clock=self._clock,
                chance=random.random,
                new_epoch=lambda: secrets.token_hex(8),
                probe_targets=self._probe_targets(),
                defect=self.log.defect,
                credentials=lambda: credentials_print(account),
                rotate_at=None if token.rotate_at == "auto" else float(token.rotate_at),
                wait_timeout=token.wait_timeout,
                mint_timeout=token.mint_timeout,
                lease=store.lease,
                mint_in_outage=store.on_outage == "mint",
            )
        )

    def _probe_targets(self) -> tuple[ProbeTarget, ...]:
        paths = (self._settings.token.probe_path, SECOND_PROBE)
        return tuple(
            ProbeTarget(path.encode(), self._endpoints.endpoint("GET", path).key) for path in paths
        )

    def _proxy_parts(self) -> ProxyParts:
        replay = self._settings.replay
        return ProxyParts(
            accounts=Accounts(
                AccountContext(
                    name, manager, self._settings.accounts[name].account_id, manager.scope
                )
                for name, manager in self.managers.items()
            ),
            upstream=self._upstream,
            host=self._upstream.host.decode(),
            observer=self._observer,
            clock=self._clock,
            endpoint_of=self._endpoints.endpoint,
            spool=SpoolConfig(
                replay.memory_limit,
                replay.disk_limit,
                None if replay.dir == "auto" else str(replay.dir),
                self.log.body_not_kept,
            ),
            hooks=Hooks(self.log.defect, self.log.unknown_account_id),
        )

    def _admin_sources(self) -> AdminSources:
        return AdminSources(
            status=self.status, readiness=self.readiness, metrics=self._metrics.render
        )

    # State.

    def charts(self) -> Mapping[str, Any]:
        return {name: manager.chart() for name, manager in self.managers.items()}

    def readiness(self) -> Readiness:
        tried = {name for name, manager in self.managers.items() if manager.tried}
        return self._gate.look(self.charts(), tried)

    def status(self) -> dict[str, Any]:
        now, wall = self._clock.now(), self._clock.wall()
        return snapshot(
            self.charts(), self.readiness(), self._replica, now, wall, self._totals.totals()
        )

    @property
    def inflight(self) -> int:
        """Calls in hand."""
        return self._proxy.inflight

    # Life.

    async def start(self) -> tuple[str, str]:
        """Listen and begin to mint; give both listeners' addresses, `host:port`.

        Raises OSError, with the address in `filename`, if one cannot be bound; nothing is left
        running then.
        """
        settings = self._settings
        try:
            listen = await _bind(self._proxy.start, settings.listen.host, settings.listen.port)
            admin = await _bind(self._admin.start, settings.admin.host, settings.admin.port)
        except OSError:
            await self.stop(0.0)
            raise
        for manager in self.managers.values():
            manager.start()
        self.log.started(
            __version__, listen, admin, settings.store.url.partition(":")[0], list(self.managers)
        )
        return listen, admin

    def begin_drain(self, signal: str) -> None:
        """Not ready from now on; calls are still accepted."""
        self._gate.drain()
        self._proxy.begin_drain()
        self.log.draining(signal, self.inflight)

    async def stop(self, timeout: float) -> int:  # noqa: ASYNC109  calls get it as a whole
        """Finish the calls in hand within `timeout` seconds; keep the tokens. Gives those cut."""
        cut = await self._proxy.finish(timeout)
        for manager in self.managers.values():
            await manager.close()
        await self._admin.close()
        for one in self._minters.values():
            await one.close()
        await self._upstream.close()
        await self._store.close()
        return cut


async def _bind(start: Any, host: str, port: int) -> str:
    try:
        bound_host, bound_port = await start(host, port)
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, _address(host, port)) from problem
    return _address(bound_host, bound_port)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
