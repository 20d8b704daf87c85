"""Persistent scripts run before the page's own, everywhere in their session, until they are removed."""

import asyncio

import pytest

from fleet.errors import CaptureTimeout
from tests.integration.browser_host.browser import HTML_OUTPUT, Browser, comes_true
from tests.pages.server import PagesServer

SCRIPT = "scr_one"
OTHER = "scr_other"


def visit(name: str) -> str:
    """A script that leaves its name where the page /visited shows it."""
    return f"window.visited = [...(window.visited ?? []), '{name}']"


async def visited(browser: Browser, session_id: str, url: str, scripts: dict[str, str] | None = None) -> list[str]:
    """Who ran in the page, in order."""
    captured = await browser.capture_in(session_id, url, scripts=scripts, outputs=[HTML_OUTPUT])
    told: list[str] = captured.told["visited"]
    return told


async def console_errors(browser: Browser, url: str, source: str) -> list[tuple[str | None, str | None, int | None]]:
    """Script, URL and line of each error of a visit with that script."""
    session_id = await browser.open_session()
    captured = await browser.capture_in(session_id, url, scripts={SCRIPT: source})
    return [(error.script_id, error.url, error.line) for error in captured.visit.console_errors]


async def test_a_script_runs_before_the_page_s_own(browser: Browser, pages: PagesServer) -> None:
    scripts = {SCRIPT: visit("script")}
    session_id = await browser.open_session(scripts=scripts)
    assert await visited(browser, session_id, f"{pages.url}/visited", scripts) == ["script", "page"]


async def test_a_script_of_the_session_s_creation_runs_in_its_first_page(browser: Browser, pages: PagesServer) -> None:
    scripts = {SCRIPT: visit("script")}
    session_id = await browser.open_session(scripts=scripts, url=f"{pages.url}/visited")
    captured = await browser.capture_in(session_id, scripts=scripts, outputs=[HTML_OUTPUT])
    assert captured.told["visited"] == ["script", "page"]


async def test_a_script_that_is_added_later_runs_from_the_next_navigation_on(
    browser: Browser, pages: PagesServer
) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/visited")
    assert await visited(browser, session_id, f"{pages.url}/visited", {SCRIPT: visit("new")}) == ["new", "page"]


async def test_a_script_runs_on_every_navigation(browser: Browser, pages: PagesServer) -> None:
    scripts = {SCRIPT: visit("script")}
    session_id = await browser.open_session(scripts=scripts)
    visits = [await visited(browser, session_id, f"{pages.url}/visited", scripts) for _ in range(2)]
    assert visits == [["script", "page"]] * 2


async def test_a_script_runs_in_frames(browser: Browser, pages: PagesServer) -> None:
    scripts = {SCRIPT: "if (window !== top) console.error(`in ${location.pathname}`)"}
    session_id = await browser.open_session()
    captured = await browser.capture_in(session_id, f"{pages.url}/framed", scripts=scripts)
    assert "in /visited" in [error.text for error in captured.visit.console_errors]


async def test_a_script_runs_in_a_new_page_after_a_capture_that_failed(browser: Browser, pages: PagesServer) -> None:
    scripts = {SCRIPT: visit("script")}
    session_id = await browser.open_session(scripts=scripts)
    with pytest.raises(CaptureTimeout):
        await browser.capture_in(session_id, f"{pages.url}/loop", scripts=scripts, timeout=500)
    assert await visited(browser, session_id, f"{pages.url}/visited", scripts) == ["script", "page"]


async def test_a_page_that_hangs_while_a_script_is_added_costs_one_capture(
    browser: Browser, pages: PagesServer
) -> None:
    scripts = {SCRIPT: visit("script")}
    session_id = await browser.open_session()
    hangs = pages.next_request("/counted")
    await browser.capture_in(session_id, f"{pages.url}/loop-later")
    await comes_true(hangs)
    with pytest.raises(CaptureTimeout):
        await browser.capture_in(session_id, f"{pages.url}/visited", scripts=scripts, timeout=500)
    assert await visited(browser, session_id, f"{pages.url}/visited", scripts) == ["script", "page"]


async def test_html_is_written_into_a_page_in_which_the_scripts_have_run(browser: Browser) -> None:
    scripts = {SCRIPT: visit("script")}
    session_id = await browser.open_session(scripts=scripts)
    html = "<pre></pre><script>document.querySelector('pre').textContent = JSON.stringify({visited})</script>"
    captured = await browser.capture_in(session_id, html=html, scripts=scripts, outputs=[HTML_OUTPUT])
    assert captured.told == {"visited": ["script"]}


async def test_a_removed_script_runs_no_more(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(scripts={SCRIPT: visit("script")})
    assert await visited(browser, session_id, f"{pages.url}/visited", {}) == ["page"]


async def test_what_stays_runs_when_another_script_is_removed(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(scripts={SCRIPT: visit("removed"), OTHER: visit("stays")})
    assert await visited(browser, session_id, f"{pages.url}/visited", {OTHER: visit("stays")}) == ["stays", "page"]


async def test_scripts_run_in_the_order_of_their_addition(browser: Browser, pages: PagesServer) -> None:
    names = [f"script {number}" for number in range(12)]
    scripts = {f"scr_{name}": visit(name) for name in reversed(names)}
    session_id = await browser.open_session()
    assert await visited(browser, session_id, f"{pages.url}/visited", scripts) == [*reversed(names), "page"]


async def test_scripts_of_one_session_do_not_run_in_another(browser: Browser, pages: PagesServer) -> None:
    await browser.open_session(scripts={SCRIPT: visit("script")})
    other = await browser.open_session()
    assert await visited(browser, other, f"{pages.url}/visited") == ["page"]


async def test_scripts_of_a_session_do_not_run_in_a_one_shot_capture(browser: Browser, pages: PagesServer) -> None:
    await browser.open_session(scripts={SCRIPT: visit("script")})
    captured = await browser.capture(f"{pages.url}/visited", outputs=[HTML_OUTPUT])
    assert captured.told["visited"] == ["page"]


async def test_a_script_that_throws_stops_neither_the_next_one_nor_the_page(
    browser: Browser, pages: PagesServer
) -> None:
    scripts = {SCRIPT: "throw new Error('on purpose')", OTHER: visit("next")}
    session_id = await browser.open_session()
    assert await visited(browser, session_id, f"{pages.url}/visited", scripts) == ["next", "page"]


@pytest.mark.parametrize(
    "throwing",
    [
        "throw new Error('on purpose')",
        "throw 'no error object'",
        "missing.function()",
        "setTimeout(() => { throw new Error('later') })",
        "Promise.reject(new Error('in a promise'))",
        "console.error('told')",
        "throw new Error('under another name') //# sourceURL=https://a.example/own.js",
    ],
    ids=lambda source: source[:30],
)
async def test_an_error_of_a_script_is_listed_under_its_id(browser: Browser, pages: PagesServer, throwing: str) -> None:
    found = await console_errors(browser, f"{pages.url}/late", throwing)
    assert (SCRIPT, None, 1) in found


async def test_an_error_of_a_script_has_the_line_in_its_source(browser: Browser, pages: PagesServer) -> None:
    found = await console_errors(browser, f"{pages.url}/plain", "\n\n\nthrow new Error('in line 4')")
    assert found == [(SCRIPT, None, 4)]


async def test_an_error_of_the_page_has_its_url_and_no_script(browser: Browser, pages: PagesServer) -> None:
    found = await console_errors(browser, f"{pages.url}/console", "1")
    assert {(script, url) for script, url, _ in found} == {(None, f"{pages.url}/console"), (None, f"{pages.url}/close")}


async def test_a_job_that_was_cancelled_while_scripts_were_added_leaves_none_twice(
    browser: Browser, pages: PagesServer
) -> None:
    scripts = {f"scr_{number}": visit(str(number)) for number in range(20)}
    session_id = await browser.open_session()
    held = browser.opened(session_id)
    cancelled = asyncio.ensure_future(browser.capture_in(session_id, f"{pages.url}/visited", scripts=scripts))
    await comes_true(lambda: held.scripts._added)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    names = [str(number) for number in range(20)]
    assert await visited(browser, session_id, f"{pages.url}/visited", scripts) == [*names, "page"]
