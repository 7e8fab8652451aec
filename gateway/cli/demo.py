"""`zoom-gateway demo`: simulator and gateway in one process."""

import asyncio
import os
import shlex
import sys
from pathlib import Path
from typing import Final

import click
from structlog.typing import FilteringBoundLogger

from gateway.cli.running import loop_factory, serve
from gateway.core.errors import ConfigurationError
from gateway.observe.logs import configure
from gateway.settings import Settings, load
from gateway.sim import SimConfig, Simulator

_NEXT: Final = """
  The gateway listens on http://{listen}, with a Zoom simulator behind it.
  Its state:             http://{admin}/

  Try, in another terminal:

{commands}

  Ctrl-C ends it.
"""

_COMMANDS: Final = (
    ("curl http://{listen}/v2/users", "no credentials needed"),
    ("curl -X POST {sim}/_sim/kill", "kill the token ..."),
    ("curl http://{listen}/v2/users", "... and nobody notices"),
    ("curl http://{admin}/metrics", ""),
    ("{program} status --url http://{admin}", ""),
    ("", ""),
    ("curl -X PUT {sim}/_sim/faults -d '{{\"refuse_all\": true}}'", ""),
    ("", "Zoom refuses every token: watch this log"),
    ("curl -X DELETE {sim}/_sim/faults", "all is well again"),
)
"""What to call, and what that does."""


def what_to_try(**places: str) -> str:
    """What the demo says of itself, in columns."""
    told = [(command.format(**places), note) for command, note in _COMMANDS]
    width = max(len(command) for command, note in told if note)
    lines = (f"    {command:<{width}}  {note}".rstrip() for command, note in told)
    return _NEXT.format(**places, commands="\n".join(lines))


_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  compared with, not bound
"""How one that listens on all addresses is reached from here."""


@click.command(help="Simulator and gateway together: no credentials, no network.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    envvar="ZOOM_GATEWAY_DEMO_HOST",
    help="The address that all three listen on.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--admin-port", type=click.IntRange(0, 65535), default=9090, show_default=True)
@click.option("--sim-port", type=click.IntRange(0, 65535), default=8081, show_default=True)
@click.option(
    "--mode", default="single", show_default=True, help="See `zoom-gateway simulate --help`."
)
def demo(host: str, port: int, admin_port: int, sim_port: int, mode: str) -> None:
    log = configure("console", "info")
    try:
        config = SimConfig(host=host, port=sim_port, mode=mode)
    except ValueError as problem:
        raise click.BadParameter(str(problem), param_hint="--mode") from None
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        raise SystemExit(runner.run(_run(config, port, admin_port, log)))


async def _run(config: SimConfig, port: int, admin_port: int, log: FilteringBoundLogger) -> int:
    simulator = Simulator(config)
    try:
        await simulator.start()
    except OSError as problem:
        raise click.ClickException(
            f"cannot listen on {config.host}:{config.port}: {problem.strerror}. "
            "Choose another port with --sim-port."
        ) from None
    try:
        settings = _settings(simulator.url, config.host, port, admin_port)

        def announce(listen: str, admin: str) -> None:
            click.echo(
                what_to_try(
                    listen=_reached(listen),
                    admin=_reached(admin),
                    sim=simulator.url,
                    program=called_as(sys.argv[0]),
                )
            )

        return await serve(settings, log, announce)
    finally:
        await simulator.stop()


def _reached(address: str) -> str:
    """Of a listener's `host:port`, the one to call it by."""
    host, _, port = address.rpartition(":")
    return f"{_WILDCARDS.get(host.strip('[]'), host)}:{port}"


def called_as(argv0: str) -> str:
    """Give the words that call this program in another terminal, where no PATH may lead to it.

    A path below the working directory is given relative to it.
    """
    if Path(argv0).name == "__main__.py":
        return f"{_from_here(sys.executable)} -m gateway"
    return _from_here(argv0)


def _from_here(path: str) -> str:
    # Links are not followed: a virtual environment's python is one, and is known by its place.
    absolute, here = Path(os.path.abspath(path)), Path.cwd()  # noqa: PTH100  resolve() follows
    # In a container one often is at the root, below which everything is.
    if not absolute.is_relative_to(here) or here == Path(here.anchor):
        return shlex.quote(str(absolute))
    near = str(absolute.relative_to(here))
    return shlex.quote(near if os.sep in near else os.path.join(os.curdir, near))  # noqa: PTH118  Path drops the dot


def _settings(sim_url: str, host: str, port: int, admin_port: int) -> Settings:
    """As config/demo.yaml; nothing of the environment, so that it works on any machine."""
    environ = {
        "ZOOM_ACCOUNT_ID": "demo-account",
        "ZOOM_CLIENT_ID": "demo-client",
        "ZOOM_CLIENT_SECRET": "demo-secret",
        "ZOOM_GATEWAY_UPSTREAM__API_URL": sim_url,
        "ZOOM_GATEWAY_UPSTREAM__TOKEN_URL": f"{sim_url}/oauth/token",
        "ZOOM_GATEWAY_LISTEN__HOST": host,
        "ZOOM_GATEWAY_LISTEN__PORT": str(port),
        "ZOOM_GATEWAY_ADMIN__HOST": host,
        "ZOOM_GATEWAY_ADMIN__PORT": str(admin_port),
    }
    try:
        return load(None, environ)
    except ConfigurationError as error:
        raise click.ClickException(f"host and ports do not go together: {error}") from None
