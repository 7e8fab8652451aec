"""A real browser at the status page of a real gateway.

With `STATUS_PAGE_PICTURES=docs/images` the pictures that the documentation shows are written there.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
from axe_playwright_python.async_playwright import (  # type: ignore[import-untyped]  # ships none
    Axe,
)
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.support.load import steady
from tests.support.needed import program
from tests.support.processes import ROOT, Gateway

PICTURES = ROOT / "build" / "screenshots"
PUBLISHED = os.environ.get("STATUS_PAGE_PICTURES")
"""Where the pictures of the documentation go, if they are to be made anew."""

DOCUMENTED = {"healthy", "wrong-secret", "refused-for-ever-dark", "phone"}
WIDE = {"width": 1000, "height": 900}
PHONE = {"width": 360, "height": 740}
SOON = 20_000
"""Milliseconds for what ought to happen within a second or two: the machine may be busy."""

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def chromium() -> str:
    """Where the browser is. Skips the test without it, but for CI, where it must be."""
    return program("chromium")


@asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    """A browser of its own, ended at the end."""
    path = chromium()
    async with async_playwright() as driver:
        started = await driver.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        await started.close()


class Admin(Protocol):
    """Whoever has a status page."""

    @property
    def admin(self) -> str:
        """Its URL."""


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

    async def sound(self, name: str) -> None:
        """Axe finds nothing, nobody complained; and there is a picture of it."""
        await self.picture(name)
        await self.accessible()
        assert self.complaints == []

    async def accessible(self) -> None:
        """Axe finds nothing."""
        found = await Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()

    async def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        file = PICTURES / f"{name}.png"
        await self.page.screenshot(path=file, full_page=True)
        if PUBLISHED and name in DOCUMENTED:
            folder = ROOT / PUBLISHED
            folder.mkdir(parents=True, exist_ok=True)
            # What is seen without scrolling: a picture of all of it would be large.
            await self.page.screenshot(path=folder / f"status-page-{name}.png")

    async def publish(self, part: Any, name: str) -> None:
        """A picture of a part of the page, for the documentation, if they are made anew."""
        if PUBLISHED:
            await part.screenshot(path=ROOT / PUBLISHED / f"status-page-{name}.png")

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
    browser: Browser, gate: Admin, width: Any = WIDE, **options: Any
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
