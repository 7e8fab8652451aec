"""A web page of a stranger's, in the browser of somebody who reaches the gateway.

The browser is told that names of the stranger's lead to this machine: to his own web server, or,
as after DNS rebinding, to the gateway.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Page, async_playwright, expect

from tests.packaging.browser import FLAGS, SOON, chromium
from tests.support.load import session
from tests.support.processes import Gateway, gateway, simulator

EVIL: Final = "evil.example"
REBOUND: Final = "rebound.evil.example"

PAGE: Final = "<!doctype html><title>kittens</title><body>kittens</body>"

ATTACKS: Final = """
async (target) => {
  const seen = [];
  const tries = {
    get: () => fetch(target),
    cookies: () => fetch(target, {credentials: "include"}),
    blind: () => fetch(target, {mode: "no-cors"}),
    simple: () => fetch(target, {method: "POST", body: "{}"}),
    blindPost: () => fetch(target, {method: "POST", body: "{}", mode: "no-cors"}),
    json: () => fetch(target, {method: "POST", body: "{}",
                               headers: {"Content-Type": "application/json"}}),
    remove: () => fetch(target, {method: "DELETE"}),
    account: () => fetch(target, {headers: {"X-Zoom-Account": "default"}}),
    nowhere: () => fetch(target, {referrerPolicy: "no-referrer"}),
  };
  for (const [name, attempt] of Object.entries(tries)) {
    try {
      const answer = await attempt();
      seen.push([name, answer.type, answer.status, await answer.text()]);
    } catch (error) {
      seen.push([name, "error", 0, String(error)]);
    }
  }
  const loaded = (tag, more = {}) => new Promise((resolve) => {
    const element = Object.assign(document.createElement(tag), more, {src: target});
    element.onload = () => resolve("loaded");
    element.onerror = () => resolve("error");
    document.body.append(element);
  });
  seen.push(["image", await loaded("img"), 0, ""]);
  seen.push(["script", await loaded("script"), 0, ""]);
  seen.push(["beacon", String(navigator.sendBeacon(target, "{}")), 0, ""]);
  const frame = document.createElement("iframe");
  frame.name = "frame";
  document.body.append(frame);
  for (const method of ["get", "post"]) {
    const form = Object.assign(document.createElement("form"), {target: "frame", action: target});
    form.method = method;
    document.body.append(form);
    const arrived = new Promise((resolve) => {
      frame.onload = resolve;
      setTimeout(resolve, 5000);  // what the browser itself keeps back never arrives
    });
    form.submit();
    await arrived;
    let text = "";
    try { text = frame.contentDocument.body.innerText; } catch { text = ""; }
    seen.push([`${method} form`, "frame", 0, text]);
  }
  return seen;
}
"""

LINKED: Final = """
(target) => {
  document.body.append(Object.assign(document.createElement("a"), {href: target, text: "status"}));
}
"""

TRUSTING: Final = (
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,"
    "PrivateNetworkAccessForNavigations,PrivateNetworkAccessSendPreflights,"
    "LocalNetworkAccessForNavigations,LocalNetworkAccessForSubframeNavigations"
)
"""This browser would keep strangers' pages from local addresses by itself; others do not."""


@asynccontextmanager
async def stranger() -> AsyncIterator[int]:
    """The stranger's web server; gives its port."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def visiting(url: str) -> AsyncIterator[Page]:
    """A browser, for which the stranger's names are this machine's, at `url`."""
    path = chromium()
    names = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1, MAP {REBOUND} 127.0.0.1"
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=[*FLAGS, TRUSTING, names])
        page = await browser.new_page()
        await page.goto(url)
        yield page
        await browser.close()


async def answered(client: aiohttp.ClientSession, gate: Gateway) -> dict[str, float]:
    """Calls that the gateway answered so far, by status."""
    async with client.get(f"{gate.admin}/metrics") as answer:
        text = await answer.text()
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("zoom_gateway_requests_total{"):
            status = line.partition('status="')[2].partition('"')[0]
            found[status] = found.get(status, 0) + float(line.rpartition(" ")[2])
    return found


def secrets_in(seen: list[Any]) -> list[Any]:
    """What no stranger may read, as the simulator and the admin port answer it."""
    return [one for one in seen if "demo-account" in json.dumps(one) or "account_id" in one[3]]


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with session() as made:
        yield made


async def test_a_page_of_another_origin_reads_and_changes_nothing(
    client: aiohttp.ClientSession,
) -> None:
    async with simulator() as sim, gateway(sim) as gate, stranger() as port:
        async with visiting(f"http://{EVIL}:{port}/") as page:
            for host in ("127.0.0.1", "localhost"):
                place = gate.url.replace("127.0.0.1", host)
                seen = await page.evaluate(ATTACKS, f"{place}/v2/users/me")
                assert len(seen) == 14
                assert [one for one in seen if one[1] in {"basic", "cors"}] == []
                assert all(one[3] == "" for one in seen if one[1] in {"opaque", "frame"})
                assert secrets_in(seen) == []
        found = await answered(client, gate)
        assert set(found) == {"403"}, found
        assert found["403"] >= 10


async def test_a_page_that_is_listed_is_served_and_still_reads_nothing(
    client: aiohttp.ClientSession,
) -> None:
    """What is refused above is the origin alone: so the attack is a real one."""
    async with stranger() as port, simulator() as sim:
        origins = json.dumps([f"http://{EVIL}:{port}"])
        async with (
            gateway(sim, ZOOM_GATEWAY_ACCESS__ORIGINS=origins) as gate,
            visiting(f"http://{EVIL}:{port}/") as page,
        ):
            seen = await page.evaluate(ATTACKS, f"{gate.url}/v2/users/me")
            assert [one for one in seen if one[1] in {"basic", "cors"}] == []
            assert secrets_in(seen) == []
            assert "200" in await answered(client, gate)


async def test_a_name_that_was_rebound_reads_and_changes_nothing(
    client: aiohttp.ClientSession,
) -> None:
    async with simulator() as sim, gateway(sim) as gate:
        seen = await rebound(gate)
        assert [(one[0], one[2]) for one in seen[:9] if one[2] != 403] == []
        assert secrets_in(seen) == []
        assert set(await answered(client, gate)) == {"403"}


async def test_what_is_refused_above_is_the_name_alone(client: aiohttp.ClientSession) -> None:
    """Listed as one of ours, the same name reads it all: so the attack is a real one."""
    names = json.dumps([REBOUND])
    async with simulator() as sim, gateway(sim, ZOOM_GATEWAY_ACCESS__HOSTS=names) as gate:
        seen = await rebound(gate)
        assert (seen[0][0], seen[0][2]) == ("get", 200)
        assert set(await answered(client, gate)) > {"200"}


async def test_a_name_that_was_rebound_reads_no_status(client: aiohttp.ClientSession) -> None:
    async with simulator() as sim, gateway(sim) as gate:
        place = gate.admin.replace("127.0.0.1", REBOUND)
        async with visiting(f"{place}/") as page:
            assert "access.hosts" in await page.inner_text("body")
            for path in ("/status.json", "/metrics", "/events", "/readyz", "/"):
                status = await page.evaluate("async (path) => (await fetch(path)).status", path)
                assert (path, status) == (path, 403)
        async with client.get(f"{gate.admin}/status.json") as answer:
            assert answer.status == 200


async def test_a_link_on_another_sites_page_leads_to_the_status() -> None:
    async with (
        simulator() as sim,
        gateway(sim) as gate,
        stranger() as port,
        visiting(f"http://{EVIL}:{port}/") as page,
    ):
        await page.evaluate(LINKED, f"{gate.admin}/")
        await page.click("a")
        await expect(page.locator("#live")).to_contain_text("Live", timeout=SOON)


async def rebound(gate: Gateway) -> list[Any]:
    """What a page sees of the gateway under a name that led to its own server before."""
    place = gate.url.replace("127.0.0.1", REBOUND)
    async with visiting("about:blank") as page:
        # The page itself came from the stranger's server, a moment ago.
        await page.route(
            f"{place}/",
            lambda route: route.fulfill(body=PAGE, content_type="text/html"),
        )
        await page.goto(f"{place}/")
        seen: list[Any] = await page.evaluate(ATTACKS, "/v2/users/me")
        return seen
