"""A client's JavaScript in a page: an expression, or a function that is called. Its promise is waited for.

Also under a Content-Security-Policy that forbids `eval`, which Playwright's own wait_for_function trips over.
"""

import asyncio

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page

from workers.browser_host.translation import has_left_its_page

_POLLING_SECONDS = 0.1


async def run(page: Page, expression: str) -> None:
    """Returns too when the expression leads to another page. Without a bound. Raises Playwright's errors."""
    await holds(page, expression)


async def come_true(page: Page, expression: str) -> None:
    """Asks again and again, on whatever page is there by then. Without a bound. Raises Playwright's errors."""
    while not await holds(page, expression):  # noqa: ASYNC110  # a page tells no event when it changes
        await asyncio.sleep(_POLLING_SECONDS)


async def holds(page: Page, expression: str) -> bool:
    """Whether its value counts as true; False if it leads to another page. Raises Playwright's errors."""
    try:
        # The value may be as large as the page likes: it stays there.
        value = await page.evaluate_handle(expression)
        holds = await value.evaluate("value => !!value")
        await value.dispose()
    except PlaywrightError as error:
        if has_left_its_page(error):
            return False
        raise
    return bool(holds)
