"""Connections through the egress proxy come to an end with the page that wanted them."""

import pytest

from fleet.errors import CaptureTimeout
from tests.integration.browser_host.browser import Browser, comes_true
from tests.pages.server import PagesServer


@pytest.mark.parametrize("path", ["never", "slow"])
async def test_a_server_that_never_ends_its_answer_is_not_waited_for(
    browser: Browser, pages: PagesServer, path: str
) -> None:
    is_asked = pages.next_request(f"/{path}")
    with pytest.raises(CaptureTimeout):
        await browser.capture(f"{pages.url}/{path}", timeout=3000)
    assert is_asked()
    await comes_true(lambda: not browser._egress._connections)
