"""What a context would need to be logged in elsewhere: its cookies, localStorage and IndexedDB."""

import json
from typing import Any

from playwright.async_api import BrowserContext

from fleet.errors import OutputTooLarge
from workers.browser_host.translation import page_errors

# More than the API takes in a body by default, less than hurts where it is kept.
_MAX_BYTES = 16 * 1024 * 1024


async def storage_state(context: BrowserContext) -> dict[str, Any]:
    """As Playwright gives it. Raises OutputTooLarge, BrowserUnavailable or CaptureFailed."""
    with page_errors():
        state: dict[str, Any] = dict(await context.storage_state(indexed_db=True))
    size = len(json.dumps(state))
    if size > _MAX_BYTES:
        limit = _MAX_BYTES // 1024 // 1024
        raise OutputTooLarge(f"The storage state has {size} bytes; at most {limit} MiB are passed on.")
    return state
