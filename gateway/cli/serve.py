"""`zoom-gateway serve`: the gateway."""

import os
from pathlib import Path
from typing import Final, NoReturn

from gateway.cli import cores
from gateway.cli.basics import block_hangup, load_or_exit, refuse, spare_what_stays
from gateway.cli.descriptors import raise_limit
from gateway.cli.workers import Assignment, shared
from gateway.core.errors import ConfigurationError
from gateway.settings import Settings, load

LENIENT: Final = "AIOHTTP_NO_EXTENSIONS"
"""aiohttp's variable that takes its strict parser away."""


def serve(config: Path | None, workers: int) -> NoReturn:
    """Run the gateway; end with its exit code."""
    block_hangup()
    cores.leave_none()
    raise_limit()
    assignment = Assignment.taken(os.environ)
    # Set for another program's metrics: ours are counted in memory, or where the parent says.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    if assignment is not None:
        raise SystemExit(_work(config, assignment))
    settings = load_or_exit(config)
    spare_what_stays()
    # Imported only now: a configuration with problems is told of at once. The log's module comes
    # before all else that imports structlog.
    from gateway.observe.logs import configure  # noqa: PLC0415

    if os.environ.get(LENIENT):  # also before there are workers to find that out
        _demand_the_parser(config)
    log = configure(settings.log.format, settings.log.level)
    if workers > 1:
        from gateway.cli.supervisor import supervise  # noqa: PLC0415

        raise SystemExit(supervise(settings, log, config, workers))
    _demand_the_parser(config)
    from gateway.cli.running import run  # noqa: PLC0415

    raise SystemExit(run(settings, log, lambda: load(config, os.environ)))


def _demand_the_parser(config: Path | None) -> None:
    """Leave with 2 where calls could only be parsed leniently."""
    # Not at the top: a parent of workers has no other use for aiohttp.
    from gateway.web.parser import weakness  # noqa: PLC0415

    if (problem := weakness()) is not None:
        refuse(ConfigurationError([problem]), config)


def _work(config: Path | None, assignment: Assignment) -> int:
    def read() -> Settings:
        return shared(load(config, os.environ), Path(assignment.directory))

    settings = shared(load_or_exit(config), Path(assignment.directory))
    spare_what_stays()
    # In this order, as above: the log's module comes before all else that imports structlog.
    from gateway.observe.logs import configure  # noqa: PLC0415

    log = configure(settings.log.format, settings.log.level)
    _demand_the_parser(config)
    from gateway.cli.running import run_worker  # noqa: PLC0415

    return run_worker(settings, log, read, assignment)
