"""A worker's place: the sockets that outlive it, and the process that has it now."""

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Final

from gateway.cli.basics import ourselves
from gateway.cli.workers import VARIABLE, Assignment
from gateway.settings import Settings
from gateway.web import sockets
from gateway.web.unix_sockets import UnixSocket

_NO_CALLERS: Final = 2.0
"""Seconds: while a worker stays away longer, its callers are sent to the others."""


class Places:
    """Where all workers listen: the first socket decides about port 0."""

    def __init__(self, settings: Settings) -> None:
        """Raises OSError, with the address in `filename`, if somebody listens there already."""
        self.listen = (settings.listen.host, settings.listen.port)
        self.admin = (settings.admin.host, settings.admin.port)
        self.unix: UnixSocket | None = None
        """A Unix socket is one for all: workers accept from it in turn."""
        path = settings.listen.socket
        with contextlib.ExitStack() as tried:
            # Without sharing: two gateways on one port would each get half of the calls. And both
            # at once: so would the proxy and the admin pages.
            for address in (*(() if path else (self.listen,)), self.admin):
                tried.callback(sockets.close, sockets.listen(*address))
        if path is not None:
            self.unix = UnixSocket(path, settings.listen.mode)

    def close(self) -> None:
        """Take no call any more but those that workers accept."""
        if self.unix is not None:
            self.unix.listening.close()

    def remove(self) -> None:
        """Leave nothing behind."""
        if self.unix is not None:
            self.unix.remove()


class Seat:
    """One of the workers, by its number from 1. Made anew, its process has the same sockets.

    They belong to the parent: the connections that wait for a worker that died wait for the
    next.
    """

    def __init__(self, number: int, places: Places) -> None:
        self.number = number
        self._places = places
        self._sockets: list[list[socket.socket]] = []
        self.addresses = ("", "")
        """Of the proxy and the admin listener, `host:port`; of the former perhaps `unix:/path`."""
        self.process: asyncio.subprocess.Process | None = None
        self.serving = False
        """The process takes calls."""
        self.reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    def listen(self) -> None:
        """Have the sockets. Raises OSError, with the address in `filename`."""
        if self._sockets:
            return
        places = self._places
        if places.unix is not None:
            listen = [places.unix.listening.dup()]
        else:
            listen = sockets.listen(*places.listen, sharing=True)
            places.listen = (places.listen[0], sockets.bound(listen)[1])
        self._sockets = [listen]
        admin = sockets.listen(*places.admin, sharing=True)
        self._sockets = [listen, admin]
        places.admin = (places.admin[0], sockets.bound(admin)[1])
        self.addresses = (sockets.named(listen), sockets.named(admin))

    def leave(self) -> None:
        """Take no connection any more but those that the process accepts."""
        for one in self._sockets:
            sockets.close(one)
        self._sockets = []

    def step_away(self, seconds: float) -> None:
        if seconds >= _NO_CALLERS:
            self.leave()

    async def start(self, directory: Path, lock: int, config: Path | None) -> int:
        """Start a process; give its id. Raises OSError."""
        ours, theirs = socket.socketpair()
        listen, admin = ([one.fileno() for one in group] for group in self._sockets)
        assignment = Assignment(self.number, listen, admin, theirs.fileno(), lock, str(directory))
        try:
            self.process = await asyncio.create_subprocess_exec(
                *ourselves(),
                "gateway",
                "serve",
                *(("--config", str(config)) if config else ()),
                env={**os.environ, VARIABLE: assignment.encode()},
                pass_fds=assignment.descriptors,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.serving = False
        self.reader, self._writer = await asyncio.open_connection(sock=ours)
        return self.process.pid

    def tell(self, order: bytes) -> None:
        """Nothing, if there is nobody to tell."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(order + b"\n")

    async def ended(self) -> int:
        """Wait for the process; give its exit code, as `subprocess` has it."""
        process, writer = self.process, self._writer
        assert process is not None  # noqa: S101  told to the type checker
        assert writer is not None  # noqa: S101  as well
        code = await process.wait()
        writer.close()
        self.process = self.reader = self._writer = None
        return code

    def dismiss(self) -> None:
        """End a process that takes no calls yet, wherever it is in its start."""
        if not self.serving and self.process is not None and self.process.returncode is None:
            self.process.terminate()

    def kill(self) -> bool:
        """End it at once. False: there was none."""
        if self.process is None or self.process.returncode is not None:
            return False
        self.process.kill()
        return True
