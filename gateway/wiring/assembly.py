"""All that is made from one configuration. A later one takes over what did not change."""

import random
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from gateway.core.errors import StoreError
from gateway.core.loops import LoopMark
from gateway.core.posture import UpstreamStatus
from gateway.core.presence import Presence
from gateway.core.routes import Endpoints
from gateway.core.status import Replica
from gateway.ports import Clock, Observer, Prober, TokenStore
from gateway.settings import AccountSettings, Settings
from gateway.settings.changes import same_store
from gateway.tokens.heartbeat import Heartbeat
from gateway.tokens.lending import lend
from gateway.tokens.manager import ManagerParts, TokenManager
from gateway.tokens.probing import ProbeTarget
from gateway.web.access import Access
from gateway.web.accounts import AccountContext, Accounts
from gateway.web.elsewhere import Elsewhere
from gateway.web.meters import Allowance, Meters
from gateway.web.pacing import PaceHooks
from gateway.web.proxy import Proxy
from gateway.web.proxy_parts import Hooks, ProxyParts
from gateway.wiring.access import host_names, policy, sources, token_rights
from gateway.wiring.apis import AccountApi, Apis
from gateway.wiring.credentials import credentials_print, identities
from gateway.wiring.key_files import KeyFiles
from gateway.wiring.limits import limits_of
from gateway.wiring.lines import Lines
from gateway.wiring.outward import Outward
from gateway.wiring.pacing import Pacing
from gateway.wiring.spooling import Spooling
from gateway.wiring.store import token_store
from gateway.wiring.traces import Traces
from gateway.wiring.zoom import minter, other_hosts, upstream
from gateway.zoom.minter import TokenEndpoint
from gateway.zoom.own import OwnListeners
from gateway.zoom.upstream import HttpUpstream
from gateway.zoom.upstream.hosts import HostUpstreams

SECOND_PROBE = "/v2/users?page_size=1"
"""Asked when the endpoint in question is the first probe's own."""

Closing = tuple[object, Callable[[], Awaitable[None]]]
"""A part, and how it is closed."""


@dataclass(frozen=True, slots=True)
class Commons:
    """What every configuration works with."""

    replica: Replica
    clock: Clock
    observer: Observer
    lines: Lines
    traces: Traces
    endpoints: Endpoints
    meters: Meters
    presence: Callable[[], Presence]
    """What the other replicas are told of this one."""
    store_failed: Callable[[StoreError], None]
    """Told why the store took no heartbeat."""
    pace_hooks: PaceHooks
    own: OwnListeners
    """Where callers connect, which is not where Zoom is."""
    mark: LoopMark
    """By which a call that comes back is known."""
    first: bool
    """Whether it tells what is as true of all the processes that are one gateway."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """An account's token manager, and what was made for it alone."""

    settings: AccountSettings
    manager: TokenManager
    minter: TokenEndpoint
    api: AccountApi | None
    """None: its calls go where those of all go."""


class Assembly:
    """The parts for one configuration, not started yet.

    Those of `former` are used again if all that they depend on is as it was, and go on as they
    are. Raises ConfigurationError if a file that the settings name cannot be used (any more).
    """

    def __init__(
        self, settings: Settings, commons: Commons, former: "Assembly | None" = None
    ) -> None:
        self.settings = settings
        self._commons = commons
        self.limits = limits_of(settings.limits, len(settings.accounts))
        self._make_ways(former)
        self._make_shared(former)
        known = former.keepers if former and _alike(former.settings, settings) else {}
        self.keepers: dict[str, Keeper] = {
            name: known[name]
            if name in known and known[name].settings.identity == account.identity
            else self._keeper(name, account)
            for name, account in settings.accounts.items()
        }
        self.pacing: Pacing = Pacing(
            settings,
            commons.replica.name,
            commons.clock,
            commons.pace_hooks,
            former.pacing if former else None,
        )
        heartbeat = self.heartbeat
        self.pacing.sees(lambda: heartbeat.sighting)
        self.sources = sources(settings)
        self.admin_names = host_names(settings)
        self.key_field = settings.access.key_header.lower().encode()
        self.key_fields: frozenset[bytes] = (former.key_fields if former else frozenset()) | {
            self.key_field
        }
        """All that this process ever had: not every caller knows of a change at once."""
        self.proxy = Proxy(self._proxy_parts())

    def _make_ways(self, former: "Assembly | None") -> None:
        """To Zoom."""
        settings, commons = self.settings, self._commons
        self.outward: Outward
        self.upstream: HttpUpstream
        self.apis: Apis
        self.hosts: HostUpstreams
        if former and former.settings.upstream == settings.upstream:
            self.outward, self.upstream = former.outward, former.upstream
            self.apis, self.hosts = former.apis, former.hosts
        else:
            self.outward = Outward(
                settings.upstream, commons.lines.ca_file_unusable, own=commons.own
            )
            self.upstream = upstream(settings, self.outward)
            self.apis = Apis(settings, self.outward, self.upstream)
            self.hosts = other_hosts(settings, self.outward)

    def _make_shared(self, former: "Assembly | None") -> None:
        """What all accounts share: the store, and what is kept of bodies and read of keys."""
        settings, commons = self.settings, self._commons
        self.store: TokenStore
        if former and same_store(former.settings, settings):
            self.store = former.store
        else:
            self.store = token_store(settings, commons.lines.store_file_set_aside)
        self.heartbeat: Heartbeat
        if former and self.store is former.store:
            self.heartbeat = former.heartbeat
        else:
            self.heartbeat = Heartbeat(
                self.store,
                commons.clock,
                commons.presence,
                commons.store_failed,
                commons.lines.defect,
            )
        self.spooling: Spooling
        if former and former.settings.replay == settings.replay:
            self.spooling = former.spooling
        else:
            self.spooling = Spooling(settings, commons.lines)
        self.key_files: KeyFiles
        if former and former.settings.access.keys == settings.access.keys:
            self.key_files = former.key_files
        else:
            self.key_files = KeyFiles(settings, commons.lines.key_unreadable, commons.lines.defect)

    def _keeper(self, name: str, account: AccountSettings) -> Keeper:
        endpoint = minter(self.settings, account, self.outward)
        api = None
        if self.apis.on:
            api = AccountApi(name, self.apis, self._commons.lines.api_url_ignored)
        manager = self._manager(name, account, endpoint, api or self.apis.usual.prober)
        if api is not None:
            api.token = manager.ledger.token
        return Keeper(account, manager, endpoint, api)

    def _manager(
        self, name: str, account: AccountSettings, endpoint: TokenEndpoint, asker: Prober
    ) -> TokenManager:
        token, store, commons = self.settings.token, self.settings.store, self._commons
        return TokenManager(
            ManagerParts(
                account=name,
                replica=commons.replica.name,
                identities=identities(account),
                store=self.store,
                minter=endpoint,
                prober=asker,
                observer=commons.observer,
                clock=commons.clock,
                chance=random.random,
                new_epoch=lambda: secrets.token_hex(8),
                probe_targets=self._probe_targets(),
                defect=commons.lines.defect,
                credentials=lambda: credentials_print(account),
                rotate_at=None if token.rotate_at == "auto" else float(token.rotate_at),
                wait_timeout=token.wait_timeout,
                mint_timeout=token.mint_timeout,
                lease=store.lease,
                mint_in_outage=store.on_outage == "mint",
            )
        )

    def _probe_targets(self) -> tuple[ProbeTarget, ...]:
        paths = (self.settings.token.probe_path, SECOND_PROBE)
        return tuple(
            ProbeTarget(path.encode(), self._commons.endpoints.endpoint("GET", path).key)
            for path in paths
        )

    def _proxy_parts(self) -> ProxyParts:
        commons = self._commons
        hands = commons.meters.hands(
            {
                name: self.limits.calls_per_account if one.calls is None else one.calls
                for name, one in self.settings.accounts.items()
            }
        )
        return ProxyParts(
            accounts=Accounts(
                AccountContext(
                    name,
                    keeper.manager,
                    keeper.settings.account_id,
                    keeper.manager.scope,
                    keeper.api,
                    _retries(self.settings, name),
                    self.pacing.pacers.get(name),
                    partial(lend, keeper.manager) if self.settings.oauth.real_token else None,
                    hands.get(name),
                )
                for name, keeper in self.keepers.items()
            ),
            origin=self.apis.usual.origin,
            elsewhere=Elsewhere(self.hosts.at, self.settings.upstream.trusted_hosts),
            observer=commons.observer,
            clock=commons.clock,
            endpoint_of=commons.endpoints.of_path,
            spool=replace(self.spooling.config, allowance=Allowance(self.limits, commons.meters)),
            sources=self.sources,
            hooks=Hooks(commons.lines.defect, commons.lines.unknown_account_id),
            trace_of=commons.traces.trace_of,
            access=Access(
                policy(self.settings, commons.endpoints.shapes),
                self.key_files.current,
                self.key_field,
                self.key_fields,
                token_rights(self.settings),
            ),
            limits=self.limits,
            meters=commons.meters,
            mark=commons.mark,
            propagate=self.settings.tracing.propagate,
        )

    def way_out(self) -> UpstreamStatus:
        """The way to Zoom as it is now."""
        return replace(self.outward.status, named=tuple(self.apis.hosts()))

    def start(self, others: Iterable["Assembly"] = ()) -> None:
        """Begin, with what none of `others` does already. Call it inside the running loop."""
        others = list(others)
        if all(other.heartbeat is not self.heartbeat for other in others):
            self.heartbeat.start()
        if all(other.key_files is not self.key_files for other in others):
            self.key_files.start()
        if self._commons.first and all(other.spooling is not self.spooling for other in others):
            self.spooling.tell()
        running = {id(keeper) for other in others for keeper in other.keepers.values()}
        for keeper in self.keepers.values():
            if id(keeper) not in running:
                keeper.manager.start()

    def closings(self) -> Iterator[list[Closing]]:
        """How its parts are closed: those of a list together, one list after the other."""
        keepers = self.keepers.values()
        yield [
            (self.heartbeat, self.heartbeat.close),
            (self.key_files, self.key_files.close),
            *((keeper.manager, keeper.manager.close) for keeper in keepers),
            *((pacer, pacer.close) for pacer in self.pacing.pacers.values()),
        ]
        yield [(keeper.minter, keeper.minter.close) for keeper in keepers]
        rates = self.pacing.store
        yield [
            (self.upstream, self.upstream.close),
            *self.apis.closings(),
            (self.hosts, self.hosts.close),
            (self.store, self.store.close),
            *([] if rates is None else [(rates, rates.close)]),
        ]

    def parts(self) -> Iterator[object]:
        """All that is closed."""
        return (part for closings in self.closings() for part, _ in closings)


def _retries(settings: Settings, account: str) -> int:
    own = settings.accounts[account].ratelimit.retry
    return settings.ratelimit.retry if own is None else own


def _alike(old: Settings, new: Settings) -> bool:
    """Whether managers of the same accounts would be made of the same parts."""
    return (old.upstream, old.token, old.store) == (new.upstream, new.token, new.store)
