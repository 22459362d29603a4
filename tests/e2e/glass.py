"""A wall on glass: pages in Chromium, and what ought to be on them."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.e2e.waiting import SOON

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    # Whatever a page or the browser itself would like to reach outside is not there.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
#: A page may say these while its server is away, and nothing else.
AWAY = ("WebSocket connection to", "Failed to load resource", "net::ERR_")
#: Above the 20 s after which a wall dims, by what a busy machine may need.
DIM_WITHIN = 1000 * SOON


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Give the system's Chromium where there is one, else Playwright's own."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found, args=[*ARGUMENTS, *sandbox]
        )
        yield browser
        await browser.close()


@dataclass(eq=False)
class Glass:
    """One page that shows a wall."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def showing(cls, browser: Browser, address: str) -> AsyncIterator[Glass]:
        """Open an address on a screen of its own, and hear whatever its page complains of."""
        context = await browser.new_context(viewport={"width": 1920, "height": 1080})
        context.set_default_timeout(1000 * SOON)
        glass = cls(await context.new_page())
        glass.page.on("pageerror", lambda error: glass.complaints.append(str(error)))
        glass.page.on("console", lambda line: glass.hear(line.type, line.text))
        glass.page.on("request", lambda request: glass.note(request.url))
        await glass.page.goto(address)
        try:
            yield glass
        finally:
            await context.close()

    def hear(self, kind: str, text: str) -> None:
        """Note what the browser's console says is wrong."""
        if kind in ("error", "warning") and not any(words in text for words in AWAY):
            self.complaints.append(text)

    def note(self, url: str) -> None:
        """Note a request to anybody but the program."""
        if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:")):
            self.foreign.append(url)

    async def give_key(self, key: str) -> None:
        """Type the access key that the page asks for."""
        await self.page.get_by_test_id("access-key").fill(key)
        await self.page.get_by_test_id("access-submit").click()

    async def shows(self, numbers: Mapping[str, str]) -> None:
        """Wait until the page shows these texts, by the names under which it has them."""
        for name, text in numbers.items():
            await expect(self.page.get_by_test_id(name)).to_have_text(text, timeout=1000 * SOON)

    async def dims(self, reason: str) -> None:
        """Wait until the wall says that its picture is too old, and why."""
        stale = self.page.get_by_test_id("stale")
        await expect(stale).to_have_attribute("data-reason", reason, timeout=DIM_WITHIN)
        await expect(self.page.locator(".wall")).to_have_attribute("data-stale", reason)

    async def brightens(self) -> None:
        """Wait until the picture is of now again."""
        await expect(self.page.get_by_test_id("stale")).to_have_count(0, timeout=1000 * SOON)
        await expect(self.page.locator(".wall")).not_to_have_attribute("data-stale", "network")

    async def at(self, picture: dict[str, Any]) -> None:
        """Wait until the picture on the glass is this one."""
        root = self.page.locator(":root")
        for name in ("epoch", "rev", "seq"):
            await expect(root).to_have_attribute(
                f"data-{name}", str(picture[name]), timeout=1000 * SOON
            )


def number(n: int) -> str:
    """Spell a number as the Indonesian page does."""
    return f"{n:,}".replace(",", ".")


def region_numbers(state: dict[str, Any]) -> dict[str, str]:
    """Return what a region's wall must show of a state, by the names of its elements."""
    shown = {}
    for app, kinds in state["apps"].items():
        for kind, it in kinds.items():
            shown[f"open-{app}-{kind}"] = number(it["open"])
            shown[f"overdue-{app}-{kind}"] = number(it["overdue"])
            shown[f"opened-today-{app}-{kind}"] = number(it["today"].get("opened", 0))
            shown[f"closed-today-{app}-{kind}"] = number(it["today"].get("closed", 0))
    areas: dict[str, int] = {}
    for kinds in state["apps"].values():
        for it in kinds.values():
            for area, n in it["by_area"].items():
                areas[area] = areas.get(area, 0) + n
    shown |= {f"tile-count-{area}": number(n) for area, n in areas.items()}
    for metric in ("opened", "closed"):
        shown[f"hours-{metric}"] = number(sum(h.get(metric, 0) for h in state["hours"].values()))
    return shown


def network_numbers(state: dict[str, Any]) -> dict[str, str]:
    """Return what the network's wall must show of a state, by the names of its elements."""
    totals = state["totals"]
    shown = {
        "open-total": number(totals["open"]),
        "overdue-total": number(totals["overdue"]),
        "opened-today-total": number(totals["today"].get("opened", 0)),
        "closed-today-total": number(totals["today"].get("closed", 0)),
    }
    for code, region in state["regions"].items():
        shown[f"region-{code}-open"] = number(region["open"])
        shown[f"region-{code}-opened-today"] = number(region["today"].get("opened", 0))
    return shown
