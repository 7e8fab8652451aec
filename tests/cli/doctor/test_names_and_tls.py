"""The way to Zoom: names, families, TLS, an answer, its clock; with servers of the test's own."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.cli.doctor.bench import HUNG, Checked, account, answering, check, faked, said, server
from tests.settings.certificates import make_ca
from tests.stores.certificates import Authority
from tests.support.processes import credentials, simulator
from tests.support.redis_server import free_port
from tests.zoom.name_server import name_server

NAMES = ("api.zoom.us", "zoom.us")
HERE = {"api_zoom_us": ["127.0.0.1"], "zoom_us": ["127.0.0.1"]}
GOOD = (-1.0, 90.0)


@contextlib.asynccontextmanager
async def zoom(
    directory: Path, *names: str, days: tuple[float, float] = GOOD, trusted: bool = True
) -> AsyncIterator[dict[str, str]]:
    """Zoom's hosts on this machine, under TLS; gives the variables for them."""
    authority = Authority(directory, "Corp Inspection CA")
    issued = authority.issue(*(names or NAMES), days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    async with server(answering(), context) as port:
        variables = account(f"https://api.zoom.us:{port}", f"https://zoom.us:{port}")
        trust = {"SSL_CERT_FILE": str(authority.file)} if trusted else {}
        yield {**variables, **faked(**HERE), **trust}


def api(found: Checked, code: str) -> dict[str, Any]:
    """The finding about the API."""
    return found.one(code, "upstream.api_url")


async def test_a_handshake_that_works(tmp_path: Path) -> None:
    async with zoom(tmp_path) as variables:
        found = await check(**variables)
    tls = api(found, "tls_ok")
    assert tls["details"]["version"] in {"TLSv1.2", "TLSv1.3"}
    assert tls["details"]["issuer"] == "Corp Inspection CA"
    assert tls["details"]["names"] == list(NAMES)
    assert 89 < tls["details"]["days_left"] <= 90
    assert tls["details"]["time_ms"] >= 0
    assert api(found, "reached")["details"]["status"] == 401
    assert found.one("tls_ok", "upstream.token_url")
    assert found.exit_code == 1  # for the address alone
    assert {one["code"] for one in found.findings if one["level"] == "warning"} == {"dns_private"}


async def test_zooms_name_that_stands_for_this_machine(tmp_path: Path) -> None:
    async with zoom(tmp_path) as variables:
        found = await check(**variables)
    private = api(found, "dns_private")
    assert "127.0.0.1" in private["sentence"]
    assert "hosts file" in private["advice"]
    assert api(found, "dns_ok")["details"]["families"] == ["IPv4"]


@pytest.mark.parametrize(
    ("days", "code", "words"),
    [
        ((-9.0, -2.0), "tls_expired", "ended 2.0 days ago"),
        ((3.0, 9.0), "tls_not_yet_valid", "begins in 3.0 days"),
    ],
)
async def test_a_certificate_outside_its_time(
    tmp_path: Path, days: tuple[float, float], code: str, words: str
) -> None:
    async with zoom(tmp_path, days=days) as variables:
        found = await check(**variables)
    assert words in str(api(found, code)["sentence"])
    assert "clock" in str(api(found, code)["advice"])
    assert found.exit_code == 1
    assert found.lacks("reached", "tls_ok")


async def test_a_certificate_that_ends_soon(tmp_path: Path) -> None:
    async with zoom(tmp_path, days=(-9.0, 5.0)) as variables:
        found = await check(**variables)
    soon = api(found, "tls_expires_soon")
    assert (soon["level"], found.one("reached")["level"]) == ("warning", "ok")
    assert "good for 5 days" in soon["sentence"]


async def test_a_certificate_of_another_host(tmp_path: Path) -> None:
    async with zoom(tmp_path, "portal.example") as variables:
        found = await check(**variables)
    assert "is for portal.example, not for api.zoom.us" in str(
        api(found, "tls_wrong_host")["sentence"]
    )


async def test_a_proxy_that_inspects_tls(tmp_path: Path) -> None:
    async with zoom(tmp_path, trusted=False) as variables:
        found = await check(**variables)
        words = await said(**variables)
    seen = api(found, "tls_intercepted")
    assert "issued by Corp Inspection CA" in seen["sentence"]
    assert "a proxy inspects TLS" in seen["sentence"]
    assert "SSL_CERT_FILE" in seen["advice"]
    assert seen["details"]["issuer"] == "Corp Inspection CA"
    assert "issued by Corp Inspection CA" in words.stdout
    assert "Traceback" not in words.stdout + words.stderr


async def test_a_relay_with_an_authority_that_is_not_known(tmp_path: Path) -> None:
    async with zoom(tmp_path, "relay.test", trusted=False) as variables:
        port = variables["ZOOM_GATEWAY_UPSTREAM__API_URL"].rpartition(":")[2]
        there = account(f"https://relay.test:{port}", trusted=["relay.test"])
        found = await check(**there, **faked(relay_test=["127.0.0.1"]))
    assert "issued by Corp Inspection CA" in api(found, "tls_untrusted")["sentence"]
    assert found.lacks("dns_private")


async def test_a_certificate_that_signs_itself(tmp_path: Path) -> None:
    make_ca(tmp_path / "own.pem", tmp_path / "own.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem", tmp_path / "own.key")
    async with server(answering(), context) as port:
        found = await check(
            **account(f"https://relay.test:{port}", trusted=["relay.test"]),
            **faked(relay_test=["127.0.0.1"]),
        )
    assert "signed by itself" in api(found, "tls_self_signed")["sentence"]


async def test_a_port_without_tls() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with server(plain) as port:
        found = await check(**account(f"https://localhost:{port}"))
    assert "speaks no TLS" in api(found, "tls_failed")["sentence"]


async def test_nobody_listens() -> None:
    async with server(answering()) as port:
        pass
    found = await check(**account(f"http://127.0.0.1:{port}"))
    failed = api(found, "connection_failed")
    assert "Connection refused" in failed["sentence"]
    assert failed["details"]["port"] == port


async def test_a_port_that_never_finishes_its_handshake() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    async with server(silent) as port:
        variables = account(f"https://localhost:{port}")
        found = await check(**variables, ZOOM_GATEWAY_UPSTREAM__CONNECT_TIMEOUT="0.5")
    said = api(found, "tls_failed")
    assert "takes connections, but its TLS is not ready within 0.5 s" in said["sentence"]
    assert "firewall" in said["advice"]
    assert found.lacks("connection_failed")


async def test_packets_that_are_dropped() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first:
        first.connect(full.getsockname())
        port = full.getsockname()[1]
        variables = account(f"https://127.0.0.1:{port}")
        found = await check(**variables, ZOOM_GATEWAY_UPSTREAM__CONNECT_TIMEOUT="0.5")
    assert "no connection within 0.5 s" in api(found, "connection_failed")["sentence"]
    assert "drops packets" in api(found, "connection_failed")["advice"]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("EAI_NONAME", "dns_unknown", "no such name"),
        ("EAI_AGAIN", "dns_no_answer", "No name server answers"),
    ],
)
async def test_a_name_that_is_not_resolved(error: str, code: str, words: str) -> None:
    variables = account("https://api.zoom.us", "https://zoom.us")
    found = await check(**variables, **faked(api_zoom_us=error, zoom_us=error))
    assert words in str(api(found, code)["sentence"])
    assert "resolv.conf" in str(api(found, code)["advice"])
    assert len(found.all(code)) == 2
    assert found.lacks("connection_failed", "reached")


async def test_a_slip_in_a_hosts_name() -> None:
    variables = account("https://api.zooom.test", trusted=["*.zooom.test"])
    found = await check(**variables, **faked(api_zooom_test="EAI_NONAME"))
    assert "Check upstream.api_url for a slip" in api(found, "dns_unknown")["advice"]


async def test_a_name_server_that_is_slow() -> None:
    async with simulator() as sim:
        port = sim.rpartition(":")[2]
        variables = account(f"http://localhost:{port}")
        found = await check(**variables, **faked(localhost=1.2))
    slow = api(found, "dns_slow")
    assert slow["details"]["time_ms"] >= 1200
    assert api(found, "reached")


async def test_a_name_server_that_hangs() -> None:
    async with simulator() as sim:
        port = sim.rpartition(":")[2]
        found = await check(**account(f"http://localhost:{port}", sim), **faked(localhost=HUNG))
    assert "was not resolved within 5 s" in api(found, "dns_timeout")["sentence"]
    assert found.one("reached", "token_url")


async def test_the_deadline_of_all_checks() -> None:
    async with simulator() as sim:
        port = sim.rpartition(":")[2]
        variables = {**account(f"http://localhost:{port}", sim), **faked(localhost=HUNG)}
        found = await check("--timeout", "2", **variables)
    assert "within 2 s" in found.one("unfinished", "Zoom's API")["sentence"]
    assert found.exit_code == 1


async def test_a_family_that_leads_nowhere() -> None:
    async with simulator() as sim:
        port = sim.rpartition(":")[2]
        both = faked(localhost=["::1", "127.0.0.1"])
        found = await check(**account(f"http://localhost:{port}"), **both)
    broken = api(found, "family_unreachable")
    assert broken["details"] == {"host": "localhost", "family": "IPv6", "address": "::1"}
    assert api(found, "reached")
    assert found.exit_code == 0


async def test_an_answer_that_is_not_zooms() -> None:
    page = answering("403 Forbidden", "<html>blocked</html>", "text/html")
    async with server(page) as port:
        found = await check(**account(f"http://127.0.0.1:{port}"))
    strange = api(found, "answer_strange")
    assert "a web page, status 403" in strange["sentence"]
    assert found.one("reached", "token_url")


async def test_no_answer_at_all() -> None:
    async def hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with server(hang_up) as port:
        found = await check("--mint", **account(f"http://127.0.0.1:{port}"))
    assert api(found, "unreachable")["level"] == "problem"
    assert "not reached" in found.one("mint_skipped")["sentence"]


async def test_a_clock_that_agrees() -> None:
    async with simulator() as sim:
        found = await check(**credentials(sim))
    right = api(found, "clock_ok")
    assert abs(right["details"]["skew_ms"]) < 10_000
    assert right["details"]["tolerance_ms"] >= 1000


@pytest.mark.parametrize(("error", "words"), [(-300.0, "300 s ahead of"), (90.0, "90 s behind")])
async def test_a_clock_that_is_wrong(error: float, words: str) -> None:
    async with server(answering(date=error)) as port:
        found = await check(**account(f"http://127.0.0.1:{port}"))
    skewed = api(found, "clock_skewed")
    number = int(words.partition(" ")[0])
    assert abs(abs(skewed["details"]["skew_ms"]) / 1000 - number) < 5
    assert words.partition("s ")[2] in skewed["sentence"]
    assert "NTP" in skewed["advice"]
    assert found.exit_code == 1


async def test_an_answer_that_tells_no_time() -> None:
    async with server(answering(date=None)) as port:
        found = await check(**account(f"http://127.0.0.1:{port}"))
    assert api(found, "clock_unknown")["level"] == "notice"
    assert found.exit_code == 0


async def test_a_date_without_a_zone_is_utc() -> None:
    date = formatdate()
    assert date.endswith("-0000")
    head = f"HTTP/1.1 401 Unauthorized\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode())
        await writer.drain()

    async with server(serve) as port:
        found = await check(**account(f"http://127.0.0.1:{port}"), TZ="America/New_York")
    assert api(found, "clock_ok")


async def test_addresses_that_are_given_ask_nobody(tmp_path: Path) -> None:
    async with zoom(tmp_path) as variables:
        port = variables["ZOOM_GATEWAY_UPSTREAM__API_URL"].rpartition(":")[2]
        places = {"api.zoom.us": f"127.0.0.1:{port}", "zoom.us": f"127.0.0.1:{port}"}
        urls = {
            "ZOOM_GATEWAY_UPSTREAM__API_URL": "https://api.zoom.us",
            "ZOOM_GATEWAY_UPSTREAM__TOKEN_URL": "https://zoom.us/oauth/token",
            "ZOOM_GATEWAY_UPSTREAM__ADDRESSES": json.dumps(places),
        }
        # The names stand for somebody else here.
        names = faked(api_zoom_us=["192.0.2.1"], zoom_us=["192.0.2.1"])
        found = await check(**{**variables, **urls, **names})
    resolved = api(found, "dns_ok")
    assert resolved["sentence"] == "api.zoom.us is 127.0.0.1, as upstream.addresses says."
    assert resolved["details"]["source"] == "upstream.addresses"
    assert api(found, "tls_ok")
    assert api(found, "reached")
    assert found.lacks("dns_private")


async def test_name_servers_that_are_given(tmp_path: Path) -> None:
    records = {("api.zoom.us", "A"): ["127.0.0.1"], ("zoom.us", "A"): ["127.0.0.1"]}
    async with zoom(tmp_path) as variables, name_server(records) as server_of_names:
        given = {"ZOOM_GATEWAY_UPSTREAM__NAMESERVERS": json.dumps([server_of_names.place])}
        names = faked(api_zoom_us=["192.0.2.1"], zoom_us=["192.0.2.1"])
        found = await check(**{**variables, **names, **given})
    assert "the answer of upstream.nameservers took" in api(found, "dns_ok")["sentence"]
    assert api(found, "reached")
    dead = {"ZOOM_GATEWAY_UPSTREAM__NAMESERVERS": json.dumps([f"127.0.0.1:{free_port()}"])}
    async with zoom(tmp_path) as variables:
        found = await check(**variables, **dead)
    assert "Check the name servers in upstream.nameservers" in api(found, "dns_no_answer")["advice"]


async def test_a_way_to_zoom_that_leads_back(tmp_path: Path) -> None:
    port = free_port()
    async with zoom(tmp_path) as variables:
        found = await check(
            **{
                **variables,
                "ZOOM_GATEWAY_LISTEN__HOST": "127.0.0.1",
                "ZOOM_GATEWAY_LISTEN__PORT": str(port),
                "ZOOM_GATEWAY_UPSTREAM__API_URL": f"https://api.zoom.us:{port}",
            }
        )
    loop = api(found, "upstream_loop")
    assert loop["level"] == "problem"
    assert "api.zoom.us stands for 127.0.0.1 here, where the gateway itself" in loop["sentence"]
    assert "upstream.nameservers" in loop["advice"]
    assert found.one("reached", "upstream.token_url")
