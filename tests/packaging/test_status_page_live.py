"""The status page stays true while things change: news, a gateway that is gone, a full one."""

import signal
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from gateway.web.live import MOST
from tests.packaging.browser import SOON, calls, opened, running
from tests.support.load import control, session
from tests.support.processes import gateway, simulator


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with running() as started:
        yield started


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with session() as made:
        yield made


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
            await one.accessible()
            await one.picture("gateway-gone")
            async with gateway(sim, ZOOM_GATEWAY_ADMIN__PORT=port):
                await expect(live).to_contain_text("Live", timeout=SOON)
                await expect(one.page.locator("body")).not_to_have_class("stale")
                await expect(one.page.locator("#news")).to_have_text("Connected again.")
                one.complaints.clear()
                await one.sound("gateway-back")


@pytest.mark.parametrize("back", [0, 3_600_000])
async def test_a_gateway_that_hangs_is_gone_too(browser: Browser, back: int) -> None:
    """Even if the reader's clock is set `back`, in milliseconds."""
    async with simulator() as sim, gateway(sim) as gate, opened(browser, gate) as one:
        await one.page.evaluate(
            "(back) => { const real = Date.now; Date.now = () => real() - back; }", back
        )
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
