"""A real redis-server of the test's own, on a free port, ended by its id."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEADLINE = 30.0
"""Seconds in which a server answers: the machine may be busy."""


def binary() -> str:
    """Where redis-server is. Skips the test without one, but for CI, where it must be."""
    found = shutil.which("redis-server")
    if found is None:
        reason = "redis-server is not installed: make test-deps"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """`options` are those of redis.conf. Nothing is kept on disk."""

    def __init__(self, directory: Path, *options: str, tls: bool = False) -> None:
        self.port = free_port()
        self._tls = tls
        ports = ["--port", "0", "--tls-port"] if tls else ["--port"]
        self._command = [
            *(binary(), *ports, str(self.port), "--bind", "127.0.0.1", "--dir", str(directory)),
            *("--save", "", "--appendonly", "no", *options),
        ]
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{'rediss' if self._tls else 'redis'}://localhost:{self.port}/0"

    def start(self) -> None:
        self._child = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + DEADLINE
        while not self._answers():
            assert self._child.poll() is None, f"redis-server ended with {self._child.returncode}"
            assert time.monotonic() < end, "redis-server does not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def command(self, *words: str) -> bytes:
        """Send one command on a connection of its own and give what comes first."""
        lines = [f"*{len(words)}", *(part for one in words for part in _bulk(one)), ""]
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as wire:
            wire.sendall("\r\n".join(lines).encode())
            return wire.recv(65536)

    def _answers(self) -> bool:
        try:
            if not self._tls:
                return self.command("PING")[:1] in {b"+", b"-"}
            socket.create_connection(("127.0.0.1", self.port), DEADLINE).close()
        except OSError:
            return False
        return True


def _bulk(word: str) -> tuple[str, str]:
    return f"${len(word.encode())}", word


@contextmanager
def redis_server(directory: Path, *options: str, tls: bool = False) -> Iterator[RedisServer]:
    server = RedisServer(directory, *options, tls=tls)
    try:
        server.start()
        yield server
    finally:
        server.kill()
