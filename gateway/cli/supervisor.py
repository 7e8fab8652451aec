"""`serve --workers N`: the parent of the workers. It serves nothing, and so has little to fail."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, NamedTuple

from structlog.typing import FilteringBoundLogger

from gateway import __version__
from gateway.cli import workers
from gateway.cli.basics import cannot_listen, refuse, unblock_hangup
from gateway.cli.private import NoPlaceError, PrivateDirectory
from gateway.cli.seat import Places, Seat
from gateway.core.errors import ConfigurationError
from gateway.observe.gateway_log import GatewayLog, WorkersLog
from gateway.observe.logs import configure
from gateway.observe.shared import forget
from gateway.settings import Settings
from gateway.settings.changes import applicable, changes

YOUNG: Final = 5.0
"""Seconds: a worker that dies younger than this is likely to die again."""

LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries."""

SPARE: Final = 10.0
"""Seconds that workers have for stopping, beside those of the settings."""

ANSWER: Final = 10.0
"""Seconds for the workers to say that they have read the configuration."""


def supervise(
    settings: Settings, log: FilteringBoundLogger, config: Path | None, count: int
) -> int:
    """Serve with `count` processes until a signal; give the exit code."""
    try:
        directory = PrivateDirectory(os.environ)
    except NoPlaceError as problem:
        print(
            f"zoom-gateway: no directory for what the workers share: {problem}. "
            "Set XDG_RUNTIME_DIR or TMPDIR to a directory that can be written to.",
            file=sys.stderr,
            flush=True,
        )
        return 1
    seats: list[Seat] = []
    places: Places | None = None
    try:
        workers.metrics_in(directory.path).mkdir()
        source = workers.Source(config, directory.path)
        settings = source.read()
        places = Places(settings)
        for number in range(1, count + 1):
            seats.append(Seat(number, places))
            seats[-1].listen()
        return asyncio.run(Supervisor(settings, log, source, directory, seats, places).run())
    except ConfigurationError as error:
        refuse(error, config)
    except OSError as problem:
        cannot_listen(problem)
        return 1
    finally:
        for seat in seats:
            seat.leave()
        if places is not None:
            places.close()
            places.remove()
        directory.remove()


def pause(early: int) -> float:
    """Seconds before a worker is started again that died young so often in a row."""
    return 0.0 if early < 2 else min(LONGEST_PAUSE, 2.0 ** (early - 2))  # noqa: PLR2004  once is bad luck


class Ended(NamedTuple):
    """How a worker ended, or why there was none."""

    pid: int = 0
    code: int = 1
    """As `subprocess` has it."""
    reason: str = ""
    """Why no process could be started."""


class Supervisor:
    """Keeps the seats taken, hands on what it is told, and ends when all have ended."""

    def __init__(
        self,
        settings: Settings,
        log: FilteringBoundLogger,
        source: workers.Source,
        directory: PrivateDirectory,
        seats: list[Seat],
        places: Places,
    ) -> None:
        self._settings = settings
        self._source = source
        self._directory = directory
        self._seats = seats
        self._places = places
        self._use(log)
        self._code = 0
        self._stopping = asyncio.Event()
        self._signals = 0
        self._reading = asyncio.Event()
        self._listening: set[int] = set()
        """The workers that listened at least once."""
        self._serving = asyncio.Event()
        """One of them did."""
        self._failed: dict[int, Ended] = {}
        """Those that ended before any listened."""
        self._to_answer: set[int] = set()
        self._answered = asyncio.Event()

    def _use(self, log: FilteringBoundLogger) -> None:
        self._log = GatewayLog(log)
        self._workers_log = WorkersLog(log)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._reading.set)
        unblock_hangup()
        reloading = asyncio.create_task(self._reload_when_told())
        try:
            async with asyncio.TaskGroup() as group:
                for seat in self._seats:
                    group.create_task(self._keep(seat))
        finally:
            reloading.cancel()
            for seat in self._seats:
                seat.kill()
        return self._code

    # A worker's life.

    async def _keep(self, seat: Seat) -> None:
        early = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            ended = await self._run(seat)
            forget(workers.metrics_in(self._directory.path), seat.number)
            self._answers(seat.number)
            if self._stopping.is_set():
                return
            early = early + 1 if time.monotonic() - began < YOUNG else 0
            wait = pause(early)
            given_up = self._fails(seat.number, ended)
            self._workers_log.died(
                seat.number, ended.pid, ended.code, ended.reason, None if given_up else wait
            )
            if given_up:
                return
            seat.step_away(wait)
            await self._unless_stopping(self._serving.wait())
            await self._unless_stopping(asyncio.sleep(wait))

    async def _run(self, seat: Seat) -> Ended:
        """One process, from its start to its end."""
        directory = self._directory
        try:
            seat.listen()
            pid = await seat.start(directory.path, directory.lock, self._source.copy)
        except OSError as problem:
            return Ended(reason=problem.strerror or type(problem).__name__)
        self._workers_log.started(seat.number, pid)
        if self._stopping.is_set():
            seat.kill()
        hearing = asyncio.create_task(self._hear(seat))
        try:
            return Ended(pid, await seat.ended())
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])

    async def _hear(self, seat: Seat) -> None:
        assert seat.reader is not None  # noqa: S101  told to the type checker
        with contextlib.suppress(ConnectionError):
            async for line in seat.reader:
                if line.strip() == workers.LISTENING:
                    self._listens(seat)
                elif line.strip() == workers.RELOADED:
                    self._answers(seat.number)

    def _listens(self, seat: Seat) -> None:
        seat.serving = True
        self._serving.set()
        if len(self._listening) == len(self._seats) or self._stopping.is_set():
            return
        self._listening.add(seat.number)
        if len(self._listening) == len(self._seats):
            settings = self._settings
            self._log.started(
                __version__,
                *seat.addresses,
                settings.store.url.partition(":")[0],
                list(settings.accounts),
                settings.upstream.shown_proxy(os.environ),
                tls=settings.tls.on,
            )

    def _fails(self, number: int, ended: Ended) -> bool:
        """None of the workers came as far as to listen: it would not help to try again."""
        if self._serving.is_set():
            return False
        self._failed[number] = ended
        if len(self._failed) < len(self._seats):
            return False
        self._code = 128 - ended.code if ended.code < 0 else ended.code or 1
        self._stopping.set()
        return True

    async def _unless_stopping(self, waiting: Coroutine[Any, Any, object]) -> None:
        tasks = [asyncio.ensure_future(one) for one in (waiting, self._stopping.wait())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    # Stopping.

    def _stop(self, number: signal.Signals) -> None:
        self._signals += 1
        if self._signals > 1:
            self._code = 128 + number
            for seat in self._seats:
                seat.kill()
            return
        self._stopping.set()
        self._places.close()
        for seat in self._seats:
            # Else what still comes would wait for a worker that does not accept any more.
            seat.leave()
            seat.tell(workers.STOP + b" " + number.name.encode())
            seat.dismiss()
        drain = self._settings.drain
        asyncio.get_running_loop().call_later(
            drain.delay + drain.timeout + SPARE, self._lose_patience
        )

    def _lose_patience(self) -> None:
        for seat in self._seats:
            pid = seat.process.pid if seat.process else 0
            if seat.kill():
                self._workers_log.killed(seat.number, pid)

    # Another configuration.

    async def _reload_when_told(self) -> None:
        while True:
            await self._reading.wait()
            self._reading.clear()
            if self._stopping.is_set():
                return
            try:
                await self._reload()
            except ConfigurationError as error:
                self._log.reload_failed(error.problems)
            except Exception as problem:  # noqa: BLE001  the next time must not be in vain
                self._log.defect(problem)

    async def _reload(self) -> None:
        former = self._settings
        settings = await asyncio.to_thread(self._source.read)
        found = changes(former, settings)
        self._settings = applicable(former, settings)
        if former.log != settings.log:
            self._use(configure(settings.log.format, settings.log.level))
        self._answered.clear()
        self._to_answer = {seat.number for seat in self._seats if seat.process}
        for seat in self._seats:
            seat.tell(workers.RELOAD)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER):
                await self._answered.wait()
        self._log.reloaded(found.applied)
        if found.ignored:
            self._log.restart_needed(found.ignored)

    def _answers(self, number: int) -> None:
        self._to_answer.discard(number)
        if not self._to_answer:
            self._answered.set()
