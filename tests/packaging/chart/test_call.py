"""What `helm test` runs, against servers that answer as a gateway does, or not."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from aiohttp import web

from tests.stores.certificates import Authority, Issued
from tests.support.helm import CHART
from tests.support.processes import DEADLINE

SCRIPT = (CHART / "files" / "call.py").read_text()
NAME = "gateway.zoom.svc"
OURS = "X-Zoom-Gateway-Error"

Outcome = tuple[int, str]


@asynccontextmanager
async def answering(
    status: int = 200,
    text: str = "{}",
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    """A server that always answers so; gives its URL."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    app = web.Application()
    app.router.add_get("/v2/users", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        port = runner.addresses[0][1]
        yield f"{'https' if context else 'http'}://127.0.0.1:{port}/v2/users?page_size=1"
    finally:
        await runner.cleanup()


async def call(*arguments: str) -> Outcome:
    """Run it as the pod does; its exit code and what it says."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SCRIPT, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(2 * DEADLINE):
        said, _ = await child.communicate()
    assert child.returncode is not None
    return child.returncode, said.decode()


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ({}, 0, "200, by Zoom"),
        ({"status": 404, "text": '{"code":1001}'}, 0, "404, by Zoom"),
        ({"status": 401, "text": '{"message":"does not contain scopes"}'}, 0, "401, by Zoom"),
        ({"status": 401, "text": '{"code":124}'}, 1, "401, by Zoom"),
        ({"status": 503, "headers": {OURS: "token_unavailable"}}, 1, "503, by the gateway: {}"),
        ({"status": 403, "headers": {OURS: "not_allowed"}}, 0, "not allowed, as the rules say"),
        ({"status": 403, "headers": {OURS: "host_refused"}}, 1, "403, by the gateway: {}"),
    ],
)
async def test_an_answer_of_zoom_s_is_good(answer: Any, code: int, words: str) -> None:
    async with answering(**answer) as url:
        found, said = await call(url)
    assert words in said
    assert found == code


async def test_nobody_there_is_bad() -> None:
    async with answering() as url:
        pass
    code, said = await call(url)
    assert code == 1
    assert "refused" in said.lower()


class Tls:
    """A CA, a server of `NAME`, and the directory that the pod mounts."""

    def __init__(self, directory: Path) -> None:
        self.files = directory / "mounted"
        self.files.mkdir()
        self.authority = Authority(directory)
        self.certificate = self.authority.issue(NAME)
        self.client = self.authority.issue("caller")

    def context(self, *, asks: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.certificate, self.certificate.key)
        if asks:
            context.load_verify_locations(self.authority.file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def mount(self, *, ca: bool = True, client: Issued | None = None) -> str:
        if ca:
            copy(self.authority.file, self.files / "ca.crt")
        if client:
            copy(client.certificate, self.files / "tls.crt")
            copy(client.key, self.files / "tls.key")
        return str(self.files)


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(tmp_path)


async def test_the_certificate_has_to_name_the_service_and_be_of_the_ca(tls: Tls) -> None:
    async with answering(context=tls.context()) as url:
        unknown = await call(url, NAME, "off", tls.mount(ca=False))
        good = await call(url, NAME, "off", tls.mount())
        other = await call(url, "other.example", "off", tls.mount())
    assert (good[0], unknown[0], other[0]) == (0, 1, 1)
    assert "200, by Zoom" in good[1]
    assert "its certificate cannot be verified: " in unknown[1]
    assert "its certificate cannot be verified: Hostname mismatch" in other[1]


async def test_a_client_certificate_is_shown(tls: Tls) -> None:
    async with answering(context=tls.context(asks=True)) as url:
        code, said = await call(url, NAME, "required", tls.mount(client=tls.client))
    assert (code, "200, by Zoom" in said) == (0, True)


async def test_without_one_no_call_gets_in_and_that_is_good(tls: Tls) -> None:
    async with answering(context=tls.context(asks=True)) as url:
        code, said = await call(url, NAME, "required", tls.mount())
    assert code == 0, said
    assert "asks for a client certificate, and takes no call without one." in said


async def test_a_gateway_that_takes_calls_without_one_is_bad(tls: Tls) -> None:
    async with answering(context=tls.context()) as url:
        code, said = await call(url, NAME, "required", tls.mount())
    assert code == 1
    assert "200, by Zoom, though no client certificate was shown" in said


async def test_a_gateway_that_asks_though_it_should_not_is_bad(tls: Tls) -> None:
    async with answering(context=tls.context(asks=True)) as url:
        code, said = await call(url, NAME, "off", tls.mount())
    assert code == 1, said


async def test_plain_http_where_tls_was_meant_is_bad(tls: Tls) -> None:
    async with answering() as url:
        code, said = await call(url.replace("http:", "https:"), NAME, "required", tls.mount())
    assert code == 1, said
