"""Each way in which a page fails has its own code, and none of them spoils the session that met it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from fleet.errors import FleetError
from tests.integration.browser_host.browser import HTML_OUTPUT, Browser
from tests.integration.redis_server import free_port
from tests.pages.certificate import self_signed
from tests.pages.server import PagesServer


@dataclass(frozen=True)
class Failure:
    """`path` under the misbehaving server, or the whole of a `url`; `request`: more of the capture's body."""

    code: str
    path: str = ""
    url: str = ""
    request: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.path or self.url} {self.code}"

    def body(self, pages: PagesServer) -> dict[str, Any]:
        if "html" in self.request:
            return self.request
        return {"url": self.url or f"{pages.url}{self.path}", **self.request}


# What a missing element and a stalled page are waited for, in milliseconds.
SHORT = {"timeout": 400}
LONG_ENOUGH = {"timeout": 30_000}

_WITHOUT_FONTS = "<script>Object.defineProperty(document, 'fonts', {get() { throw Error('none') }})</script>"

FAILURES = [
    Failure("name_not_resolved", url="http://no-such-host.invalid/"),
    Failure("connection_refused", url=f"http://127.0.0.1:{free_port()}/"),
    Failure("egress_blocked", url=f"http://127.0.0.2:{free_port()}/"),
    Failure("connection_failed", "/close"),
    Failure("too_many_redirects", "/redirect-loop"),
    Failure("navigation_timeout", "/never", request={"goto": SHORT}),
    Failure("navigation_timeout", "/slow", request={"goto": {"wait_until": "load", **SHORT}}),
    Failure("download_started", "/download"),
    Failure("download_started", "/no-content"),
    Failure("out_of_memory", "/allocate", request=LONG_ENOUGH),
    Failure("wait_timeout", "/plain", request={"wait_for_selector": {"selector": "#missing", **SHORT}}),
    Failure("wait_timeout", "/plain", request={"wait_for_function": {"expression": "false", **SHORT}}),
    Failure("wait_timeout", "/plain", request={"wait_for_function": {"expression": "for (;;) {}", **SHORT}}),
    Failure("invalid_request", "/plain", request={"wait_for_function": {"expression": "nowhere.to.be.found"}}),
    Failure("selector_not_found", "/plain", request={"outputs": [{"kind": "screenshot", "selector": "#missing"}]}),
    Failure("invalid_request", "/plain", request={"wait_for_selector": {"selector": "###"}}),
    Failure("invalid_request", "/plain", request={"outputs": [{"kind": "screenshot", "selector": "###"}]}),
    Failure("capture_failed", request={"html": _WITHOUT_FONTS}),
    Failure("capture_failed", "/plain", request={"outputs": [{"kind": "pdf", "page_ranges": "99"}]}),
    Failure("capture_timeout", "/loop", request={"timeout": 1_000}),
    Failure("capture_timeout", "/plain", request={"timeout": 1_000, "wait_for_timeout": 60_000}),
]


@pytest.fixture(scope="module")
def untrusted_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PagesServer]:
    with PagesServer(self_signed(tmp_path_factory.mktemp("certificate"))) as running:
        yield running


@pytest.mark.parametrize("failure", FAILURES, ids=str)
async def test_each_failure_of_a_page_has_its_own_code(browser: Browser, pages: PagesServer, failure: Failure) -> None:
    with pytest.raises(FleetError) as raised:
        await browser.capture(**failure.body(pages))
    assert raised.value.code == failure.code


@pytest.mark.parametrize("failure", FAILURES, ids=str)
async def test_after_any_failure_the_session_captures_on_and_is_still_logged_in(
    browser: Browser, pages: PagesServer, failure: Failure
) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/cookie")
    with pytest.raises(FleetError):
        await browser.capture_in(session_id, **failure.body(pages))
    captured = await browser.capture_in(session_id, f"{pages.url}/cookie", outputs=[HTML_OUTPUT])
    assert captured.told == {"cookie": 1, "storage": 1}


async def test_after_a_crash_between_two_captures_the_session_captures_on(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session()
    page = await browser.opened(session_id).ensure_page()
    async with page.expect_event("crash"):
        await browser.capture_in(session_id, f"{pages.url}/allocate-later")
    captured = await browser.capture_in(session_id, f"{pages.url}/plain")
    assert captured.visit.title == "Plain"


async def test_a_site_whose_certificate_nobody_signed_is_a_tls_error(
    browser: Browser, untrusted_pages: PagesServer
) -> None:
    with pytest.raises(FleetError) as raised:
        await browser.capture(f"{untrusted_pages.url}/plain")
    assert raised.value.code == "tls_error"


async def test_with_ignore_https_errors_a_bad_certificate_is_no_failure(
    browser: Browser, untrusted_pages: PagesServer
) -> None:
    captured = await browser.capture(f"{untrusted_pages.url}/plain", context={"ignore_https_errors": True})
    assert captured.visit.title == "Plain"


@pytest.mark.parametrize("status", [404, 500])
async def test_an_http_error_is_a_page_like_any_other(browser: Browser, pages: PagesServer, status: int) -> None:
    captured = await browser.capture(f"{pages.url}/status/{status}", outputs=[HTML_OUTPUT])
    assert captured.visit.status == status
    assert f"<h1>{status}</h1>" in captured.text
