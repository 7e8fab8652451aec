"""Where each account's API is, with `upstream.api_url: auto`: where its token says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.core.api_url import believed
from gateway.core.errors import ConfigurationError
from gateway.core.token import Token
from gateway.core.zoom_hosts import is_loopback
from gateway.ports import Probe, Prober
from gateway.settings import Settings
from gateway.settings.urls import AUTO
from gateway.web.origins import Origin
from gateway.wiring.outward import Outward
from gateway.wiring.zoom import prober, upstream
from gateway.zoom.upstream import HttpUpstream

MOST: Final = 32
"""Origins at a time: Zoom has a few regions."""

Ignored = Callable[[str, str], None]
"""Told, once for each, of an account and an `api_url` that is not followed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    origin: Origin
    prober: Prober
    upstream: HttpUpstream


class Apis:
    """The origins that tokens have named so far, made when the first names one."""

    def __init__(self, settings: Settings, outward: Outward, usual: HttpUpstream) -> None:
        """`usual` is the origin of the configuration, where there is no other."""
        self._settings = settings
        self._outward = outward
        self._trusted = settings.upstream.trusted_hosts
        token_host = urlsplit(settings.upstream.token_url).hostname or ""
        self._here = is_loopback(token_host)
        self.on = settings.upstream.api_url == AUTO
        self.usual = _Place(Origin(usual, usual.host), prober(usual), usual)
        self._usual_url = settings.upstream.api_origin
        self._places: dict[str, _Place] = {}

    def place(self, api_url: str) -> _Place | None:
        """The origin that a token names; None: it is not to be followed."""
        url = believed(api_url, self._trusted, here=self._here)
        if url is None:
            return None
        if url == self._usual_url:
            return self.usual
        place = self._places.get(url)
        if place is None and len(self._places) < MOST:
            try:
                made = upstream(self._settings, self._outward, url)
            except (
                ConfigurationError
            ):  # the environment names an unusable proxy for this host alone
                return None
            place = self._places[url] = _Place(Origin(made, made.host), prober(made), made)
        return place

    def hosts(self) -> list[str]:
        """Those that calls go to beside the usual one."""
        return sorted(place.origin.host.decode() for place in self._places.values())

    def closings(self) -> list[tuple[object, Callable[[], Awaitable[None]]]]:
        """What is to be closed, and how."""
        return [(place.upstream, place.upstream.close) for place in self._places.values()]


class AccountApi:
    """Implements `Api` and `Prober` for one account: both go where its token says."""

    __slots__ = ("_apis", "_ignored", "_name", "_place", "_token", "_told", "token")

    def __init__(self, name: str, apis: Apis, ignored: Ignored) -> None:
        self._name = name
        self._apis = apis
        self._ignored = ignored
        self._place = apis.usual
        self._token: Token | None = None
        self._told: str | None = None
        self.token: Callable[[], Token | None] = lambda: None
        """Gives the token of new calls."""

    @property
    def origin(self) -> Origin:
        token = self.token()
        if token is not self._token:
            self._follow(token)
        return self._place.origin

    async def probe(self, probe: Probe) -> bool | None:
        self.origin  # noqa: B018  it is looked up afresh
        return await self._place.prober.probe(probe)

    def _follow(self, token: Token | None) -> None:
        self._token = token
        url = token.api_url if token else None
        if not url:
            return  # what held before holds, until something is said
        place = self._apis.place(url)
        self._place = place or self._apis.usual
        if place is None and url != self._told:
            self._told = url
            self._ignored(self._name, url)
