"""A gateway as a process: event loop, signals, drain."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import click
from structlog.typing import FilteringBoundLogger

from gateway.settings import Settings
from gateway.wiring import Gateway

Announce = Callable[[str, str], None]
"""Told the addresses of the proxy and the admin listener."""


def run(settings: Settings, log: FilteringBoundLogger) -> int:
    """Serve until a signal; give the exit code."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(serve(settings, log))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where there is one."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415

    return uvloop.new_event_loop


class Signals:
    """SIGTERM and SIGINT: the first asks to stop, a second ends the process at once."""

    def __init__(self) -> None:
        self.received = asyncio.Event()
        self.name = ""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._receive, number)

    def _receive(self, number: signal.Signals) -> None:
        if self.name:
            # Not sys.exit: nothing that still waits may hold it up.
            os._exit(128 + number)
        self.name = number.name
        self.received.set()


async def serve(
    settings: Settings, log: FilteringBoundLogger, announce: Announce | None = None
) -> int:
    """Start, wait for a signal, drain. The exit code: 0, or 1 if it could not listen."""
    gateway = Gateway(settings, log)
    signals = Signals()
    try:
        listen, admin = await gateway.start()
    except OSError as problem:
        click.echo(
            f"zoom-gateway: cannot listen on {problem.filename}: {problem.strerror}. "
            "Change listen.host, listen.port, admin.host or admin.port.",
            err=True,
        )
        return 1
    if announce is not None:
        announce(listen, admin)
    await signals.received.wait()
    gateway.begin_drain(signals.name)
    if signals.name == "SIGTERM":
        await asyncio.sleep(settings.drain.delay)
    cut = await gateway.stop(settings.drain.timeout)
    gateway.log.stopped(cut)
    return 0
