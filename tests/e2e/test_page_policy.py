"""The pages' policy in Chromium: it hinders nothing of ours, and everything that got in."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, Error, Page, Route, expect

from tests.e2e.conftest import LAKSA, Copies, Made
from tests.e2e.glass import Glass, chromium
from tests.e2e.posting import Client, a_report, post
from tests.e2e.program import Program

LISTEN = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(event.effectiveDirective);
});
"""
#: What somebody might get into a page, by whatever hole.
INJECTED = """
<script>window.broken = "script";</script>
<script src="http://127.0.0.1:9/broken.js"></script>
<script src="data:text/javascript,window.broken='data'"></script>
<img src="/nowhere.png" onerror="window.broken = 'handler';">
<img src="http://127.0.0.1:9/told.png">
<p id="styled" style="position: fixed;">x</p>
<style>#styled { float: right; }</style>
<base href="http://127.0.0.1:9/">
<iframe src="/wall"></iframe>
"""
REFUSED = {
    "script-src-elem",
    "script-src-attr",
    "style-src-elem",
    "style-src-attr",
    "img-src",
    "base-uri",
    "frame-src",
}


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Give a Chromium to this module."""
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
async def program(made: Made, shelf: Path) -> AsyncIterator[Program]:
    """Run one program for this module."""
    folder = Path(tempfile.mkdtemp(dir=shelf))
    folder.chmod(0o711)
    async with Copies.of(made, folder) as copies:
        yield await copies.program()


@dataclass
class Watched:
    """A page, and whom it talked to."""

    glass: Glass
    asked: list[str] = field(default_factory=list)

    @property
    def page(self) -> Page:
        """The page."""
        return self.glass.page

    async def violations(self) -> list[str]:
        """Return what the page's policy refused."""
        found: list[str] = await self.page.evaluate("window.violations")
        return found

    async def is_clean(self, program: Program) -> None:
        """Check that nothing was refused or complained of, and nobody else asked."""
        assert await self.violations() == []
        assert self.glass.complaints == []
        own = (f"{program.url}/", program.live_url)
        assert [url for url in self.asked if not url.startswith((*own, "data:image/"))] == []
        assert len(self.asked) > 2


@asynccontextmanager
async def watched(browser: Browser, address: str) -> AsyncIterator[Watched]:
    """Show a page that tells what its policy refuses."""
    async with Glass.showing(browser, "about:blank") as glass:
        found = Watched(glass)
        glass.page.on("request", lambda request: found.asked.append(request.url))
        glass.page.on("websocket", lambda socket: found.asked.append(socket.url))
        await glass.page.add_init_script(LISTEN)
        await glass.page.goto(address)
        yield found


async def test_walls_go_live_under_it_and_nothing_is_refused(
    made: Made, program: Program, browser: Browser, a_client: Client
) -> None:
    key, client = made.keys[LAKSA], a_client(program)
    events = [a_report(LAKSA, f"L-{n}", area="36.71.05") for n in range(3)]
    for path, shown in [
        ("/wall/36.71", "open-laksa-report"),
        ("/wall/36.71?lang=en&theme=light", "open-laksa-report"),
        ("/wall", "region-36.71-open"),
        ("/wall?lang=en&theme=light", "open-total"),
    ]:
        async with watched(browser, f"{program.url}{path}") as wall:
            await wall.glass.give_key(key.key)
            await expect(wall.page.get_by_test_id("title")).to_be_visible()
            if events:
                await post(client, key, events, status=202)
                events = []
            await wall.glass.shows({shown: "3"})
            await wall.is_clean(program)
            assert program.live_url in wall.asked
    async with watched(browser, f"{program.url}/wall/x/y") as nowhere:
        # No page, yet what a browser shows of it runs and loads nothing either.
        assert await nowhere.violations() == []
    async with watched(browser, f"{program.url}/wall/99.99") as unknown:
        await unknown.glass.give_key(key.key)
        await expect(unknown.page.get_by_test_id("unknown-region")).to_be_visible()
        await unknown.is_clean(program)


async def test_the_documents_are_shown_under_it(program: Program, browser: Browser) -> None:
    async with watched(browser, f"{program.url}/docs") as docs:
        block = docs.page.locator("#operations-operations-livez_livez_get")
        await block.locator(".opblock-summary-control").click()
        await expect(block).to_contain_text("Say that the process answers")
        await block.get_by_role("button", name="Try it out").click()
        await block.get_by_role("button", name="Execute").click()
        await expect(block.locator(".live-responses-table")).to_contain_text("alive")
        posting = docs.page.locator("#operations-events-post_events_v1_events_post")
        await posting.locator(".opblock-summary-control").click()
        await expect(posting.locator(".highlight-code").first).to_be_visible()
        await docs.page.locator(".models-control, .json-schema-2020-12-accordion").first.click()
        await docs.is_clean(program)


async def inject(route: Route) -> None:
    """Put into a page what should never have come there."""
    response = await route.fetch()
    text = await response.text()
    await route.fulfill(response=response, body=text.replace("</body>", f"{INJECTED}</body>"))


BY_POLICY = ("Trusted", "trusted-types", "Content Security Policy")
LATER = "await new Promise((go) => setTimeout(go))"
STRINGS = {
    "innerHTML": "document.body.innerHTML = '<b>x</b>'",
    "srcdoc": "document.createElement('iframe').srcdoc = '<b>x</b>'",
    "insertAdjacentHTML": "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
    "document.write": "document.write('<b>x</b>')",
    "the address of a script": "document.createElement('script').src = '/static/x.js'",
    "the text of a script": "document.createElement('script').text = 'window.broken = 1'",
    "eval": "eval('window.broken = 1')",
    "Function": "Function('window.broken = 1')()",
    "a policy of its own": "trustedTypes.createPolicy('own', { createHTML: (text) => text })",
    "the default policy": "trustedTypes.createPolicy('default', { createHTML: (text) => text })",
}


@pytest.mark.parametrize("path", ["/wall/36.71", "/docs"])
async def test_what_got_into_a_page_does_nothing(
    program: Program, browser: Browser, path: str
) -> None:
    async with watched(browser, "about:blank") as it:
        await it.page.route(f"**{path}", inject)
        await it.page.goto(f"{program.url}{path}")
        styled = it.page.locator("#styled")
        await expect(styled).to_have_css("position", "static")
        await expect(styled).to_have_css("float", "none")
        assert await it.page.evaluate("window.broken") is None
        assert set(await it.violations()) == REFUSED

        for name, code in STRINGS.items():
            with pytest.raises(Error) as caught:
                # Later, and so not on behalf of the test, for which the browser makes exceptions.
                await it.page.evaluate(f"async () => {{ {LATER}; {code} }}")
            assert any(word in str(caught.value) for word in BY_POLICY), (name, caught.value)
        assert await it.page.evaluate("window.broken") is None


async def test_nobody_frames_a_page(program: Program, browser: Browser) -> None:
    page = await browser.new_page()
    for path in ("/wall", "/docs", "/livez"):
        async with page.expect_event("console", lambda line: "frame" in line.text):
            await page.set_content(f'<iframe src="{program.url}{path}"></iframe>')
        [_, frame] = page.frames
        assert not frame.url.startswith(program.url)
    await page.close()
