"""Reading the configuration in a process of its own, which ends when it has.

What it takes to read and check one, pydantic and YAML, is more than half of what a gateway would
keep in memory for good, and it is needed for a moment. So a child reads, and a gateway has what it
gives: see `gateway.models`. Both are one program, and talk over a pipe that nobody else has: what
is pickled here are classes of our own, with their secrets.
"""

import gc
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from gateway import models
from gateway.cli.basics import ourselves
from gateway.core.errors import ConfigurationError
from gateway.core.secret import Secret
from gateway.observe import uncaught

if TYPE_CHECKING:
    from gateway.settings import Settings

_OURS: Final = ("gateway.models", "gateway.settings")
"""Modules that are others where a configuration is read."""


_DEFECT: Final = 1
"""The exit code of who read, after an error that is not the configuration's."""

_BOTH: Final = (
    *("decimal", "difflib", "fractions", "importlib.metadata", "inspect", "ssl"),
    *("typing_extensions", "urllib.parse", "uuid"),
    *("gateway.core.caller_match", "gateway.core.egress", "gateway.core.limits"),
    *("gateway.core.policy", "gateway.core.routes", "gateway.core.token_rights"),
    "gateway.core.zoom_hosts",
)
"""What who reads and who serves both import: done once, before there are two. What only one of
them needs, each imports by itself, at the same time where there are two cores."""


class DefectError(Exception):
    """Who read met an error that nobody expected, and has told of it."""


def begin(config: Path | None) -> "Callable[[], Settings]":
    """Begin to read, and give what waits for the settings.

    That raises ConfigurationError, and DefectError.
    From now on, this process only holds what others have read.
    """
    if not hasattr(os, "fork"):
        return lambda: _settings(config)
    for name in _BOTH:
        import_module(name)
    models.hold_only()
    try:
        return _forked(config)
    except OSError:  # no process is to be had: it takes memory then, and serves
        models.check_too()
        return lambda: _settings(config)


def read(config: Path | None) -> "Settings":
    """The settings, as `gateway.settings.load` gives them with the environment.

    Raises ConfigurationError; also where there can be no other process.
    """
    if not hasattr(os, "fork"):
        return _settings(config)
    try:
        # Only a process that runs nothing else can be doubled; another one is started anew.
        return _forked(config)() if threading.active_count() == 1 else _spawned(config)
    except DefectError:
        reason = "reading the configuration met an error of the gateway's own: see its lines above"
        raise ConfigurationError([reason]) from None
    except OSError as problem:
        reason = f"no process can be started to read the configuration: {problem.strerror}"
        raise ConfigurationError([reason]) from None


def _forked(config: Path | None) -> "Callable[[], Settings]":
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        _answer_and_end(config, theirs)
    os.close(theirs)

    def wait() -> "Settings":
        with open(ours, "rb") as pipe:  # noqa: PTH123  a descriptor
            answer = pipe.read()
        return _taken(answer, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    return wait


def _answer_and_end(config: Path | None, pipe: int) -> NoReturn:
    """In the child, which has the parent's modules and shares its streams."""
    code = _DEFECT
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # its parent tells of it
        gc.disable()  # it ends before that would pay
        models.check_too()
        for name in [name for name in sys.modules if name.startswith(_OURS)]:
            del sys.modules[name]
        with open(pipe, "wb") as file:
            file.write(_answer(config))
        code = 0
    except Exception:  # noqa: BLE001  it must not go on as its parent would
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _spawned(config: Path | None) -> "Settings":
    command = (*ourselves(), __name__, *((str(config),) if config else ()))
    done = subprocess.run(  # noqa: S603  as the line above says
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        process_group=0,  # what a whole group is told is not for it
        check=False,
    )
    return _taken(done.stdout, done.returncode)


def _answer(config: Path | None) -> bytes:
    """What the child has to say."""
    try:
        return _Pickler.dumps(_settings(config))
    except ConfigurationError as error:
        return pickle.dumps(error.problems)


def _settings(config: Path | None) -> "Settings":
    from gateway.settings.loader import load  # noqa: PLC0415  here alone is a configuration read

    return load(config, os.environ)


def _taken(answer: bytes, code: int) -> "Settings":
    if code == _DEFECT:
        raise DefectError
    if code or not answer:
        raise ConfigurationError([f"the process that reads the configuration ended with {code}"])
    found = _Unpickler(io.BytesIO(answer)).load()
    if isinstance(found, list):
        raise ConfigurationError(found)
    settings: Settings = found
    return settings


class _Pickler(pickle.Pickler):
    """Secrets refuse to be pickled, as nobody knows where that leads: here it is known."""

    @classmethod
    def dumps(cls, value: object) -> bytes:
        file = io.BytesIO()
        cls(file, pickle.HIGHEST_PROTOCOL).dump(value)
        return file.getvalue()

    def persistent_id(self, value: object) -> object:
        from gateway.settings.store_urls import SecretUrl  # noqa: PLC0415  see `_OURS`

        if isinstance(value, Secret | SecretUrl):
            return type(value).__name__, value.reveal()
        return None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, known: Any) -> "Secret | str":
        from gateway.settings.store_urls import SecretUrl  # noqa: PLC0415  see `_OURS`

        kind, value = known
        return SecretUrl.hide(value) if kind == SecretUrl.__name__ else Secret(value)


if __name__ == "__main__":
    uncaught.install()
    sys.stdout.buffer.write(_answer(Path(sys.argv[1]) if sys.argv[1:] else None))
