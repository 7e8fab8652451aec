import asyncio
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import RawTestServer, TestClient

from gateway.core.diagnosis import Chart
from gateway.core.status import Readiness, ReadinessGate, Replica, State, snapshot
from gateway.web.admin import TURN, AdminSite, AdminSources
from tests.observe.charts import (
    CANARY,
    NOW,
    WALL,
    fleet,
    healthy,
    held_off,
    tokenless,
    troubled,
    untried,
)

REPLICA = Replica("gw-<1>", "1.2.3", 42, NOW - 7500, fleet())
TOTALS = {"default": {"calls": 12345, "recovered": 7}}

Client = TestClient[Any, Any]


def sources(charts: dict[str, Chart], gate: ReadinessGate | None = None) -> AdminSources:
    gate = gate or ReadinessGate()

    def readiness() -> Readiness:
        return gate.look(charts, charts)

    return AdminSources(
        status=lambda: snapshot(charts, readiness(), REPLICA, NOW, WALL, TOTALS),
        readiness=readiness,
        metrics=lambda accept: lambda: (f"accept {accept}".encode(), "text/plain; version=0.0.4"),
    )


@pytest.fixture
def admin(aiohttp_client: Any) -> Callable[..., Any]:
    async def start(charts: dict[str, Chart], gate: ReadinessGate | None = None) -> Client:
        client: Client = await aiohttp_client(
            RawTestServer(AdminSite(sources(charts, gate)).answer)
        )
        return client

    return start


async def test_livez_asks_only_whether_the_process_runs(admin: Any) -> None:
    client = await admin({"default": tokenless()})
    response = await client.get("/livez")
    assert (response.status, await response.text()) == (200, "ok\n")


async def test_readyz_through_a_life(admin: Any) -> None:
    charts, gate = {"default": untried()}, ReadinessGate()
    client = await admin(charts, gate)
    first = await client.get("/readyz")
    assert first.status == 503
    assert (await first.json())["state"] == "unready"
    charts["default"] = healthy()
    then = await client.get("/readyz")
    assert (then.status, await then.json()) == (200, {"ready": True, "state": "ok", "reasons": []})
    charts["default"] = held_off()
    later = await client.get("/readyz")
    assert later.status == 200
    assert (await later.json())["reasons"][0].startswith("Zoom refuses a token it issued 2 s ago:")
    gate.drain()
    assert (await client.get("/readyz")).status == 503


async def test_metrics_are_asked_for_in_the_scrapers_format(admin: Any) -> None:
    client = await admin({"default": healthy()})
    response = await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4"
    assert await response.text() == "accept application/openmetrics-text"


async def test_status_json_is_the_snapshot(admin: Any) -> None:
    client = await admin({"default": healthy()})
    body = await (await client.get("/status.json")).json()
    assert body["state"] == "ok"
    assert body["accounts"][0]["totals"]["calls"] == 12345


async def test_calls_have_their_turn_while_many_accounts_are_written(aiohttp_client: Any) -> None:
    names = [f"account-{number}" for number in range(5 * TURN)]
    turns, seen = 0, []

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def history(name: str) -> dict[str, Any]:
        seen.append((name, turns))
        return {"pace": name}

    parts = replace(sources(dict.fromkeys(names, healthy())), history=history)
    client = await aiohttp_client(RawTestServer(AdminSite(parts).answer))
    busy = asyncio.create_task(other())
    body = await (await client.get("/status.json")).json()
    busy.cancel()
    assert [(one["name"], one["pace"]) for one in body["accounts"]] == [
        *zip(names, names, strict=True)
    ]
    assert [name for name, _ in seen] == names
    assert len({turn for _, turn in seen}) >= 5


async def test_calls_do_not_wait_while_metrics_are_written(aiohttp_client: Any) -> None:
    written, threads = threading.Event(), set()

    def write() -> tuple[bytes, str]:
        threads.add(threading.get_ident())
        assert written.wait(30)
        return b"done", "text/plain"

    parts = replace(sources({"default": healthy()}), metrics=lambda _: write)
    client = await aiohttp_client(RawTestServer(AdminSite(parts).answer))
    scrapes = [asyncio.create_task(client.get("/metrics")) for _ in range(3)]
    async with asyncio.timeout(30):
        while not threads:
            await asyncio.sleep(0.01)
    assert (await client.get("/livez")).status == 200
    assert not any(scrape.done() for scrape in scrapes)
    written.set()
    for scrape in scrapes:
        assert await (await scrape).text() == "done"
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_the_page_takes_the_quicker_look(aiohttp_client: Any) -> None:
    whole = sources({"default": healthy()})
    parts = replace(whole, status=dict, glance=whole.status)
    client = await aiohttp_client(RawTestServer(AdminSite(parts).answer))
    assert "All is well" in await (await client.get("/")).text()


PATHS = [
    *("/", "/livez", "/readyz", "/metrics", "/status.json", "/nothing"),
    *("/static/status.css", "/static/status.js", "/static/tree.js", "/static/icon.svg"),
]


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_is_guarded(admin: Any, path: str) -> None:
    response = await (await admin({"default": healthy()})).get(path)
    headers = response.headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    for kind in ("script-src", "connect-src", "img-src"):
        assert f"{kind} 'self';" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Server"] == "zoom-gateway"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", PATHS)
async def test_head_has_the_same_head_and_no_body(admin: Any, path: str) -> None:
    client = await admin({"default": healthy()})
    get, head = await client.get(path), await client.head(path)
    assert (head.status, await head.read()) == (get.status, b"")
    for name in ("Content-Type", "Content-Length"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_it_only_reads(admin: Any, method: str) -> None:
    response = await (await admin({"default": healthy()})).request(method, "/status.json")
    assert response.status == 405
    assert response.headers["Allow"] == "GET, HEAD"
    assert (await response.json())["code"] == 405


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/static/../admin.py", "/static/status.html", "/static/..%2Fadmin.py", "/static/"],
)
async def test_an_unknown_path(admin: Any, path: str) -> None:
    response = await (await admin({"default": healthy()})).get(path)
    assert (response.status, (await response.json())["code"]) == (404, 404)


async def test_a_page_that_fails_says_nothing_of_itself(
    aiohttp_client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> dict[str, Any]:
        raise LookupError(CANARY)

    readiness = Readiness(ready=True, state=State.OK, reasons=())
    made = AdminSite(AdminSources(fail, lambda: readiness, lambda _: lambda: (b"", "text/plain")))
    client = await aiohttp_client(RawTestServer(made.answer))
    with caplog.at_level(logging.ERROR):
        response = await client.get("/status.json")
    assert response.status == 500
    assert CANARY not in await response.text()
    assert [record.message for record in caplog.records] == ["An admin page failed"]


async def page(admin: Any, charts: dict[str, Chart]) -> str:
    response = await (await admin(charts)).get("/")
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    text = await response.text()
    assert isinstance(text, str)
    return text


async def test_the_page_of_a_healthy_gateway(admin: Any) -> None:
    text = await page(admin, {"default": healthy()})
    assert "All is well: calls get a token." in text
    assert 'aria-label="75 % of its life left"' in text
    assert "45 min of 1 h left, rotates in 15 min" in text
    assert '<rect class="mark" x="50.0"' in text
    assert "Token 2 is the newest: minted 15 min ago in slot default/1 (rotation), by gw-1" in text
    assert "12,345" in text
    assert "up for 2 h 5 min" in text
    assert "diagnosis" not in text


async def test_the_page_says_what_is_wrong_and_what_to_do(admin: Any) -> None:
    text = await page(admin, {"default": held_off(), "marketing": troubled()})
    assert "Account default: Zoom refuses a token it issued 2 s ago:" in text
    assert "rotate the client secret: that locks other minters out." in text
    assert "Refusals cause no mint for another 30 s." in text
    assert "117 of 120 mints left" in text
    assert "set aside" in text
    assert "Since <time" in text


async def test_the_page_shows_the_replicas(admin: Any) -> None:
    page = await (await (await admin({"default": healthy()})).get("/")).text()
    assert "2 replicas" in page
    assert "10.0.0.2:8080" in page
    assert "6 s ago" in page


async def test_the_page_without_a_token(admin: Any) -> None:
    text = await page(admin, {"default": tokenless()})
    assert "Not ready: There is no usable token" in text
    assert "no token, next try in 60 s" in text
    assert "What to do: </strong>Correct the credentials" in text
    assert "Since <time" in text


@pytest.mark.parametrize("chart", [healthy(), held_off(), troubled(), tokenless(), untried()])
async def test_no_token_shows_and_nothing_comes_from_elsewhere(admin: Any, chart: Chart) -> None:
    text = await page(admin, {"default": chart})
    assert CANARY not in text
    # Addresses stand in advice alone, and what is loaded is ours.
    assert set(re.findall(r"https?://[^ \"<]*", text)) <= {"https://status.zoom.us."}
    loaded = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert loaded == [
        *("static/icon.svg", "static/status.css", "static/status.js"),
        *("status.json", "metrics", "readyz"),
    ]
    for inline in ("<style", "style=", "onclick", "javascript:"):
        assert inline not in text
    assert re.findall(r"<script[^>]*>(.*?)</script>", text) == [""]


async def test_what_others_named_is_escaped(admin: Any) -> None:
    text = await page(admin, {"default": healthy()})
    assert "gw-&lt;1&gt;" in text
    assert "gw-<1>" not in text


async def test_the_style_is_served_here_and_knows_the_dark(admin: Any) -> None:
    response = await (await admin({"default": healthy()})).get("/static/status.css")
    assert response.headers["Content-Type"] == "text/css; charset=utf-8"
    text = await response.text()
    assert "prefers-color-scheme: dark" in text
    assert "url(" not in text


def test_the_template_engine_is_not_loaded_before_the_first_page() -> None:
    code = "import sys, gateway.web.admin; print(json.dumps('jinja2' in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"import json; {code}"], capture_output=True, check=True, text=True
    )
    assert json.loads(done.stdout) is False
