"""Memory: of the idle gateway, of idle connections, and while much streams through."""

import contextlib
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.support import configs
from benchmarks.support.machine import Running, cores, forget_peak, peak, running
from benchmarks.support.results import Results
from benchmarks.support.stage import Change, Serving, Stage, gateway

Tell = Callable[[str], None]

LIBRARIES: Final = "aiohttp, uvloop, structlog, prometheus_client"
CONNECTIONS: Final = 1000
PIECES: Final = 4
"""What streams through comes in so many calls, as a body of 256 MiB is still kept on the disk."""
PIECE: Final = 1 << 28
BUFFER: Final = 1 << 18
SETTLED: Final = 30.0
"""Seconds after which memory that still grows is taken as it is."""


def memory(found: Results, stage: Stage, _: float, rounds: int, tell: Tell) -> None:
    """Each round with gateways of its own."""
    files = stage.folder / "files"
    files.mkdir()
    with (files / "piece").open("wb") as file:
        file.truncate(PIECE)  # it takes no room on the disk
    programs = (
        (sys.executable, "-c", f"import {LIBRARIES}, time; print('imported'); time.sleep(3600)"),
        (sys.executable, "-m", "tests.support.plain_api"),
    )
    with (
        running(programs[0], cores().proxy) as libraries,
        running(programs[1], cores().load) as api,
    ):
        libraries.says("(imported)")
        takes = api.says(r"(http://[\d.:]+)\s")
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}")
            with gateway(stage, f"memory-{number}", _settings(stage.url)) as served:
                _idle(found, libraries.memory().rss, served.process)
                found.note(**{"connections memory": _connected(served)})
            with gateway(stage, f"memory-{number}", _settings(stage.url)) as served:
                found.note(**{"download growth": _growth(served, _download)})
            with gateway(stage, f"memory-{number}", _settings(takes)) as served:
                found.note(**{"upload growth": _growth(served, _upload)})


def _settings(api: str) -> Change:
    def change(config: dict[str, Any]) -> None:
        config["access"]["default"] = "allow"  # the files are no operations of Zoom's
        config["limits"] = {"connections": CONNECTIONS + 100}
        config["upstream"]["api_url"] = api

    return change


def _idle(found: Results, libraries: float, process: Running) -> None:
    found.note(**{"idle memory": process.memory().rss - libraries, "libraries rss": libraries})


def connect(served: Serving) -> socket.socket:
    parts = urlsplit(served.url)
    assert parts.hostname
    assert parts.port
    sock = socket.create_connection((parts.hostname, parts.port), 20)
    sock.settimeout(60)
    return sock


def head(method: str, target: str, length: int = 0) -> bytes:
    fields = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Content-Length: {length}"]
    fields += [f"{name}: {text}" for name, text in configs.CALLER.items()]
    return "\r\n".join([*fields, "", ""]).encode()


def answer(sock: socket.socket) -> int:
    """Take an answer that tells its length; give the bytes of its body."""
    got = b""
    while b"\r\n\r\n" not in got:
        data = sock.recv(BUFFER)
        if not data:
            raise RuntimeError(f"the connection ended: {got!r}")
        got += data
    said, _, body = got.partition(b"\r\n\r\n")
    if not said.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"not answered well: {said!r}")
    length = int(said.lower().partition(b"content-length:")[2].split()[0])
    left, buffer = length - len(body), bytearray(BUFFER)
    while left:
        read = sock.recv_into(buffer)
        if not read:
            raise RuntimeError(f"{left} bytes of the answer did not come")
        left -= read
    return length


def _connected(served: Serving) -> float:
    """What so many connections take, each idle after a call, in MiB for 1,000."""
    call = head("GET", configs.CALL)
    with contextlib.ExitStack() as stack:

        def one() -> None:
            sock = stack.enter_context(connect(served))
            sock.sendall(call)
            answer(sock)

        one()
        before = served.process.memory().rss
        for _ in range(CONNECTIONS):
            one()
        return (settled(served.process) - before) * 1000 / CONNECTIONS


def settled(process: Running) -> float:
    """Resident memory when it grows no more."""
    end = time.monotonic() + SETTLED
    last, now = 0.0, process.memory().rss
    while now > last * 1.002 and time.monotonic() < end:
        time.sleep(0.5)
        last, now = now, process.memory().rss
    return now


def _growth(served: Serving, stream: Callable[[socket.socket], None]) -> float:
    """How far memory rises above what it was after some calls, at any moment."""
    with connect(served) as sock:
        for _ in range(100):
            sock.sendall(head("GET", configs.CALL))
            answer(sock)
        forget_peak(served.process.pid)
        before = peak(served.process.pid)
        for _ in range(PIECES):
            stream(sock)
        return peak(served.process.pid) - before


def _download(sock: socket.socket) -> None:
    sock.sendall(head("GET", "/files/piece"))
    if answer(sock) != PIECE:
        raise RuntimeError("another length than the file's")


def _upload(sock: socket.socket) -> None:
    sock.sendall(head("POST", "/v2/users", PIECE))
    buffer = bytes(BUFFER)
    for _ in range(PIECE // BUFFER):
        sock.sendall(buffer)
    answer(sock)
