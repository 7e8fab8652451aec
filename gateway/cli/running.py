"""A gateway as a process: event loop, signals, reload, drain."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from structlog.typing import FilteringBoundLogger

from gateway.cli import workers
from gateway.cli.basics import cannot_listen, cannot_start, spare_what_stays, unblock_hangup
from gateway.cli.workers import Assignment
from gateway.core.errors import ConfigurationError
from gateway.observe.logs import configure, flush
from gateway.settings import Settings
from gateway.settings.changes import Changes
from gateway.wiring import Gateway, Worker

Announce = Callable[[str, str], None]
"""Told the addresses of the proxy and the admin listener."""

Reread = Callable[[], Settings]
"""Reads the configuration again. Raises ConfigurationError."""

Reload = Callable[[], Coroutine[Any, Any, None]]


def run(settings: Settings, log: FilteringBoundLogger, reread: Reread) -> int:
    """Serve until a signal; give the exit code."""
    spare_what_stays()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(serve(settings, log, reread=reread))


def run_worker(
    settings: Settings, log: FilteringBoundLogger, reread: Reread, assignment: Assignment
) -> int:
    """Serve until the parent says otherwise, or ends; give the exit code."""
    spare_what_stays()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_serve_as_worker(settings, log, reread, assignment))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where there is one."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415

    return uvloop.new_event_loop


class Orders:
    """What the process was told: to stop, and to read its configuration again."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.reading = asyncio.Event()
        self.name = ""
        """Of the signal that ended it."""

    def stop(self, name: str) -> None:
        self.name = self.name or name
        self.stopping.set()

    def heed_signals(self, *, reload: bool) -> None:
        """SIGTERM and SIGINT: the first asks to stop, a second ends the process at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_or_end, number)
        if reload:
            loop.add_signal_handler(signal.SIGHUP, self.reading.set)
            unblock_hangup()

    def _stop_or_end(self, number: signal.Signals) -> None:
        if self.name:
            # Not sys.exit: nothing that still waits may hold it up.
            flush()
            os._exit(128 + number)
        self.stop(number.name)


async def serve(
    settings: Settings,
    log: FilteringBoundLogger,
    announce: Announce | None = None,
    reread: Reread | None = None,
) -> int:
    """Start, wait for a signal, drain. The exit code: 0, 1 if it could not listen, or 2
    if the way to Zoom leads back here.
    """
    orders = Orders()
    orders.heed_signals(reload=reread is not None)
    gateway = Gateway(settings, log)
    try:
        listen, admin = await gateway.start()
    except OSError as problem:
        cannot_listen(problem)
        return 1
    except ConfigurationError as error:
        cannot_start(error)
        return 2
    if announce is not None:
        announce(listen, admin)

    async def reload() -> None:
        found = await _reload(gateway, reread) if reread else None
        if found is not None:
            gateway.log.reloaded(found.applied)
            if found.ignored:
                gateway.log.restart_needed(found.ignored)

    await _live(gateway, orders, reload)
    return 0


async def _serve_as_worker(
    settings: Settings, log: FilteringBoundLogger, reread: Reread, assignment: Assignment
) -> int:
    orders = Orders()
    _heed_no_signal_but_term(orders)
    gateway = Gateway(settings, log, Worker(assignment.number, assignment.metrics))
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=assignment.channel))
    obeying = asyncio.create_task(_obey(reader, orders))
    try:
        await gateway.serve(workers.adopt(assignment.listen), workers.adopt(assignment.admin))
    except ConfigurationError as error:
        if assignment.number == 1:  # the others would say the same
            cannot_start(error)
        obeying.cancel()
        writer.close()
        await gateway.stop(0.0)
        return 2
    writer.write(workers.LISTENING + b"\n")

    async def reload() -> None:
        try:
            await _reload(gateway, reread)
        finally:
            writer.write(workers.RELOADED + b"\n")

    await _live(gateway, orders, reload)
    obeying.cancel()
    writer.close()
    return 0


def _heed_no_signal_but_term(orders: Orders) -> None:
    """Ctrl-C and the like reach a whole group of processes: what they mean is the parent's to say.

    A service manager may send SIGTERM to all of them, and the parent says the same once more.
    """
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, orders.stop, signal.SIGTERM.name)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


async def _obey(reader: asyncio.StreamReader, orders: Orders) -> None:
    try:
        async for line in reader:
            order, _, detail = line.strip().partition(b" ")
            if order == workers.STOP:
                orders.stop(detail.decode())
            elif order == workers.RELOAD:
                orders.reading.set()
    except ConnectionError:
        pass
    orders.stop("the end of the parent process")


async def _live(gateway: Gateway, orders: Orders, reload: Reload) -> None:
    """Until told to stop; then drain."""
    reloading = asyncio.create_task(_reload_when_told(gateway, orders, reload))
    await orders.stopping.wait()
    gateway.begin_drain(orders.name)
    reloading.cancel()
    await asyncio.wait([reloading])
    if orders.name == signal.SIGTERM.name:
        await asyncio.sleep(gateway.settings.drain.delay)
    cut = await gateway.stop(gateway.settings.drain.timeout)
    gateway.log.stopped(cut)


async def _reload_when_told(gateway: Gateway, orders: Orders, reload: Reload) -> None:
    while True:
        await orders.reading.wait()
        # Whoever asks while it is being read means what is there later.
        orders.reading.clear()
        try:
            await reload()
        except Exception as problem:  # noqa: BLE001  the next time must not be in vain
            gateway.log.defect(problem)


async def _reload(gateway: Gateway, reread: Reread) -> Changes | None:
    """Put the configuration in force as it is now. None: it cannot be used, which is logged."""
    try:
        settings = await asyncio.to_thread(reread)
        former = gateway.settings.log
        found = await gateway.reload(settings)
    except ConfigurationError as error:
        gateway.log.reload_failed(error.problems)
        return None
    if settings.log != former:
        gateway.log_to(configure(settings.log.format, settings.log.level))
    return found
