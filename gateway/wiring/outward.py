"""The way out to Zoom: whose certificates are believed, and by which proxy it goes."""

import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from gateway.core.egress import EgressProxy
from gateway.core.errors import ConfigurationError
from gateway.core.place import parse_place
from gateway.core.posture import UpstreamStatus
from gateway.settings import UpstreamSettings
from gateway.settings.resolving import places
from gateway.settings.tls_files import client_context
from gateway.zoom.names import Names, Resolver
from gateway.zoom.own import OwnListeners
from gateway.zoom.tls import strict

Complain = Callable[[str], None]
"""Told, once, of a file that cannot be used any more; in words that may be shown."""


class Outward:
    """What both clients of Zoom need to make a connection, for one configuration.

    `own` are the addresses that lead back here. Raises ConfigurationError if the file of CAs, or a
    proxy that the environment names, cannot be used (any more).
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        complain: Complain = lambda _: None,
        environ: Mapping[str, str] = os.environ,
        own: OwnListeners | None = None,
    ) -> None:
        self._settings, self._environ = settings, environ
        urls = settings.api_origin, settings.token_url
        self._api, self._token = map(_host, urls)
        secure = any(urlsplit(url).scheme == "https" for url in urls)
        self.trust = CaTrust(settings.ca_file, complain, at_once=secure)
        self.api_proxy = self.proxy_to(settings.api_origin)
        self.token_proxy = self.proxy_to(settings.token_url)
        self.own = own
        self.names = Names(places(settings.addresses), _resolver(settings), own)

    def proxy_to(self, url: str) -> EgressProxy | None:
        """The proxy on the way to an origin. Raises ConfigurationError, as making this does."""
        try:
            return self._settings.proxy_to(url, self._environ)
        except ValueError as error:
            raise ConfigurationError([str(error)]) from None

    @property
    def status(self) -> UpstreamStatus:
        """For `/status.json`."""
        return UpstreamStatus(self._api, str(self.api_proxy) if self.api_proxy else None)


def _resolver(settings: UpstreamSettings) -> Resolver | None:
    if not settings.nameservers:
        return None
    # Only here: its library takes some MiB.
    from gateway.zoom.nameservers import NameServers  # noqa: PLC0415

    return NameServers([parse_place(one) for one in settings.nameservers], settings.connect_timeout)


class CaTrust:
    """Gives the context for a new connection; made anew when the file of CAs has changed.

    One that cannot be read then, as while it is being written, leaves what was in force: nobody is
    believed who was not before. Without a file, the system's CAs are read once: it takes as long
    as several calls, and a MiB, so that it is done `at_once` only where TLS is spoken.
    """

    def __init__(self, ca_file: Path | None, complain: Complain, *, at_once: bool = True) -> None:
        self._file = ca_file
        self._complain = complain
        self._state = self._look()
        self._context = self._first() if at_once or ca_file else None

    def __call__(self) -> ssl.SSLContext:
        state = self._look()
        if state != self._state:
            self._state = state
            try:
                self._context = strict(client_context(self._file))
            except (OSError, ValueError):
                self._complain(f"{_unusable(self._file)}. What it held before stays in force")
        if self._context is None:
            self._context = self._first()
        return self._context

    def _first(self) -> ssl.SSLContext:
        try:
            return strict(client_context(self._file))
        except (OSError, ValueError):
            raise ConfigurationError([_unusable(self._file)]) from None

    def _look(self) -> object:
        try:
            found = None if self._file is None else self._file.stat()
        except OSError as error:
            return error.errno
        return found and (found.st_mtime_ns, found.st_size, found.st_ino)


def _host(url: str) -> str:
    """Of one that the settings have checked."""
    return urlsplit(url).netloc


def _unusable(ca_file: Path | None) -> str:
    what = f"{ca_file} holds no CA certificate in PEM" if ca_file else "the system has none"
    return f"upstream.ca_file: {what}, or cannot be read"
