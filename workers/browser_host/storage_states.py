"""What a context would need to be logged in elsewhere: its cookies, localStorage and IndexedDB."""

import json

from playwright.async_api import BrowserContext

from fleet.errors import OutputTooLarge
from workers.browser_host.translation import page_errors

# More than the API takes in a body by default, less than hurts where it is kept.
_MAX_BYTES = 16 * 1024 * 1024


async def storage_state_json(context: BrowserContext) -> str:
    """ASCII. Raises OutputTooLarge, BrowserUnavailable or CaptureFailed."""
    with page_errors():
        state = await context.storage_state(indexed_db=True)
    found = json.dumps(state)
    if len(found) > _MAX_BYTES:
        limit = _MAX_BYTES // 1024 // 1024
        raise OutputTooLarge(f"The storage state has {len(found)} bytes; at most {limit} MiB are passed on.")
    return found
