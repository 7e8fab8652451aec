"""Loaded by a Python that finds it on its path: faults whose texts and variables hold a secret.

PROVOKE names the secret. On SIGUSR1 each kind happens once in the running process, on SIGUSR2 the
main thread dies. PROVOKE_EARLY lets reading the configuration file fail.
"""

import asyncio
import gc
import logging
import os
import pathlib
import signal
import sys
import threading
import traceback
import warnings
from types import FrameType, TracebackType
from typing import Any

SECRET = os.environ.get("PROVOKE", "")


class FaultError(Exception):
    """Its name is found in what is said of it."""


def fail(kind: str) -> None:
    local = f"Authorization: Bearer {SECRET}"
    raise type(kind.split(maxsplit=1)[0], (FaultError,), {})(f"{kind}: {local}")


class Dying:
    def __del__(self) -> None:
        fail("Destructor")

    def __repr__(self) -> str:
        return SECRET


async def forgotten() -> None:
    fail("ForgottenTask")


def in_the_loop() -> None:
    loop = asyncio.get_running_loop()
    loop.call_soon(fail, "Callback")
    loop.create_task(forgotten(), name=SECRET).add_done_callback(lambda _: gc.collect())
    loop.call_exception_handler({"message": "A message.\n" + SECRET, "secret": SECRET})


def provoke(_number: int, _frame: FrameType | None) -> None:
    threading.Thread(target=fail, args=("Thread",), name=SECRET).start()
    Dying()
    warnings.warn(SECRET, RuntimeWarning, stacklevel=1)
    logging.getLogger("aiohttp.server").error("Error handling %s", SECRET)
    try:
        fail("Logged")
    except FaultError:
        logging.getLogger("aiohttp.server").exception("Unhandled exception %r", SECRET)
    # A handler of a library's own that fails prints what it was given.
    broken = logging.StreamHandler(sys.stderr)
    broken.setFormatter(logging.Formatter("%(nothing)s"))
    loud = logging.getLogger("loud")
    loud.propagate = False
    loud.addHandler(broken)
    loud.error("%s", SECRET)
    proxy = sys.modules.get("gateway.web.proxy")
    if proxy is not None and "PROVOKE_CALLS" in os.environ:
        proxy.Proxy._forward = unhandled  # whatever breaks in there
    asyncio.get_running_loop().call_soon(in_the_loop)


async def unhandled(_proxy: Any, visit: Any, _call: Any) -> None:
    fail(f"Unhandled {visit.request.head!r}")


def die(*_: object) -> None:
    try:
        fail("FirstError")
    except FaultError:
        fail("DeathError")


def end(_number: int, _frame: FrameType | None) -> None:
    serving = sys.modules.get("gateway.wiring.gateway")
    if serving is None or asyncio.get_running_loop().__module__ != "uvloop":
        die()  # the parent of workers
    # uvloop keeps what a signal's handler raises; so the way to the end is what fails.
    serving.Gateway.begin_drain = die  # type: ignore[union-attr]  # as looked at above
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)


def with_locals(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """As tools show a traceback that are put into an image with good intentions."""
    shown = traceback.TracebackException(kind, error, trace, capture_locals=True)
    sys.stderr.writelines(shown.format())


def no_bytes(path: pathlib.Path) -> bytes:
    if path.suffix == ".yaml":
        fail("Early")
    return reading(path)


if SECRET:
    sys.excepthook = with_locals
    warnings.simplefilter("always")
    signal.signal(signal.SIGUSR1, provoke)
    signal.signal(signal.SIGUSR2, end)
    if "PROVOKE_EARLY" in os.environ:
        reading = pathlib.Path.read_bytes
        pathlib.Path.read_bytes = no_bytes  # type: ignore[method-assign,assignment]  # the fault
