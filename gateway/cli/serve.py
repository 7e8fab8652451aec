"""`zoom-gateway serve`: the gateway."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from gateway.cli import apart, cores
from gateway.cli.basics import block_hangup, refuse, spare_what_stays, start_without_collector
from gateway.cli.descriptors import raise_limit
from gateway.core.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.cli.workers import Assignment
    from gateway.settings import Settings

LENIENT: Final = "AIOHTTP_NO_EXTENSIONS"
"""aiohttp's variable that takes its strict parser away."""


def serve(config: Path | None, workers: int) -> NoReturn:
    """Run the gateway; end with its exit code."""
    start_without_collector()
    block_hangup()
    cores.leave_none()
    raise_limit()
    # Set for another program's metrics: ours are counted in memory, or where the parent says.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    wait = apart.begin(config)
    # Imported only now, while another process reads. The log's module comes before all else that
    # imports structlog.
    from gateway.observe.logs import configure  # noqa: I001, PLC0415
    from gateway.cli.workers import Assignment  # noqa: PLC0415

    assignment = Assignment.taken(os.environ)
    if assignment is not None:
        raise SystemExit(_work(config, assignment, wait))
    if workers > 1:
        settings = _settings(config, wait)
        if os.environ.get(LENIENT):  # before there are workers to find that out
            _demand_the_parser(config)
        log = configure(settings.log.format, settings.log.level)
        from gateway.cli.supervisor import supervise  # noqa: PLC0415

        spare_what_stays()
        raise SystemExit(supervise(settings, log, config, workers))
    from gateway.cli.running import run  # noqa: PLC0415

    settings = _settings(config, wait)
    _demand_the_parser(config)
    log = configure(settings.log.format, settings.log.level)
    raise SystemExit(run(settings, log, lambda: apart.read(config)))


def _settings(config: Path | None, wait: "Callable[[], Settings]") -> "Settings":
    """On problems all of them are printed, and the exit code is 2; it is 1 after a defect."""
    try:
        return wait()
    except apart.DefectError:
        raise SystemExit(1) from None
    except ConfigurationError as error:
        refuse(error, config)


def _demand_the_parser(config: Path | None) -> None:
    """Leave with 2 where calls could only be parsed leniently."""
    # Not at the top: a parent of workers has no other use for aiohttp.
    from gateway.web.parser import weakness  # noqa: PLC0415

    if (problem := weakness()) is not None:
        refuse(ConfigurationError([problem]), config)


def _work(config: Path | None, assignment: "Assignment", wait: "Callable[[], Settings]") -> int:
    from gateway.cli.running import run_worker  # noqa: PLC0415
    from gateway.cli.workers import shared  # noqa: PLC0415

    directory = Path(assignment.directory)
    settings = shared(_settings(config, wait), directory)
    _demand_the_parser(config)
    from gateway.observe.logs import configure  # noqa: PLC0415

    log = configure(settings.log.format, settings.log.level)
    return run_worker(settings, log, lambda: shared(apart.read(config), directory), assignment)
