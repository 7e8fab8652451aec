"""The composition root: the one file that names implementations.

Everything else receives what it needs. Nobody else reads settings or the environment.
"""

import hashlib
import os
import random
import secrets
import socket
from collections.abc import Callable, Mapping
from typing import Any

from structlog.typing import FilteringBoundLogger

from gateway import __version__
from gateway.clock import SystemClock
from gateway.core.errors import ConfigurationError
from gateway.core.routes import Endpoints, RouteTable
from gateway.core.status import Readiness, ReadinessGate, Replica, snapshot
from gateway.core.token import SlotId
from gateway.core.verdict import classify, decode_body
from gateway.observe.access_log import AccessLog
from gateway.observe.fanout import Fanout
from gateway.observe.gateway_log import GatewayLog
from gateway.observe.metrics import Metrics
from gateway.observe.token_log import TokenLog
from gateway.observe.totals import Totals
from gateway.ports import TokenStore
from gateway.settings import AccountSettings, Settings, load_operations
from gateway.settings.urls import whole_url
from gateway.stores.file import FileStore
from gateway.stores.memory import MemoryStore
from gateway.tokens.manager import ManagerParts, TokenManager
from gateway.tokens.probing import ProbeTarget
from gateway.web.accounts import AccountContext, Accounts
from gateway.web.admin import AdminSources
from gateway.web.admin_server import AdminServer
from gateway.web.listener import ProxyServer
from gateway.web.proxy import Hooks, Proxy, ProxyParts
from gateway.web.spool import SpoolConfig
from gateway.zoom.minter import TokenEndpoint
from gateway.zoom.prober import TokenProber
from gateway.zoom.upstream import HttpUpstream

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


def upstream(settings: Settings) -> HttpUpstream:
    """The way to Zoom's API."""
    return HttpUpstream(
        settings.upstream.api_url,
        connect_timeout=settings.upstream.connect_timeout,
        idle_timeout=settings.upstream.idle_timeout,
    )


def minter(settings: Settings, account: AccountSettings) -> TokenEndpoint:
    """The token endpoint, for one account."""
    return TokenEndpoint(
        settings.upstream.token_url,
        account.account_id,
        {app.name: app.credentials for app in account.apps},
        connect_timeout=settings.upstream.connect_timeout,
    )


def prober(api: HttpUpstream) -> TokenProber:
    """Asks the API whether a token is alive."""
    return TokenProber(api, api.host, _is_refusal)


def _is_refusal(status: int, is_head: bool, body: bytes, encoding: str) -> bool:  # noqa: FBT001  the prober's signature
    del is_head
    decoded = decode_body(encoding.encode("latin-1"), body)
    return classify(status, decoded).refuses


def identities(account: AccountSettings) -> dict[SlotId, str]:
    """The account's slots; each with a fingerprint of whose token it holds."""
    return {
        SlotId(app.name, index): hashlib.sha256(
            f"{account.account_id}\n{app.client_id}".encode()
        ).hexdigest()[:16]
        for app in account.apps
        for index in app.token_indexes
    }


def credentials_print(account: AccountSettings) -> str:
    """A fingerprint that changes with the credentials; one for files that cannot be read, too."""
    digest = hashlib.sha256()
    for app in account.apps:
        try:
            known = app.credentials()
        except ConfigurationError as problem:
            digest.update(repr(problem.problems).encode())
            continue
        previous = known.previous_client_secret
        for part in (known.client_id, known.client_secret.reveal(), previous and previous.reveal()):
            digest.update(repr(part).encode())
    return digest.hexdigest()


def token_store(settings: Settings, report: Callable[[str], None]) -> TokenStore:
    """Where the tokens are kept; `report` is told of a file that had to be set aside."""
    url = whole_url(settings.store.url)
    if url.startswith(("redis:", "rediss:")):
        # Only who uses Redis loads its client.
        from gateway.stores.redis import RedisStore  # noqa: PLC0415

        return RedisStore(url)
    directory = settings.store.directory
    if directory is None:
        return MemoryStore(SystemClock())
    return FileStore(directory, report)
