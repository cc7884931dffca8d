"""A real Chromium (Debian's), driven by Playwright, and what it noticed of a page."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from support import needs
from support.process import PATIENCE
from support.project import REPOSITORY

SCREENSHOTS: Final = REPOSITORY / ".screenshots"
DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 800}
PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
CHECKED: Final = {("light", "desktop"), ("dark", "phone")}
"""Both themes and both widths; to check all four would take twice as long."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser; the test is skipped where it is not installed."""
    program = needs.program("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A page that a person has open; `complaints` has the messages of the browser's console."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        """Open a window; nothing is loaded yet."""
        self.context: BrowserContext = browser.new_context(viewport=DESKTOP, **options)
        self.context.set_default_timeout(30_000 * PATIENCE)
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text))

    def headline(self, text: str, within: float = 20) -> None:
        """Wait until the page's headline is this, without loading it anew."""
        self.page.wait_for_function(
            "text => document.querySelector('h1').textContent === text",
            arg=text,
            timeout=within * PATIENCE * 1000,
        )

    def text(self) -> str:
        """All that is shown, as one line."""
        return " ".join(self.page.inner_text("body").split())

    def check_appearance(self, name: str) -> None:
        """Keep a screenshot in light and dark, wide and narrow; fail if one is not accessible."""
        SCREENSHOTS.mkdir(exist_ok=True)
        for theme in THEMES:
            self.page.emulate_media(color_scheme=theme)
            for size, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
                self.page.set_viewport_size(viewport)
                self.page.screenshot(
                    path=SCREENSHOTS / f"{name}-{theme}-{size}.png", full_page=True
                )
                if (theme, size) in CHECKED:
                    found = Axe().run(self.page)
                    report = found.generate_report()
                    assert found.violations_count == 0, (name, theme, size, report)
                wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, f"{name}, {theme}, {size}: scrolls sideways"
