"""The proxy port's TLS as it is now: certificate, key and client CAs are read when they change."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core.certificate import Certificate
from gateway.core.errors import ConfigurationError
from gateway.core.posture import TlsStatus
from gateway.core.status import iso
from gateway.observe.gateway_log import GatewayLog
from gateway.observe.metrics import Metrics
from gateway.settings.tls import TlsSettings
from gateway.web.tls import Context, Failed

EVERY: Final = 10.0
"""Seconds between two looks at the files. Certificates are renewed hours before their end, and a
CA that was taken away is not trusted for longer than this."""

_UNREADABLE: Final = b""


class TlsNews:
    """Who hears of the proxy port's TLS: metrics, and the log of the moment."""

    def __init__(self, metrics: Metrics, log: Callable[[], GatewayLog]) -> None:
        self._metrics = metrics
        self._log = log

    def loaded(self, certificate: Certificate) -> None:
        self._metrics.tls_reloaded(success=True)
        self._log().tls.reloaded(list(certificate.names), iso(certificate.ends))

    def failed(self, problems: Sequence[str]) -> None:
        self._metrics.tls_reloaded(success=False)
        self._log().tls.reload_failed(problems)

    def old(self, certificate: Certificate, age: str) -> None:
        self._log().tls.certificate_old(list(certificate.names), iso(certificate.ends), age)

    def handshake_failed(self, failed: Failed) -> None:
        self._metrics.tls_handshake_failed()
        self._log().tls.handshake_failed(failed.kind.value, failed.address, failed.detail)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What was made of the files as they were."""

    settings: TlsSettings
    content: bytes
    """A hash of all files."""
    context: Context
    certificate: Certificate


class Certificates:
    """What new connections get.

    Raises ConfigurationError if the files cannot be used at the start; later, what was read last
    stays in use, and they are tried again.
    """

    def __init__(
        self,
        settings: TlsSettings,
        told: TlsNews,
        wall: Callable[[], float] = time.time,
        every: float = EVERY,
        others: Callable[[], None] = lambda: None,
    ) -> None:
        """`others` is told when other callers are let in from now on than before."""
        self.told = told
        self._wall = wall
        self._every = every
        self._others = others
        self._loaded = _load(settings)
        self._looking = asyncio.Lock()
        self._age = ""
        """What was said of the certificate last."""
        self._watching: asyncio.Task[None] | None = None

    def context(self) -> Context:
        return self._loaded.context

    @property
    def certificate(self) -> Certificate:
        """The one that is shown."""
        return self._loaded.certificate

    def status(self) -> TlsStatus:
        """For `/status.json`."""
        certificate = self.certificate
        asked = self._loaded.settings.asked or "off"
        return TlsStatus(certificate.ends, certificate.names, asked, certificate.begins)

    # Life.

    def start(self) -> None:
        self._judge()
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    @asynccontextmanager
    async def changing(self, settings: TlsSettings) -> AsyncIterator[Callable[[], None]]:
        """Read what other settings name; they are `on`. Gives what puts all of it in force.

        That neither waits nor fails. Raises ConfigurationError if the files cannot be used.
        """
        async with self._looking:
            loaded = await self._read(settings)
            yield lambda: self._put_in_force(loaded)

    async def look(self) -> None:
        """Read the files again if they changed."""
        async with self._looking:
            with suppress(ConfigurationError):  # it was told
                self._put_in_force(await self._read(self._loaded.settings))
        self._judge()

    async def _read(self, settings: TlsSettings) -> _Loaded:
        """Raises ConfigurationError, and tells of it."""
        former = self._loaded
        content = await asyncio.to_thread(_content, settings.files)
        if content == former.content and settings == former.settings:
            return former
        try:
            return await asyncio.to_thread(_load, settings)
        except ConfigurationError as error:
            self.told.failed(error.problems)
            raise

    def _put_in_force(self, loaded: _Loaded) -> None:
        former, self._loaded = self._loaded, loaded
        if loaded is former:
            return
        self._age = ""
        self.told.loaded(self.certificate)
        self._judge()
        if loaded.context.admits != former.context.admits:
            self._others()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self.look()

    def _judge(self) -> None:
        """Say once of each certificate that it is due, and once that it has ended."""
        age = self.certificate.age(self._wall())
        if age not in {"good", self._age}:
            self.told.old(self.certificate, age)
        self._age = age


def _load(settings: TlsSettings) -> _Loaded:
    """Raises ConfigurationError; also if the files change while they are read."""
    before = _content(settings.files)
    context = settings.context(Context)
    context.admits = _admits(settings)
    loaded = _Loaded(settings, before, context, settings.certificate())
    if before == _UNREADABLE or _content(settings.files) != before:
        raise ConfigurationError(["tls: its files change just now"])
    return loaded


def _admits(settings: TlsSettings) -> bytes:
    clients = settings.client_ca_file
    return repr((settings.asked, clients and _content((clients,)))).encode()


def _content(files: tuple[Path, ...]) -> bytes:
    found = hashlib.sha256()
    try:
        for path in files:
            content = path.read_bytes()
            found.update(b"%d:" % len(content))
            found.update(content)
    except OSError:
        return _UNREADABLE
    return found.digest()
