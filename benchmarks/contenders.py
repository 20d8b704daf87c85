"""Who is measured: each captures one URL and returns the PNG, as often and as many at once as asked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from playwright.async_api import async_playwright

Capture = Callable[[str], Awaitable[bytes]]

_WAIT_SECONDS = 60


@asynccontextmanager
async def plain_playwright(chrome: Path) -> AsyncIterator[Capture]:
    """What a user would otherwise write: one browser, a new context for each capture."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chrome)

        async def capture(url: str) -> bytes:
            context = await browser.new_context()
            try:
                page = await context.new_page()
                await page.goto(url)
                return await page.screenshot()
            finally:
                await context.close()

        yield capture
        await browser.close()


@asynccontextmanager
async def fleet(api: str) -> AsyncIterator[Capture]:
    """The fleet over HTTP: the job awaited, the artifact stored and fetched."""
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=api, timeout=_WAIT_SECONDS + 10, limits=limits) as client:

        async def capture(url: str) -> bytes:
            answer = await client.post("/api/captures", params={"wait": _WAIT_SECONDS}, json={"url": url})
            answer.raise_for_status()
            artifact = answer.json()["job"]["result"]["artifacts"][0]
            picture = await client.get(artifact["url"])
            picture.raise_for_status()
            return picture.content

        yield capture
