"""What is read off a page over CDP: Playwright's own script in it would end for good with all other scripts."""

from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

from workers.browser_host.translation import is_another_document

# A page that goes from one document to the next more often than this while it is read is not read.
_DOCUMENTS_MAX = 4


async def evaluated(cdp: CDPSession, expression: str) -> Any:
    """Its value, None where it has none or throws."""
    request = {"expression": expression, "returnByValue": True}
    answer = await cdp.send("Runtime.evaluate", request)
    if "exceptionDetails" in answer:
        # Where the page's scripts are stopped at this moment, so is this one; that happens once.
        answer = await cdp.send("Runtime.evaluate", request)
    return answer["result"].get("value")


async def html(cdp: CDPSession) -> str:
    """Of the document as it stands, with its doctype; no script of the page has a say in it."""
    for _ in range(_DOCUMENTS_MAX - 1):
        try:
            return await _outer_html(cdp)
        except PlaywrightError as error:
            if not is_another_document(error):
                raise
    return await _outer_html(cdp)


async def _outer_html(cdp: CDPSession) -> str:
    root = (await cdp.send("DOM.getDocument", {"depth": 0}))["root"]
    outer: str = (await cdp.send("DOM.getOuterHTML", {"nodeId": root["nodeId"]}))["outerHTML"]
    return outer
