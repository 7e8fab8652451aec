"""Real Redis servers and Sentinels of the test's own, on free ports, ended by their ids."""

import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.stores.redis_options import RedisOptions
from tests.support.needed import program

DEADLINE = 30.0
"""Seconds in which a server answers: the machine may be busy."""

STARTS = 5
"""Attempts to start: a free port may be taken before the server has it."""

MASTER = "primary"
"""The name by which the Sentinels know the primary."""


def binary(name: str = "redis-server") -> str:
    """Where the server is. Skips the test without it, but for CI, where it must be."""
    return program(name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """`options` are those of redis.conf. Nothing is kept on disk.

    With `tls`, the client's context, all connections are under TLS. `program` is another server
    that takes the same options.
    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
        program: str | None = None,
    ) -> None:
        self.port = 0
        self.password = password
        self._tls = tls
        self._directory = directory
        self._program = program or binary()
        secret = () if password is None else ("--requirepass", password, "--masterauth", password)
        self._options = (*secret, *options)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        user = "" if self.password is None else f":{self.password}@"
        return f"{'rediss' if self._tls else 'redis'}://{user}localhost:{self.port}/0"

    @property
    def options(self) -> RedisOptions:
        """How a store connects."""
        tls = self._tls
        return RedisOptions(
            nodes=(("localhost", self.port),),
            password=lambda: self.password,
            tls=None if tls is None else lambda: tls,
        )

    def start(self) -> None:
        """Start; again on the same port."""
        again = self.port != 0
        for _ in range(STARTS):
            self.port = self.port or free_port()
            self._child = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL)
            if self._came_up(self._child):
                return
            self.kill()
            self.port = self.port if again else 0
        pytest.fail(f"{self._program} does not start in {self._directory}")

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def pause(self) -> None:
        """Let it hang: it keeps its connections and answers nothing."""
        assert self._child is not None
        self._child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._child is not None
        self._child.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> bytes:
        """Send one command on a connection of its own and give what comes first."""
        with self._connect() as wire:
            if self.password is not None:
                wire.sendall(_packed("AUTH", self.password))
                assert wire.recv(65536) == b"+OK\r\n"
            wire.sendall(_packed(*words))
            return wire.recv(65536)

    def _command(self) -> list[str]:
        ports = ["--port", "0", "--tls-port"] if self._tls else ["--port"]
        return [
            *(self._program, *ports, str(self.port), "--bind", "127.0.0.1"),
            *("--dir", str(self._directory), "--save", "", "--appendonly", "no"),
            *("--repl-diskless-sync-delay", "0", *self._options),
        ]

    def _connect(self) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.port), DEADLINE)
        if self._tls is None:
            return plain
        return self._tls.wrap_socket(plain, server_hostname="localhost")

    def _came_up(self, child: "subprocess.Popen[bytes]") -> bool:
        """Whether it is this child that answers: a lost port race ends the child."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and child.poll() is None:
            if self._is(child.pid):
                return True
            time.sleep(0.01)
        return False

    def _is(self, process: int) -> bool:
        try:
            return f"process_id:{process}\r".encode() in self.command("INFO", "server")
        except (OSError, AssertionError):
            return False


class Sentinel(RedisServer):
    """A Sentinel that knows `primary`, decides alone, and does so soon."""

    def __init__(
        self, directory: Path, primary: RedisServer, *options: str, password: str | None = None
    ) -> None:
        super().__init__(directory, *options, tls=primary._tls)
        self.password = password
        self._primary = primary

    @staticmethod
    def options_of(port: int) -> RedisOptions:
        """How a store finds the primary by a Sentinel at this port."""
        return RedisOptions(nodes=(("127.0.0.1", port),), sentinel_master=MASTER)

    @property
    def options(self) -> RedisOptions:
        return replace(
            self.options_of(self.port),
            password=lambda: self._primary.password,
            sentinel_password=lambda: self.password,
            tls=super().options.tls,
        )

    def _command(self) -> list[str]:
        lines = [
            f"port {0 if self._tls else self.port}",
            *([f"tls-port {self.port}"] if self._tls else []),
            *(
                f"{name.removeprefix('--')} {value}"
                for name, value in zip(self._options[::2], self._options[1::2], strict=True)
            ),
            "bind 127.0.0.1",
            f"dir {self._directory}",
            *([] if self.password is None else [f"requirepass {self.password}"]),
            f"sentinel monitor {MASTER} 127.0.0.1 {self._primary.port} 1",
            f"sentinel down-after-milliseconds {MASTER} 500",
            f"sentinel failover-timeout {MASTER} 3000",
        ]
        if self._primary.password is not None:
            lines.append(f"sentinel auth-pass {MASTER} {self._primary.password}")
        # A file of its own for every start: a Sentinel writes into it what it learned.
        with tempfile.NamedTemporaryFile("w", dir=self._directory, delete=False) as file:
            file.write("\n".join([*lines, ""]))
        return [self._program, file.name, "--sentinel"]


def _packed(*words: str) -> bytes:
    lines = [f"*{len(words)}", *(part for one in words for part in _bulk(one)), ""]
    return "\r\n".join(lines).encode()


def _bulk(word: str) -> tuple[str, str]:
    return f"${len(word.encode())}", word


@contextmanager
def running(*servers: RedisServer) -> Iterator[None]:
    """Start them in this order; end them all, whatever happened."""
    try:
        for server in servers:
            server.start()
        yield
    finally:
        for server in servers:
            server.kill()


@contextmanager
def redis_server(
    directory: Path,
    *options: str,
    password: str | None = None,
    tls: ssl.SSLContext | None = None,
    program: str | None = None,
) -> Iterator[RedisServer]:
    server = RedisServer(directory, *options, password=password, tls=tls, program=program)
    with running(server):
        yield server
