"""Runs `zoom-gateway check` as a process, and reads what it found."""

import asyncio
import contextlib
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

from tests.support.processes import DEADLINE, ROOT, environment

FAKES = Path(__file__).parent / "fake_names"

KEYS = {"code", "level", "about", "sentence", "advice", "details"}
"""Of each finding."""

HUNG = 3600
"""Seconds: a name that is never resolved."""


@dataclass(frozen=True)
class Checked:
    """What came of it. With `--json`, `stdout` is that alone."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def findings(self) -> list[dict[str, Any]]:
        found = json.loads(self.stdout)
        assert isinstance(found, list)
        for one in found:
            assert one.keys() == KEYS, one
            assert one["level"] in {"ok", "notice", "warning", "problem"}
            assert all(isinstance(one[key], str) for key in KEYS - {"details"})
            assert isinstance(one["details"], dict)
            # What needs attention comes with something to do about it.
            assert one["advice"] or one["level"] in {"ok", "notice"} or one["code"] in NO_ADVICE
        return found

    @property
    def codes(self) -> list[str]:
        return [one["code"] for one in self.findings]

    def all(self, code: str) -> list[dict[str, Any]]:
        return [one for one in self.findings if one["code"] == code]

    def one(self, code: str, about: str = "") -> dict[str, Any]:
        """The first finding of this code (on `about`)."""
        found = [one for one in self.all(code) if about in one["about"]]
        assert found, f"no {code} in:\n{self.stdout}\n{self.stderr}"
        return found[0]

    def lacks(self, *codes: str) -> bool:
        return not set(codes) & set(self.codes)


NO_ADVICE = {"configuration"}
"""Its sentences say what would be right."""


def faked(**names: Any) -> dict[str, str]:
    """Variables that make these names (`_` for `.`) stand for something else."""
    told = {name.replace("_", "."): what for name, what in names.items()}
    return {"PYTHONPATH": str(FAKES), "FAKE_NAMES": json.dumps(told)}


async def started(
    *arguments: str, variables: dict[str, str], stdin: int = asyncio.subprocess.DEVNULL
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "check", *arguments),
        env=environment(**variables),
        cwd=ROOT,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def result(child: asyncio.subprocess.Process, seconds: float = DEADLINE) -> Checked:
    try:
        async with asyncio.timeout(seconds):
            stdout, stderr = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        raise
    assert child.returncode is not None
    return Checked(child.returncode, stdout.decode(), stderr.decode())


async def check(*arguments: str, **variables: str) -> Checked:
    """With `--json`."""
    return await result(await started("--json", *arguments, variables=variables))


async def said(*arguments: str, **variables: str) -> Checked:
    """In words."""
    return await result(await started(*arguments, variables=variables))


def account(api: str, token: str | None = None, trusted: Sequence[str] = ()) -> dict[str, str]:
    """A complete configuration with Zoom at these origins, and free ports."""
    return {
        "ZOOM_GATEWAY_UPSTREAM__TRUSTED_HOSTS": json.dumps(trusted),
        "ZOOM_ACCOUNT_ID": "demo-account",
        "ZOOM_CLIENT_ID": "demo-client",
        "ZOOM_CLIENT_SECRET": "demo-secret",
        "ZOOM_GATEWAY_UPSTREAM__API_URL": api,
        "ZOOM_GATEWAY_UPSTREAM__TOKEN_URL": f"{token or api}/oauth/token",
        "ZOOM_GATEWAY_LISTEN__PORT": "0",
        "ZOOM_GATEWAY_ADMIN__PORT": "0",
    }


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server of the test's own; gives its port."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side has seen enough
        finally:
            writer.close()

    listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


def answering(
    status: str = "401 Unauthorized",
    body: str = '{"code":124,"message":"Invalid access token."}',
    kind: str = "application/json",
    date: float | None = 0.0,
) -> Serve:
    """One answer to every request; `date` is its clock's error in seconds, None: no such header."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        clock = "" if date is None else f"Date: {_http_date(date)}\r\n"
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{clock}"
        writer.write(
            f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
        )
        await writer.drain()

    return serve


def deciding(choose: Callable[[bytes], Serve]) -> Serve:
    """Answers as `choose` says, by the request's head."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        again = asyncio.StreamReader()
        again.feed_data(head)
        await choose(head)(again, writer)

    return serve


def _http_date(error: float) -> str:
    return formatdate(time.time() + error, usegmt=True)
