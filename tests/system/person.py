"""Somebody with a browser: opens pages of the dashboard, and notices what a developer would see in its tools."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

_CHROME = Path("/usr/lib/chromium/chromium-headless-shell")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_AXE = Path(__file__).parents[1] / "vendor/axe.min.js"
# The machine may be busy with a whole fleet.
_PATIENCE_MS = 60_000

DESKTOP = (1280, 860)
PHONE = (390, 844)
Colours = Literal["light", "dark"]


@contextmanager
def a_browser() -> Iterator[Browser]:
    path = os.environ.get("FLEET_CHROME_PATH") or (str(_CHROME) if _CHROME.is_file() else None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


class People:
    """Called, it makes a person."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._met: list[Person] = []

    def __call__(self, *, size: tuple[int, int] = DESKTOP, colours: Colours = "light") -> "Person":
        self._met.append(Person(self._browser, self._url, size=size, colours=colours))
        return self._met[-1]

    def leave(self) -> list[str]:
        """What they had to complain about."""
        for person in self._met:
            person.leave()
        return [complaint for person in self._met for complaint in person.complaints]


class Person:
    def __init__(
        self, browser: Browser, url: str, *, size: tuple[int, int] = DESKTOP, colours: Colours = "light"
    ) -> None:
        width, height = size
        self._context = browser.new_context(
            base_url=url, viewport={"width": width, "height": height}, color_scheme=colours, reduced_motion="reduce"
        )
        self._context.set_default_timeout(_PATIENCE_MS)
        self._own_host = urlsplit(url).netloc
        self.page: Page = self._context.new_page()
        # What scripts threw, what the content security policy refused, and who else was asked.
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", self._see)

    def leave(self) -> None:
        self._context.close()

    def open(self, path: str) -> Page:
        self.page.goto(path)
        return self.page

    def faults(self) -> list[str]:
        """Serious and critical ones that axe finds on the open page, each with the first element that has it."""
        self.page.evaluate(_AXE.read_text())
        found: dict[str, Any] = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{fault['id']} ({fault['impact']}): {fault['nodes'][0]['html'][:200]}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
        ]

    def _hear(self, message: ConsoleMessage) -> None:
        # An answer of the API that refuses something is no fault of the page.
        is_refusal = "Failed to load resource" in message.text or "Unexpected response code" in message.text
        if message.type == "error" and not is_refusal:
            self.complaints.append(message.text)

    def _see(self, request: Request) -> None:
        if urlsplit(request.url).netloc != self._own_host:
            self.complaints.append(f"asked {request.url}")
