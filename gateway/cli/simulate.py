"""`zoom-gateway simulate`: the Zoom simulator alone."""

import asyncio
import signal
from typing import Any

import click

from gateway.sim import SimConfig, parse_mode, run


def _mode(ctx: click.Context, param: click.Parameter, value: str) -> str:
    del ctx, param
    try:
        parse_mode(value)
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from None
    return value


@click.command(
    help="Run the Zoom simulator alone. Credentials: demo-account, demo-client, demo-secret."
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8081, show_default=True, help="0: a free one."
)
@click.option(
    "--mode",
    default="single",
    show_default=True,
    callback=_mode,
    help="Which tokens live: single, max:N (per slot), app-max:N (index ignored) or multi.",
)
@click.option(
    "--token-life", type=click.FloatRange(0.1), default=3599, show_default=True, help="Seconds."
)
@click.option(
    "--max-index", type=click.IntRange(0), default=9, show_default=True, help="Highest token index."
)
@click.option(
    "--rate-plan",
    type=click.Choice(["free", "pro", "business"]),
    default=None,
    help="Enforce its limits.",
)
@click.option(
    "--compress", type=click.Choice(["gzip", "deflate"]), default=None, help="Compress answers."
)
def simulate(**options: Any) -> None:
    config = SimConfig(**options)
    try:
        asyncio.run(_run(config))
    except OSError as problem:
        raise click.ClickException(
            f"cannot listen on {config.host}:{config.port}: {problem.strerror}. "
            "Choose another with --port."
        ) from None


async def _run(config: SimConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await run(config, stop=stop, announce=click.echo)
