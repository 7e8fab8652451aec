"""The page's part on the listener, limits and who may call, in a real browser.

What it shows is told to a real admin listener, so that each state can be looked at: in the light
and in the dark, wide and on a phone.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from playwright.async_api import Browser, expect

from gateway.core.posture import LimitStatus, Posture, diagnose_certificate
from gateway.core.status import Readiness, ReadinessGate, Replica, snapshot
from gateway.web.admin import AdminSite, AdminSources
from tests.observe.charts import NOW, WALL, healthy
from tests.observe.postures import DAY, guarded
from tests.packaging.browser import PHONE, SOON, WIDE, opened, running


class Admin(NamedTuple):
    admin: str


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with running() as started:
        yield started


def troubled(name: str) -> Posture:
    """All that can be marked, and a certificate of this name."""
    found = guarded(-7200, calls=1000, hits=1200, denied=31_000, names=name)
    limits = {**found.limits, "kept_disk": LimitStatus(2**30, 0.9 * 2**30)}
    return Posture(found.listener, found.upstream, found.access, limits)


@asynccontextmanager
async def showing(posture: Posture) -> AsyncIterator[Admin]:
    """An admin listener that tells of it."""
    charts = {"default": healthy()}
    replica = Replica("gateway-1", "1.2.3", 42, NOW - 7500, posture=posture)

    def readiness() -> Readiness:
        own = diagnose_certificate(posture.listener.tls, WALL)
        return ReadinessGate().look(charts, charts, (), own)

    sources = AdminSources(
        status=lambda: snapshot(charts, readiness(), replica, NOW, WALL),
        readiness=readiness,
        metrics=lambda _: lambda: (b"", "text/plain"),
    )
    runner = web.ServerRunner(web.Server(AdminSite(sources).answer), shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield Admin(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("width", "scheme", "name"),
    [
        (WIDE, "light", "zoom.example.com"),
        (PHONE, "dark", f"{'long.' * 12}example.com"),
    ],
)
async def test_what_is_wrong_is_marked(
    browser: Browser, width: Any, scheme: Any, name: str
) -> None:
    async with (
        showing(troubled(name)) as gate,
        opened(browser, gate, width, color_scheme=scheme) as one,
    ):
        await one.says("The proxy's certificate has expired", "What to do:", "Since")
        card = one.page.locator("section[aria-labelledby=posture]")
        for words in ("expired", "34,100 denied", "full", "nearly full", "reached 1,200 times"):
            await expect(card.locator(".pill", has_text=words).first).to_be_visible()
        await expect(card.get_by_role("img", name="kept_disk: 90 % in use")).to_be_visible()
        wide = await one.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width["width"]
        await one.sound(f"posture-{'phone' if width is PHONE else 'wide'}-{scheme}")
        if width is WIDE:
            await one.publish(card, "security")


async def test_what_is_well_is_short_and_soon_is_not_now(browser: Browser) -> None:
    async with showing(guarded()) as gate, opened(browser, gate) as one:
        await one.says("All is well: calls get a token.")
        card = one.page.locator("section[aria-labelledby=posture]")
        await expect(card).to_contain_text("good for 62 days", timeout=SOON)
        await expect(card.locator(".pill")).to_have_count(0)
        await expect(card.locator("li").first).not_to_be_visible()
        await card.locator("summary").click()
        await expect(card.locator("li").first).to_be_visible()
        await one.sound("posture-well")
    async with showing(guarded(6 * DAY)) as gate, opened(browser, gate) as one:
        await one.says("All is well: calls get a token.")
        await one.shows("expires soon")
