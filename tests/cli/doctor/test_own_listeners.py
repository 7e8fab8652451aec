"""What `check` says of the proxy port's TLS and of a Unix socket."""

import datetime as dt
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.doctor.bench import check
from tests.stores.certificates import Authority, Issued
from tests.support.processes import Process, credentials, environment, simulator


@pytest.fixture
async def sim() -> AsyncIterator[str]:
    async with simulator() as url:
        yield url


def tls(issued: Issued, **more: Path | str) -> dict[str, str]:
    files = {"certificate_file": issued.certificate, "key_file": issued.key, **more}
    issued.key.chmod(0o600)
    return {f"ZOOM_GATEWAY_TLS__{name.upper()}": str(text) for name, text in files.items()}


async def test_a_good_certificate_and_required_ones(sim: str, tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    own = tls(ca.issue("gateway.test", days=(-1, 89)), client_ca_file=ca.file)
    found = await check(**credentials(sim), **own, ZOOM_GATEWAY_LISTEN__HOST="0.0.0.0")
    good = found.one("certificate_ok")
    assert good["details"]["names"] == ["gateway.test"]
    assert dt.datetime.fromisoformat(good["details"]["expires_at"]) > dt.datetime.now(dt.UTC)
    assert "required, and must come from ca" in found.one("client_ca_ok")["sentence"]
    # Who reaches it must show who it is.
    assert found.all("listens_everywhere") == []
    assert found.exit_code == 0


async def test_what_ought_to_be_renewed(sim: str, tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    for days, code, exit_code in (
        ((-89, 1), "certificate_due", 1),
        ((-3, -1), "certificate_expired", 1),
        ((1, 3), "certificate_not_yet_valid", 1),
    ):
        found = await check(**credentials(sim), **tls(ca.issue("gateway.test", days=days)))
        assert found.one(code)["about"] == "tls.certificate_file"
        assert found.exit_code == exit_code


async def test_what_lets_nobody_in(sim: str, tmp_path: Path) -> None:
    ca, ended = Authority(tmp_path), Authority(tmp_path, "ended", days=(-3, -1))
    own = tls(ca.issue("gateway.test", named=False), client_ca_file=ended.file)
    found = await check(**credentials(sim), **own)
    assert found.one("certificate_without_names")["about"] == "tls.certificate_file"
    assert "the CA ended has ended" in found.one("client_ca_expired")["sentence"]
    assert found.exit_code == 1


async def test_names_that_the_gateway_does_not_answer_to(sim: str, tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    for name, refused in (
        ("gateway.test", []),
        ("zoom-gateway.zoom.svc", []),
        ("spiffe://cluster.local/ns/zoom/sa/gateway", []),
        ("zoom.example.com", ["zoom.example.com"]),
        ("*.example.com", ["*.example.com"]),
    ):
        own = tls(ca.issue(name))
        found = await check(**credentials(sim), **own)
        assert [one["details"]["names"] for one in found.all("certificate_name_refused")] == [
            *([refused] if refused else [])
        ]
        listed = await check(
            **credentials(sim), **own, ZOOM_GATEWAY_ACCESS__HOSTS='["*.example.com"]'
        )
        assert listed.lacks("certificate_name_refused")


async def test_a_key_that_others_read_and_an_optional_certificate(sim: str, tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    issued = ca.issue("gateway.test")
    own = tls(issued, client_ca_file=ca.file, client_certificates="optional")
    issued.key.chmod(0o644)
    found = await check(**credentials(sim), **own, ZOOM_GATEWAY_LISTEN__HOST="0.0.0.0")
    assert "tls.key_file" in found.one("file_exposed")["sentence"]
    assert found.one("listens_everywhere")["level"] == "warning"
    assert "optional" in found.one("client_ca_ok")["sentence"]


async def test_a_unix_socket(sim: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("s") / "p.sock"
    variables = {**credentials(sim), "ZOOM_GATEWAY_LISTEN__SOCKET": str(path)}
    found = await check(**variables)
    assert found.one("listener_free", "listen.socket")["details"] == {"address": f"unix:{path}"}
    assert found.exit_code == 0

    gate = await Process.start("serve", env=environment(**variables))
    try:
        await gate.wait_for_line('"event":"started"', 90)
        found = await check(**variables)
        assert found.one("listener_is_gateway", "listen.socket")
    finally:
        await gate.kill()

    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        found = await check(**variables)
    assert found.one("listener_taken", "listen.socket")["level"] == "problem"
    path.unlink()
    path.write_text("precious")
    found = await check(**variables)
    assert "no socket" in found.one("listener_impossible", "listen.socket")["sentence"]
    assert path.read_text() == "precious"


async def test_a_unix_socket_that_others_could_replace_or_use(
    sim: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("s")
    directory.chmod(0o777)
    variables = {
        **credentials(sim),
        "ZOOM_GATEWAY_LISTEN__SOCKET": str(directory / "p.sock"),
        "ZOOM_GATEWAY_LISTEN__SOCKET_MODE": "0666",
    }
    found = await check(**variables)
    assert [one["level"] for one in found.all("socket_exposed")] == ["warning", "warning"]
    missing = {**variables, "ZOOM_GATEWAY_LISTEN__SOCKET": str(directory / "missing" / "p.sock")}
    found = await check(**missing)
    assert "does not exist" in found.one("listener_impossible")["sentence"]
    assert found.exit_code == 1
