"""TLS on the proxy port, as a process: clients, files that change, workers."""

import asyncio
import json
import shutil
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509

from tests.stores.certificates import Authority, Issued
from tests.support.load import metric, session
from tests.support.needed import program
from tests.support.processes import Gateway, eventually, gateway, simulator

EXPIRES = "zoom_gateway_tls_certificate_expires_at_seconds"
SPIFFE = "spiffe://cluster.local/ns/reports/sa/nightly"
QUICK = {"ZOOM_GATEWAY_DRAIN__DELAY": "0", "ZOOM_GATEWAY_DRAIN__TIMEOUT": "10"}


class Mounted:
    """A directory as Kubernetes mounts a Secret: what changes is where a link leads."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        self._version = 0

    def put(self, pair: Issued, *, key: bytes | None = None) -> None:
        self._version += 1
        data = self._directory / f"..{self._version}"
        data.mkdir()
        shutil.copy(pair.certificate, data / "tls.crt")
        (data / "tls.key").write_bytes(pair.key.read_bytes() if key is None else key)
        link = self._directory / "..new"
        link.symlink_to(data.name)
        link.rename(self._directory / "..data")
        for name in ("tls.crt", "tls.key"):
            if not (self._directory / name).is_symlink():
                (self._directory / name).symlink_to(f"..data/{name}")

    def variables(self, ca: Authority) -> dict[str, str]:
        return {
            "ZOOM_GATEWAY_TLS__CERTIFICATE_FILE": str(self._directory / "tls.crt"),
            "ZOOM_GATEWAY_TLS__KEY_FILE": str(self._directory / "tls.key"),
            "ZOOM_GATEWAY_TLS__CLIENT_CA_FILE": str(ca.file),
        }


async def serial(gate: Gateway, context: ssl.SSLContext) -> str:
    """Of the certificate that a new connection is shown."""
    host, _, port = gate.url.removeprefix("http://").rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    found = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    assert isinstance(found, str)
    return found


async def status(gate: Gateway) -> dict[str, Any]:
    async with aiohttp.ClientSession() as client, client.get(f"{gate.admin}/status.json") as got:
        found: dict[str, Any] = await got.json()
        return found


@asynccontextmanager
async def served(
    tmp_path: Path, *options: str
) -> AsyncIterator[tuple[Gateway, Authority, Mounted, ssl.SSLContext]]:
    ca, mounted = Authority(tmp_path), Mounted(tmp_path / "mounted")
    mounted.put(ca.issue("localhost", "127.0.0.1"))
    own = {**mounted.variables(ca), **QUICK}
    async with simulator() as sim, gateway(sim, *options, **own) as gate:
        yield gate, ca, mounted, ca.context(ca.issue(SPIFFE))


async def run(*command: str, stdin: bytes = b"") -> tuple[int, str]:
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30):
        output, _ = await child.communicate(stdin)
    assert child.returncode is not None
    return child.returncode, output.decode(errors="replace")


async def test_clients_with_and_without_a_certificate(tmp_path: Path) -> None:
    async with served(tmp_path) as (gate, ca, _, context):
        url = gate.url.replace("http://", "https://")
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(connector=connector) as client:
            async with client.get(f"{url}/v2/users/me") as answer:
                assert answer.status == 200
            body = {"grant_type": "account_credentials"}
            async with client.post(f"{url}/oauth/token", data=body) as answer:
                assert (await answer.json())["api_url"] == url
        await eventually(lambda: len(gate.logged("call")) == 2, "lines of both calls")
        assert {line["caller_name"] for line in gate.logged("call")} == {SPIFFE}
        assert "over TLS" in gate.logged("started")[0]["message"]

        own = ca.issue("curl")
        curl = (program("curl"), "-sS", "--cacert", str(ca.file), f"{url}/v2/users/me")
        identity = ("--cert", str(own.certificate), "--key", str(own.key))
        code, output = await run(*curl, *identity)
        assert (code, "account_id" in output) == (0, True)
        code, output = await run(*curl)
        assert code
        assert "certificate required" in output
        code, output = await run(program("curl"), "-sS", f"{gate.url}/v2/users/me")
        assert json.loads(output)["message"].startswith("This port speaks HTTP over TLS")

        listener = (await status(gate))["listener"]
        assert listener["address"] == gate.url.removeprefix("http://")
        assert listener["tls"]["names"] == ["localhost", "127.0.0.1"]
        assert listener["tls"]["client_certificates"] == "required"
        async with session() as client:
            failures = await metric(client, gate.admin, "zoom_gateway_tls_handshake_failures_total")
            assert failures[""] == 2
        failed = {line["failure"]: line for line in gate.logged("tls_handshake_failed")}
        assert set(failed) == {"no_certificate", "plain_http"}
        assert failed["plain_http"]["caller"] == "127.0.0.1"
        # A certificate of a day that is half gone is not due yet.
        assert gate.logged("tls_certificate_old") == []


async def test_openssl_finds_nothing_weak(tmp_path: Path) -> None:
    async with served(tmp_path) as (gate, ca, _, _context):
        own = ca.issue("openssl")
        client = (
            *(program("openssl"), "s_client", "-connect", gate.url.removeprefix("http://")),
            *("-CAfile", str(ca.file), "-cert", str(own.certificate), "-key", str(own.key)),
        )
        _, output = await run(*client, "-tls1_2", "-alpn", "h2,http/1.1")
        assert "Compression: NONE" in output
        assert "ALPN protocol: http/1.1" in output
        assert "ECDHE" in output
        assert "session ticket" not in output
        weak = ("-tls1_2", "-cipher", "AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
        _, output = await run(*client, *weak)
        assert "handshake failure" in output
        _, output = await run(*client, "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
        assert "protocol version" in output
        _, output = await run(*client, "-tls1_2", stdin=b"R\n")
        assert "no renegotiation" in output


async def test_files_that_change_are_used_without_a_restart(tmp_path: Path) -> None:
    async with served(tmp_path) as (gate, ca, mounted, context):
        first = await serial(gate, context)
        connector = aiohttp.TCPConnector(ssl=context)
        url = gate.url.replace("http://", "https://")
        async with (
            aiohttp.ClientSession(connector=connector) as kept,
            session() as client,
        ):
            assert (await kept.get(f"{url}/v2/users/me")).status == 200
            new = ca.issue("127.0.0.1", "new.test")
            # Half of the pair: nobody notices but who reads the log.
            mounted.put(new, key=b"")
            await eventually(lambda: gate.logged("tls_reload_failed"), "a look at the files")
            assert str(tmp_path) in gate.logged("tls_reload_failed")[0]["problems"][0]
            assert await serial(gate, context) == first
            mounted.put(new)
            await eventually(lambda: gate.logged("tls_reloaded"), "another look")
            second = await serial(gate, context)
            assert second != first
            (line,) = gate.logged("tls_reloaded")
            assert line["names"] == ["new.test", "127.0.0.1"]
            counts = await metric(client, gate.admin, "zoom_gateway_tls_reloads_total")
            assert counts['{result="success"}'] == 1
            assert counts['{result="failure"}'] >= 1
            ends = await metric(
                client, gate.admin, "zoom_gateway_tls_certificate_expires_at_seconds"
            )
            assert ends[""] == _ends(new)
            assert (await kept.get(f"{url}/v2/users/me")).status == 200

            # A CA that is taken away, at once: nobody waits for the next look.
            trusting = ca.context()
            await replaced_ca(gate, ca, Authority(tmp_path, "next"), trusting)
            assert await calls(url, trusting)
            assert not await calls(url, context)
            with pytest.raises(aiohttp.ClientError):  # its connection was ended, and a new one is
                await kept.get(f"{url}/v2/users/me")


async def replaced_ca(
    gate: Gateway, old: Authority, new: Authority, trusting: ssl.SSLContext
) -> None:
    """Put the other in its place; `trusting` becomes a caller of the new one."""
    own = new.issue("caller")
    trusting.load_cert_chain(own.certificate, own.key)
    before = len(gate.logged("reloaded"))
    new.file.rename(old.file)
    gate.signal(signal.SIGHUP)
    await eventually(lambda: len(gate.logged("reloaded")) > before, "a reload")


async def calls(url: str, context: ssl.SSLContext) -> bool:
    """Whether a caller is let in on a new connection."""
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector) as client:
        try:
            async with client.get(f"{url}/v2/users/me") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


async def test_all_workers_use_the_new_files(tmp_path: Path) -> None:
    async with served(tmp_path, "--workers", "2") as (gate, ca, mounted, context):
        url = gate.url.replace("http://", "https://")
        assert "over TLS" in gate.logged("started")[0]["message"]
        assert all([await calls(url, context) for _ in range(6)])
        first = await serial(gate, context)
        trusting = ca.context()
        mounted.put(ca.issue("127.0.0.1", "new.test"))
        await replaced_ca(gate, ca, Authority(tmp_path, "next"), trusting)
        assert len(gate.logged("tls_reloaded")) == 2
        assert first not in {await serial(gate, trusting) for _ in range(12)}
        assert not any([await calls(url, context) for _ in range(12)])
        async with session() as client:
            counts = await metric(client, gate.admin, "zoom_gateway_tls_reloads_total")
            assert counts['{result="success"}'] == 2
            failures = await metric(client, gate.admin, "zoom_gateway_tls_handshake_failures_total")
            assert failures[""] >= 12
        gate.signal(signal.SIGTERM)
        assert await gate.ended() == 0
    assert gate.logged("defect") == []


async def test_tls_is_switched_on_by_a_restart_alone(tmp_path: Path) -> None:
    ca, mounted, file = (
        Authority(tmp_path),
        Mounted(tmp_path / "mounted"),
        tmp_path / "gateway.yaml",
    )
    mounted.put(ca.issue("127.0.0.1"))
    file.write_text("{}")
    async with simulator() as sim, gateway(sim, "--config", str(file), **QUICK) as gate:
        files = mounted.variables(ca)
        keys = {name.rpartition("__")[2].lower(): path for name, path in files.items()}
        file.write_text(json.dumps({"tls": keys}))
        gate.signal(signal.SIGHUP)
        await eventually(lambda: gate.logged("restart_needed"), "word of the restart")
        (line,) = gate.logged("restart_needed")
        assert line["changed"] == ["tls.certificate_file", "tls.key_file", "tls.client_ca_file"]
        async with session() as client, client.get(f"{gate.url}/v2/users/me") as answer:
            assert answer.status == 200


def _ends(issued: Issued) -> float:
    pem = issued.certificate.read_bytes()
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
