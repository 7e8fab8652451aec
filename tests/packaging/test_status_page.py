"""The status page in a real browser, against a real gateway, through what people are paged for.

Each state is looked at by axe, and kept as a picture under `build/screenshots/`.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from tests.packaging.browser import PHONE, SOON, calls, opened, running
from tests.support.load import control, session
from tests.support.processes import gateway, simulator
from tests.support.redis_server import redis_server

ALLOWED = {"ZOOM_GATEWAY_ADMIN__ALLOW_ACTIONS": "true"}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with running() as started:
        yield started


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with session() as made:
        yield made


async def test_all_is_well(browser: Browser, client: aiohttp.ClientSession) -> None:
    indexes = {"ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS__0__TOKEN_INDEXES": "[0, 1]"}
    async with simulator("--mode", "max:2") as sim, gateway(sim, **ALLOWED, **indexes) as gate:
        await calls(client, gate)
        async with opened(browser, gate) as one:
            await one.says("All is well: calls get a token.")
            await one.shows("calls per second")
            await one.sound("healthy")
            assert await one.page.title() == "ok · zoom-gateway"


async def test_without_scripts_it_says_the_same(
    browser: Browser, client: aiohttp.ClientSession
) -> None:
    async with simulator() as sim, gateway(sim) as gate:
        await calls(client, gate)
        async with opened(browser, gate, java_script_enabled=False) as plain:
            await expect(plain.page.locator("#live")).to_contain_text("Reload for news.")
            text = await plain.page.locator("main").inner_text()
            await plain.picture("without-scripts")
        assert "All is well: calls get a token." in text
        assert "Recent events" in text
        # What the script makes of the stream is what the gateway wrote as HTML.
        async with opened(browser, gate) as one:
            same = """async () => {
              const known = document.getElementById("page").cloneNode(true);
              const { fit, build } = await import("/static/tree.js");
              const source = new EventSource("events");
              const view = await new Promise((done) => source.addEventListener(
                "state", (event) => done(JSON.parse(event.data))));
              source.close();
              const html = new DOMParser().parseFromString(
                await (await fetch("/")).text(), "text/html").getElementById("page");
              const made = document.createElement("main");
              made.append(...view.page.map(build));
              const fitted = document.createElement("main");
              fitted.append(...known.childNodes);
              fit(fitted, view.page);
              const ages = (text) => text.replace(/[0-9.]+/g, "0");
              return [html, made, fitted].map((node) => ages(node.innerHTML));
            }"""
            written, made, fitted = await one.page.evaluate(same)
            assert made == written
            assert fitted == written


async def test_a_wrong_secret(browser: Browser) -> None:
    wrong = {"ZOOM_CLIENT_SECRET": "wrong"}
    async with simulator() as sim, gateway(sim, **wrong) as gate, opened(browser, gate) as one:
        await one.says("Zoom refuses the client id or the client secret", "What to do:", "Since")
        await one.says("client_id and client_secret")
        await one.shows("No retry cures this")
        await one.sound("wrong-secret")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_refused_for_ever(
    browser: Browser, client: aiohttp.ClientSession, scheme: Any
) -> None:
    async with (
        simulator("--mode", "single") as sim,
        gateway(sim) as gate,
        opened(browser, gate, color_scheme=scheme) as one,
    ):
        await calls(client, gate)
        await one.says("All is well")
        await control(client, sim, "faults", {"refuse_all": True}, "PUT")
        await calls(client, gate, 2.0)
        await one.says("its owner's role changed", "What to do:", "Since")
        await one.shows("Refusals cause no mint for another")
        news = one.page.locator("#news")
        await expect(news).to_contain_text("Zoom refuses a token", timeout=SOON)
        await one.sound(f"refused-for-ever-{scheme}")
        dark = await one.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (dark == "rgb(14, 17, 22)") is (scheme == "dark")


async def test_another_program_mints(browser: Browser, client: aiohttp.ClientSession) -> None:
    async with (
        simulator("--mode", "single") as sim,
        gateway(sim) as gate,
        opened(browser, gate) as one,
    ):
        await calls(client, gate)
        await control(client, sim, "mint")
        await calls(client, gate)
        await one.says("Another program mints with these credentials", "Find it and point it")
        await one.shows("it killed token 1")
        await one.sound("foreign-mint")


async def test_the_store_is_down_and_up_again(
    browser: Browser, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with simulator() as sim:
        with redis_server(tmp_path) as redis:
            shared = {"ZOOM_GATEWAY_STORE__URL": redis.url}
            async with gateway(sim, **shared) as gate, gateway(sim, **shared) as second:
                await calls(client, gate)
                await calls(client, second)
                async with opened(browser, gate) as one:
                    await one.shows("2 replicas")
                    await one.sound("fleet")
                    redis.kill()
                    await one.says("The token store cannot be used", "Since", "store.url")
                    await one.shows("Calls go on with the token that this replica holds")
                    await one.sound("store-down")
                    redis.start()
                    await one.says("All is well: calls get a token.")
                    await one.shows("The token store works again.")


async def test_no_way_to_zoom(browser: Browser) -> None:
    nowhere = {
        "ZOOM_GATEWAY_UPSTREAM__TOKEN_URL": "https://zoom.invalid/oauth/token",
        "ZOOM_GATEWAY_UPSTREAM__TRUSTED_HOSTS": '["zoom.invalid"]',
    }
    async with simulator() as sim, gateway(sim, **nowhere) as gate, opened(browser, gate) as one:
        await one.says("none can be minted", "network, DNS, firewall")
        await one.sound("no-network")


async def test_rotate_now_by_keyboard(browser: Browser, client: aiohttp.ClientSession) -> None:
    async with (
        simulator("--mode", "single") as sim,
        gateway(sim, **ALLOWED) as gate,
        opened(browser, gate) as one,
    ):
        await calls(client, gate)
        keys = one.page.keyboard
        await keys.press("Tab")
        focused = one.page.locator(":focus")
        await expect(focused).to_have_text("Rotate now…")
        await keys.press("Enter")
        dialog = one.page.get_by_role("dialog")
        await expect(dialog).to_contain_text("There is one slot, so it kills the token in use")
        await one.sound("rotate-asks")
        await keys.press("Escape")
        await expect(dialog).not_to_be_visible()
        await expect(focused).to_have_text("Rotate now…")
        await keys.press("Enter")
        await keys.press("Tab")
        await expect(focused).to_have_text("Rotate now")
        await keys.press("Enter")
        await expect(dialog).to_contain_text("A new token is being minted.", timeout=SOON)
        await expect(focused).to_have_text("Close")
        await one.sound("rotate-answers")
        await keys.press("Enter")
        await one.shows("Minted token 2 in slot default/0 (request)")
        await one.sound("rotated")
        # Down to the links: everything can be reached.
        reached = []
        for _ in range(10):
            await keys.press("Tab")
            # Past the last one it is the browser's own turn.
            reached.append(await one.page.evaluate("document.activeElement.innerText"))
        assert {"status.json", "metrics", "readyz"} <= set(reached)


async def test_what_is_not_allowed_is_not_offered(browser: Browser) -> None:
    async with simulator() as sim, gateway(sim) as gate, opened(browser, gate) as one:
        await one.says("All is well")
        await expect(one.page.locator("[data-rotate]")).to_have_count(0)


async def test_on_a_phone(browser: Browser, client: aiohttp.ClientSession) -> None:
    async with (
        simulator("--mode", "single") as sim,
        gateway(sim, **ALLOWED) as gate,
        opened(browser, gate, PHONE) as one,
    ):
        await calls(client, gate)
        await expect(one.page.locator(".lanes .calls .sum")).to_have_text("20", timeout=SOON)
        wide = await one.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"]
        await one.sound("phone")


async def test_it_shows_what_it_was_told_as_text(
    browser: Browser, client: aiohttp.ClientSession
) -> None:
    """Zoom's own words, and a hostile name in them, are text and nothing else."""
    hostile = {"reason": "<img src=x onerror=alert(1)>", "error": "bad"}
    async with simulator() as sim:
        faults = {"mint_status": 400, "mint_body": hostile}
        await control(client, sim, "faults", faults, "PUT")
        async with gateway(sim) as gate, opened(browser, gate) as one:
            await one.says("<img src=x onerror=alert(1)>")
            assert await one.page.locator("main img").count() == 0
            await one.sound("hostile")


async def test_nothing_comes_from_elsewhere(browser: Browser) -> None:
    async with simulator() as sim, gateway(sim) as gate:
        context = await browser.new_context()
        page = await context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{gate.admin}/")
        await expect(page.locator("#live")).to_contain_text("Live", timeout=SOON)
        await asyncio.sleep(0)
        assert asked
        assert all(url.startswith(f"{gate.admin}/") for url in asked)
        await context.close()
