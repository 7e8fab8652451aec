"""The status page in a real browser, against a real gateway, through what people are paged for.

Each state is looked at by axe, and kept as a picture under `build/screenshots/`. With
`STATUS_PAGE_PICTURES=docs/images` those that the documentation shows are written there, too.
"""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from axe_playwright_python.async_playwright import (  # type: ignore[import-untyped]  # ships none
    Axe,
)
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from gateway.web.live import MOST
from tests.support.load import control, session, steady
from tests.support.processes import ROOT, Gateway, gateway, simulator
from tests.support.redis_server import redis_server

PICTURES = ROOT / "build" / "screenshots"
PUBLISHED = os.environ.get("STATUS_PAGE_PICTURES")
"""Where the pictures of the documentation go, if they are to be made anew."""

DOCUMENTED = {"healthy", "wrong-secret", "refused-for-ever-dark", "phone"}
WIDE = {"width": 1000, "height": 900}
PHONE = {"width": 360, "height": 740}
SOON = 20_000
"""Milliseconds for what ought to happen within a second or two: the machine may be busy."""

ALLOWED = {"ZOOM_GATEWAY_ADMIN__ALLOW_ACTIONS": "true"}
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

pytestmark = pytest.mark.xdist_group("browser")


def chromium() -> str:
    """Where the browser is. Skips the test without it, but for CI, where it must be."""
    found = shutil.which("chromium")
    if found is None:
        reason = "chromium is not installed: make test-deps"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    path = chromium()
    async with async_playwright() as driver:
        started = await driver.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        await started.close()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with session() as made:
        yield made


class Watched:
    """A page whose complaints are kept."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda said: self._console(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    async def sound(self, picture: str) -> None:
        """Axe finds nothing, nobody complained; and there is a picture of it."""
        await self._picture(picture)
        found = await Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()
        assert self.complaints == []

    async def _picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        file = PICTURES / f"{name}.png"
        await self.page.screenshot(path=file, full_page=True)
        if PUBLISHED and name in DOCUMENTED:
            folder = ROOT / PUBLISHED
            folder.mkdir(parents=True, exist_ok=True)
            # What is seen without scrolling: a picture of all of it would be large.
            await self.page.screenshot(path=folder / f"status-page-{name}.png")

    @property
    def hero(self) -> Any:
        return self.page.locator(".hero")

    async def says(self, *words: str) -> None:
        for one in words:
            await expect(self.hero).to_contain_text(one, timeout=SOON)

    async def shows(self, words: str) -> None:
        await expect(self.page.locator("main")).to_contain_text(words, timeout=SOON)


@asynccontextmanager
async def opened(
    browser: Browser, gate: Gateway, width: Any = WIDE, **options: Any
) -> AsyncIterator[Watched]:
    context: BrowserContext = await browser.new_context(
        viewport=width, reduced_motion="reduce", **options
    )
    try:
        watched = Watched(await context.new_page())
        await watched.page.goto(f"{gate.admin}/")
        if options.get("java_script_enabled", True):
            await expect(watched.page.locator("#live")).to_contain_text("Live", timeout=SOON)
        yield watched
    finally:
        await context.close()


async def calls(client: aiohttp.ClientSession, gate: Gateway, seconds: float = 1.0) -> None:
    await steady(client, f"{gate.url}/v2/users/me", 20, seconds)


async def test_all_is_well(browser: Browser, client: aiohttp.ClientSession) -> None:
    indexes = {"ZOOM_GATEWAY_ACCOUNTS__DEFAULT__APPS__0__TOKEN_INDEXES": "[0, 1]"}
    async with simulator("--mode", "max:2") as sim, gateway(sim, **ALLOWED, **indexes) as gate:
        await calls(client, gate)
        async with opened(browser, gate) as one:
            await one.says("All is well: calls get a token.")
            await one.shows("calls per second")
            await one.sound("healthy")
            assert await one.page.title() == "ok · zoom-gateway"


async def test_it_lives_without_a_reload(browser: Browser, client: aiohttp.ClientSession) -> None:
    async with simulator() as sim, gateway(sim) as gate, opened(browser, gate) as one:
        await one.page.evaluate("window.notReloaded = true")
        summary = one.page.locator("summary").first
        await calls(client, gate)
        await summary.click()
        lane = one.page.locator(".lanes .calls .sum")
        await expect(lane).to_have_text("20", timeout=SOON)
        await calls(client, gate)
        await expect(lane).to_have_text("40", timeout=SOON)
        assert await one.page.evaluate("window.notReloaded")
        # What is unfolded stays so.
        await expect(one.page.locator(".totals").first).to_be_visible()
        await one.sound("unfolded")


async def test_without_scripts_it_says_the_same(
    browser: Browser, client: aiohttp.ClientSession
) -> None:
    async with simulator() as sim, gateway(sim) as gate:
        await calls(client, gate)
        async with opened(browser, gate, java_script_enabled=False) as plain:
            await expect(plain.page.locator("#live")).to_contain_text("Reload for news.")
            text = await plain.page.locator("main").inner_text()
            await plain._picture("without-scripts")
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
    nowhere = {"ZOOM_GATEWAY_UPSTREAM__TOKEN_URL": "https://zoom.invalid/oauth/token"}
    async with simulator() as sim, gateway(sim, **nowhere) as gate, opened(browser, gate) as one:
        await one.says("none can be minted", "network, DNS, firewall")
        await one.sound("no-network")


async def test_the_gateway_is_gone_and_back(browser: Browser) -> None:
    async with simulator() as sim, gateway(sim) as gate:
        port = gate.admin.rpartition(":")[2]
        async with opened(browser, gate) as one:
            await gate.kill()
            live = one.page.locator("#live")
            await expect(live).to_contain_text("Connection lost since", timeout=SOON)
            await expect(one.page.locator("body")).to_have_class("stale")
            assert await one.page.title() == "connection lost · zoom-gateway"
            one.complaints.clear()  # the browser logs that nobody answers
            found = await Axe().run(one.page)
            assert found.violations_count == 0, found.generate_report()
            await one._picture("gateway-gone")
            async with gateway(sim, ZOOM_GATEWAY_ADMIN__PORT=port):
                await expect(live).to_contain_text("Live", timeout=SOON)
                await expect(one.page.locator("body")).not_to_have_class("stale")
                await expect(one.page.locator("#news")).to_have_text("Connected again.")
                one.complaints.clear()
                await one.sound("gateway-back")


async def test_a_gateway_that_hangs_is_gone_too(browser: Browser) -> None:
    async with simulator() as sim, gateway(sim) as gate, opened(browser, gate) as one:
        gate.signal(signal.SIGSTOP)
        try:
            live = one.page.locator("#live")
            await expect(live).to_contain_text("Connection lost since", timeout=2 * SOON)
        finally:
            gate.signal(signal.SIGCONT)
        await expect(live).to_contain_text("Live", timeout=2 * SOON)


async def test_there_is_no_room_for_another_page(
    browser: Browser, client: aiohttp.ClientSession
) -> None:
    async with simulator() as sim, gateway(sim) as gate:
        readers = [await client.get(f"{gate.admin}/events") for _ in range(MOST)]
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{gate.admin}/")
        live = page.locator("#live")
        await expect(live).to_contain_text("no room for another open page", timeout=SOON)
        await expect(page.locator(".hero")).to_contain_text("All is well", timeout=SOON)
        for reader in readers:
            reader.close()
        await expect(live).to_contain_text("Live", timeout=3 * SOON)  # it tries again after 30 s
        await context.close()


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
        for _ in range(8):
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


async def test_it_does_not_chatter(browser: Browser, client: aiohttp.ClientSession) -> None:
    async with simulator() as sim, gateway(sim) as gate, opened(browser, gate) as one:
        await one.says("All is well")
        await one.page.evaluate("""() => {
          window.said = [];
          new MutationObserver(() => said.push(news.textContent)).observe(
            document.getElementById("news"), { childList: true, characterData: true });
        }""")
        began = time.monotonic()
        await calls(client, gate, 3.0)
        await expect(one.page.locator(".lanes .calls .sum")).to_have_text("60", timeout=SOON)
        assert time.monotonic() - began > 2
        assert await one.page.evaluate("said") == []
        await control(client, sim, "mint")
        await calls(client, gate)
        await one.page.wait_for_function("said.length > 0", timeout=SOON)
        said = await one.page.evaluate("said")
        assert len(said) <= 2
        assert "Another program mints" in said[-1]


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
