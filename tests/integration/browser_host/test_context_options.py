"""Options of a context reach the page, in a one-shot capture as in a session; bad ones are the client's error."""

from typing import Any

import pytest

from fleet.errors import InvalidRequest
from tests.integration.browser_host.browser import HTML_OUTPUT, Browser
from tests.pages.server import PagesServer

OPTIONS_AND_EFFECTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"user_agent": "Fleet/1.0"}, {"user_agent": "Fleet/1.0"}),
    ({"locale": "de-CH"}, {"language": "de-CH"}),
    ({"timezone_id": "Asia/Tokyo"}, {"timezone": "Asia/Tokyo"}),
    ({"viewport": {"width": 411, "height": 731}}, {"width": 411, "height": 731}),
    ({"device_scale_factor": 2.5}, {"ratio": 2.5}),
    ({"color_scheme": "dark"}, {"dark": True}),
    ({"color_scheme": "light"}, {"dark": False}),
]

BAD_OPTIONS: list[dict[str, Any]] = [
    {"timezone_id": "Mars/Phobos"},
    {"locale": "not a locale"},
    {"storage_state": {"cookies": [{"name": "a", "value": "b"}]}},
    {"storage_state": {"origins": [{"origin": "nonsense", "localStorage": [{"name": "a", "value": "b"}]}]}},
]


@pytest.mark.parametrize(("options", "effect"), OPTIONS_AND_EFFECTS, ids=str)
async def test_an_option_of_the_context_reaches_the_page(
    browser: Browser, pages: PagesServer, options: dict[str, Any], effect: dict[str, Any]
) -> None:
    captured = await browser.capture(f"{pages.url}/environment", context=options, outputs=[HTML_OUTPUT])
    assert {name: captured.told[name] for name in effect} == effect


async def test_an_option_of_a_session_reaches_its_captures(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(user_agent="Fleet/2.0")
    captured = await browser.capture_in(session_id, f"{pages.url}/environment", outputs=[HTML_OUTPUT])
    assert captured.told["user_agent"] == "Fleet/2.0"


async def test_extra_http_headers_are_sent(browser: Browser, pages: PagesServer) -> None:
    context = {"extra_http_headers": {"X-Team": "north", "Accept-Language": "fr"}}
    captured = await browser.capture(f"{pages.url}/headers", context=context, outputs=[HTML_OUTPUT])
    assert (captured.told["x-team"], captured.told["accept-language"]) == ("north", "fr")


async def test_http_credentials_answer_a_challenge(browser: Browser, pages: PagesServer) -> None:
    context = {"http_credentials": {"username": "ada", "password": "lovelace"}}
    captured = await browser.capture(f"{pages.url}/challenge", context=context, outputs=[HTML_OUTPUT])
    assert (captured.visit.status, captured.told) == (200, {"user": "ada", "password": "lovelace"})


async def test_without_java_script_no_script_runs(browser: Browser, pages: PagesServer) -> None:
    context = {"java_script_enabled": False}
    captured = await browser.capture(f"{pages.url}/scripted", context=context, outputs=[HTML_OUTPUT])
    assert "made by 2 scripts" not in captured.text


async def test_a_storage_state_brings_cookies_and_local_storage(browser: Browser, pages: PagesServer) -> None:
    state = {
        "cookies": [{"name": "visits", "value": "7", "url": pages.url}],
        "origins": [{"origin": pages.url, "localStorage": [{"name": "visits", "value": "9"}]}],
    }
    captured = await browser.capture(f"{pages.url}/cookie", context={"storage_state": state}, outputs=[HTML_OUTPUT])
    assert captured.told == {"cookie": 7, "storage": 9}


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=str)
async def test_an_option_that_chrome_refuses_is_an_invalid_request(
    browser: Browser, pages: PagesServer, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest):
        await browser.capture(f"{pages.url}/plain", context=options)


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=str)
async def test_a_session_with_an_option_that_chrome_refuses_leaves_no_context(
    browser: Browser, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest):
        await browser.open_session(**options)
    assert (browser.sessions.ids, await browser.contexts()) == ([], 0)


async def test_a_page_sees_the_device(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(
        f"{pages.url}/environment", context={"device": "iPhone 15", "locale": "de-CH"}, outputs=[HTML_OUTPUT]
    )
    assert "iPhone" in captured.told["user_agent"]
    assert (captured.told["ratio"], captured.told["language"]) == (3, "de-CH")


async def test_a_session_is_a_device_but_for_what_is_given(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(device="iPhone 15", user_agent="Fleet/3.0")
    captured = await browser.capture_in(session_id, f"{pages.url}/environment", outputs=[HTML_OUTPUT])
    assert (captured.told["user_agent"], captured.told["ratio"]) == ("Fleet/3.0", 3)
