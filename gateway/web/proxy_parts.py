"""What the proxy is made of."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.core.endpoint import Endpoint
from gateway.core.headers import CallerHeaders
from gateway.core.limits import Limits
from gateway.core.trace import CallTrace
from gateway.ports import Clock, Observer
from gateway.web.access import Access
from gateway.web.accounts import Accounts
from gateway.web.elsewhere import Elsewhere
from gateway.web.meters import Meters
from gateway.web.origins import Origin
from gateway.web.sources import Sources
from gateway.web.spool import SpoolConfig


@dataclass(frozen=True, slots=True)
class Hooks:
    """Who hears of what no answer tells. Nothing here may raise or wait."""

    unhandled: Callable[[BaseException], None]
    """An error that nobody expected: a fault of the gateway's own."""
    unknown_account_id: Callable[[str], None]
    """The emulated token endpoint was asked for an account id that is not configured."""


@dataclass(frozen=True, slots=True)
class ProxyParts:
    """What the proxy is made of. `origin` is where calls go, unless their account has its own;
    `elsewhere` knows the other hosts that calls may name.

    `trace_of` gives the trace of a call, and is told when the call began. With `propagate`, Zoom
    is told of it.
    """

    accounts: Accounts
    origin: Origin
    elsewhere: Elsewhere
    observer: Observer
    clock: Clock
    endpoint_of: Callable[[str, bytes], Endpoint]
    spool: SpoolConfig
    sources: Sources
    hooks: Hooks
    trace_of: Callable[[CallerHeaders, float], CallTrace | None]
    access: Access
    limits: Limits
    meters: Meters
    propagate: bool = False
