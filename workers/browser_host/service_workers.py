"""Service workers that never end a turn: each page of their site would wait for them, as long as the session lives."""

import asyncio
import contextlib
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Page, Worker
from playwright.async_api import Error as PlaywrightError

from workers.browser_host.page_limits import PageLimits

# Between captures nobody waits for them; one that answers at all answers in milliseconds.
_ANSWER_SECONDS = 1.5


async def keep_removing_hung_service_workers(page: Page, limits: PageLimits) -> None:
    """While a capture runs: a page that waits for one of them goes on without it."""
    while True:
        await asyncio.sleep(limits.measure_seconds)
        await remove_hung_service_workers(page, patience_seconds=limits.hung_seconds)


async def remove_hung_service_workers(page: Page, *, patience_seconds: float = _ANSWER_SECONDS) -> None:
    """Those of the page's context. Their sites are then as if they had never registered any."""
    hung = await _hung(page.context, patience_seconds)
    if not hung:
        return
    with contextlib.suppress(TimeoutError, PlaywrightError):
        async with asyncio.timeout(_ANSWER_SECONDS):
            cdp = await page.context.new_cdp_session(page)
            for origin in {_origin(worker.url) for worker in hung}:
                await cdp.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "service_workers"})
            await cdp.send("ServiceWorker.enable")
            await cdp.send("ServiceWorker.stopAllWorkers")
            await cdp.detach()


async def _hung(context: BrowserContext, patience_seconds: float) -> list[Worker]:
    workers = context.service_workers
    answered = await asyncio.gather(*(_answers(worker, patience_seconds) for worker in workers))
    return [worker for worker, answer in zip(workers, answered, strict=True) if not answer]


async def _answers(worker: Worker, patience_seconds: float) -> bool:
    try:
        async with asyncio.timeout(patience_seconds):
            await worker.evaluate("0")
    except TimeoutError:
        return False
    except PlaywrightError:
        # It has just ended, as idle ones do.
        return True
    return True


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
