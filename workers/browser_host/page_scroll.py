"""Scrolling through a page, so that what it loads only on sight is there, and back to its top."""

import asyncio
import json
import time

from playwright.async_api import Page

from fleet.models.waits import ScrollPage
from workers.browser_host import expressions

# Whether that was far enough: the page did not move any more.
_STEP = """(() => {
    const before = scrollY;
    scrollBy({top: %s ?? innerHeight, behavior: 'instant'});
    return scrollY === before || scrollY + innerHeight >= %s;
})()"""
_TO_TOP = "scrollTo({top: 0, behavior: 'instant'})"
# What comes into sight at the end may make the page longer.
_LOOKS_AT_THE_END = 2


async def scroll_page(page: Page, wanted: ScrollPage) -> None:
    """Ends at the end of the page, at `max_height` or after `max_time`, whichever is first.

    Raises Playwright's errors.
    """
    step = _STEP % (json.dumps(wanted.step), wanted.max_height)
    deadline = time.monotonic() + wanted.max_time / 1000
    looks = 0
    # A step is not broken off: it might come after the way back.
    while looks < _LOOKS_AT_THE_END and (left := deadline - time.monotonic()) > 0:
        looks = looks + 1 if await expressions.holds(page, step) else 0
        await asyncio.sleep(min(wanted.delay / 1000, left))
    await expressions.run(page, _TO_TOP)
