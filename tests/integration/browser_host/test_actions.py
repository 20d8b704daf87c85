"""What a capture does on its page before outputs are taken."""

from typing import Any

import pytest

from fleet.errors import FleetError
from tests.integration.browser_host.browser import HTML_OUTPUT, Browser, Captured
from tests.pages.form_pages import PASSWORD
from tests.pages.server import PagesServer

LOG_IN = [
    {"kind": "fill", "selector": "#user", "value": "ada"},
    {"kind": "fill", "selector": "#password", "value": PASSWORD},
    {"kind": "click", "selector": "button"},
]

Action = dict[str, Any]


async def act(browser: Browser, url: str, *actions: Action, **request: Any) -> Captured:
    return await browser.capture(url, actions=list(actions), outputs=[HTML_OUTPUT], **request)


async def failure(browser: Browser, url: str, *actions: Action, **request: Any) -> FleetError:
    with pytest.raises(FleetError) as raised:
        await act(browser, url, *actions, **request)
    return raised.value


def on(kind: str, selector: str, **options: Any) -> Action:
    return {"kind": kind, "selector": selector, **options}


def evaluate(expression: str, **options: Any) -> Action:
    return {"kind": "evaluate", "expression": expression, **options}


# --- A login ---------------------------------------------------------------------


async def test_after_a_login_outputs_show_what_lies_behind_it(browser: Browser, pages: PagesServer) -> None:
    captured = await act(browser, f"{pages.url}/login", *LOG_IN)
    assert "Welcome, ada" in captured.text


async def test_the_manifest_tells_the_page_at_the_end_and_the_status_of_the_opening(
    browser: Browser, pages: PagesServer
) -> None:
    visit = (await act(browser, f"{pages.url}/login", *LOG_IN)).visit
    assert (visit.url, visit.final_url) == (f"{pages.url}/login", f"{pages.url}/members")
    assert (visit.title, visit.status, visit.redirects) == ("Members", 200, [])


async def test_the_page_behind_a_click_has_loaded_before_outputs_are_taken(
    browser: Browser, pages: PagesServer
) -> None:
    captured = await act(browser, f"{pages.url}/login", *LOG_IN)
    assert "picture of 1 pixel" in captured.text


async def test_goto_wait_until_also_says_what_of_the_page_behind_a_click_is_waited_for(
    browser: Browser, pages: PagesServer
) -> None:
    captured = await act(browser, f"{pages.url}/login", *LOG_IN, goto={"wait_until": "domcontentloaded"})
    assert "Welcome, ada" in captured.text
    assert "picture of 1 pixel" not in captured.text


async def test_enter_in_a_field_sends_its_form(browser: Browser, pages: PagesServer) -> None:
    captured = await act(browser, f"{pages.url}/login", *LOG_IN[:2], on("press", "#password", key="Enter"))
    assert captured.visit.title == "Members"


async def test_a_key_without_a_selector_goes_to_where_the_focus_is(browser: Browser, pages: PagesServer) -> None:
    captured = await act(browser, f"{pages.url}/login", *LOG_IN[:2], {"kind": "press", "key": "Enter"})
    assert captured.visit.title == "Members"


async def test_a_session_that_has_logged_in_stays_so(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session()
    await browser.capture_in(session_id, f"{pages.url}/login", actions=LOG_IN)
    captured = await browser.capture_in(session_id, f"{pages.url}/members", outputs=[HTML_OUTPUT])
    assert "Welcome, ada" in captured.text


async def test_actions_go_on_with_the_page_as_it_stands(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/login")
    await browser.capture_in(session_id, actions=LOG_IN[:2])
    captured = await browser.capture_in(session_id, actions=LOG_IN[2:], outputs=[HTML_OUTPUT])
    assert "Welcome, ada" in captured.text


# --- What each kind does -----------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "events"),
    [
        (on("click", "#button"), ["click button "]),
        (on("click", "#button", click_count=2), ["click button ", "click button ", "dblclick button "]),
        (on("click", "#button", button="right"), ["contextmenu button "]),
        (on("click", "#button", modifiers=["Shift"]), ["click button  shiftKey"]),
        (on("click", "#covered", force=True), ["click cover "]),
        (on("fill", "#text", value="some text"), ["input text some text"]),
        (on("press", "#text", key="A"), ["keydown text A", "input text A"]),
        (on("check", "#box"), ["click box true", "input box true", "change box true"]),
        (on("uncheck", "#box"), []),
        (on("select_option", "#one", value="b"), ["input one b", "change one b"]),
        (on("select_option", "#one", label="Pear"), ["input one b", "change one b"]),
        (on("select_option", "#one", index=1), ["input one b", "change one b"]),
        (on("select_option", "#many", value=["a", "c"]), ["input many a,c", "change many a,c"]),
        (evaluate("tell('from outside')"), ["from outside"]),
        (evaluate("async () => { await null; tell('from a function') }"), ["from a function"]),
    ],
    ids=lambda part: " ".join(map(str, part.values())) if isinstance(part, dict) else "",
)
async def test_each_kind_of_action_reaches_the_page(
    browser: Browser, pages: PagesServer, action: Action, events: list[str]
) -> None:
    told = (await act(browser, f"{pages.url}/controls", action)).told
    # The mouse passes over what it clicks, and a modifier is a key too.
    assert [event for event in told if not event.startswith(("mouseover", "keydown BODY"))] == events


async def test_the_mouse_can_rest_on_an_element(browser: Browser, pages: PagesServer) -> None:
    captured = await act(browser, f"{pages.url}/controls", on("hover", "#button"))
    assert captured.told[-1] == "mouseover button "


@pytest.mark.parametrize(
    ("action", "place"),
    [
        ({"kind": "scroll", "delta_y": 500}, "scrollY === 500"),
        (on("scroll", "#below"), "scrollY > 0 && document.querySelector('#below').getBoundingClientRect().top < 720"),
        ({"kind": "scroll", "delta_y": 1_000_000}, "scrollY + innerHeight === document.documentElement.scrollHeight"),
    ],
    ids=["by", "to", "end"],
)
async def test_a_page_can_be_scrolled(browser: Browser, pages: PagesServer, action: Action, place: str) -> None:
    captured = await act(browser, f"{pages.url}/controls", action, evaluate(f"tell({place})"))
    assert captured.told[-1] == "true"


@pytest.mark.parametrize(
    "wait",
    [
        on("wait_for_selector", "#late"),
        {"kind": "wait_for_function", "expression": "document.querySelector('#late')"},
        {"kind": "wait_for_function", "expression": "() => !!document.querySelector('#late')"},
        {"kind": "wait_for_timeout", "timeout": 900},
    ],
    ids=lambda wait: " ".join(map(str, wait.values())),
)
async def test_waits_between_actions_let_the_page_go_on(browser: Browser, pages: PagesServer, wait: Action) -> None:
    captured = await act(browser, f"{pages.url}/late", wait)
    assert "Here I am</p>" in captured.text


async def test_wait_for_function_works_under_a_strict_content_security_policy(
    browser: Browser, pages: PagesServer
) -> None:
    wait = {"kind": "wait_for_function", "expression": "window.late === 1"}
    later = evaluate("setTimeout(() => { window.late = 1 }, 200); 0")
    captured = await act(browser, f"{pages.url}/strict", later, wait)
    assert captured.visit.title == "Strict"


async def test_wait_for_url_waits_for_a_navigation_that_comes_later(browser: Browser, pages: PagesServer) -> None:
    later = evaluate("setTimeout(() => { location = '/plain' }, 400); 0")
    captured = await act(browser, f"{pages.url}/controls", later, {"kind": "wait_for_url", "url": "**/plain"})
    assert captured.visit.title == "Plain"


async def test_wait_for_load_state_waits_for_what_was_not_waited_for_before(
    browser: Browser, pages: PagesServer
) -> None:
    goto = {"wait_until": "domcontentloaded"}
    wait = {"kind": "wait_for_load_state", "state": "load"}
    captured = await act(browser, f"{pages.url}/images", wait, goto=goto)
    assert "image of 1 pixel is there" in captured.text


async def test_goto_opens_another_page(browser: Browser, pages: PagesServer) -> None:
    goto = {"kind": "goto", "url": f"{pages.url}/headers", "referer": "http://elsewhere.example/"}
    captured = await act(browser, f"{pages.url}/controls", goto)
    assert captured.told["referer"] == "http://elsewhere.example/"


# --- Actions that lead away ----------------------------------------------------------


@pytest.mark.parametrize(
    "leaving",
    [
        on("click", "#plain"),
        on("click", "#soon"),
        on("click", "#twice"),
        evaluate("location = '/plain'"),
        evaluate("location = '/plain'; new Promise(() => {})"),
        evaluate("document.querySelector('#plain').click()"),
    ],
    ids=lambda action: " ".join(map(str, action.values())),
)
async def test_the_next_action_sees_the_page_that_an_action_leads_to(
    browser: Browser, pages: PagesServer, leaving: Action
) -> None:
    captured = await act(browser, f"{pages.url}/controls", leaving, evaluate("document.title += ', seen'"))
    assert captured.visit.title == "Plain, seen"


@pytest.mark.parametrize("link", ["#file", "#nothing", "#part"])
async def test_a_link_that_leads_to_no_page_leaves_the_page_as_it_is(
    browser: Browser, pages: PagesServer, link: str
) -> None:
    captured = await act(browser, f"{pages.url}/controls", on("click", link), on("click", "#button"))
    assert captured.told[-1] == "click button "


async def test_another_tab_is_closed_and_told(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session()
    actions = [on("click", "#tab"), on("click", "#button")]
    captured = await browser.capture_in(session_id, f"{pages.url}/controls", actions=actions)
    assert captured.visit.title == "Controls"
    assert captured.visit.warnings == ["Actions opened 1 more tabs, which were closed; captures see the first tab."]
    assert len(browser.opened(session_id).context.pages) == 1


# --- Failures --------------------------------------------------------------------------

SHORT = {"timeout": 300}
FAILURES: list[tuple[Action, str]] = [
    (on("click", "#missing", **SHORT), "selector_not_found"),
    (on("click", "#hidden", **SHORT), "selector_not_found"),
    (on("scroll", "#missing", **SHORT), "selector_not_found"),
    (on("click", "###"), "invalid_request"),
    (on("click", "no-engine=a"), "invalid_request"),
    (on("click", "xpath=//["), "invalid_request"),
    (on("wait_for_selector", "###"), "invalid_request"),
    (on("press", "#text", key="NoSuchKey"), "invalid_request"),
    ({"kind": "press", "key": "NoSuchKey"}, "invalid_request"),
    (on("click", "#disabled", **SHORT), "action_failed"),
    (on("click", "#covered", **SHORT), "action_failed"),
    (on("fill", "#readonly", value="a", **SHORT), "action_failed"),
    (on("fill", "#number", value="a"), "action_failed"),
    (on("fill", "#button", value="a"), "action_failed"),
    (on("check", "#button"), "action_failed"),
    (on("check", "#stubborn"), "action_failed"),
    (on("select_option", "#one", value="z", **SHORT), "action_failed"),
    (evaluate("nowhere.to.be.found"), "action_failed"),
    (evaluate("not javascript"), "action_failed"),
    (evaluate("new Promise(() => {})", **SHORT), "action_failed"),
    (evaluate("for (;;) {}", **SHORT), "action_failed"),
    ({"kind": "wait_for_function", "expression": "nowhere.to.be.found"}, "action_failed"),
    ({"kind": "wait_for_function", "expression": "false", **SHORT}, "wait_timeout"),
    (on("wait_for_selector", "#missing", **SHORT), "wait_timeout"),
    ({"kind": "wait_for_url", "url": "**/elsewhere", **SHORT}, "wait_timeout"),
    ({"kind": "goto", "url": "http://127.0.0.2/"}, "egress_blocked"),
    ({"kind": "goto", "url": "http://no-such-host.invalid/"}, "name_not_resolved"),
    (on("click", "#refused"), "egress_blocked"),
    (on("click", "#never", **SHORT), "navigation_timeout"),
    (evaluate("location = 'http://no-such-host.invalid/'"), "name_not_resolved"),
]


@pytest.mark.parametrize(
    ("action", "code"), FAILURES, ids=[f"{' '.join(map(str, action.values()))} {code}" for action, code in FAILURES]
)
async def test_a_failure_names_its_action_and_says_what_it_was(
    browser: Browser, pages: PagesServer, action: Action, code: str
) -> None:
    error = await failure(browser, f"{pages.url}/controls", on("hover", "#button"), action)
    assert error.code == code
    assert error.details == {"action": action["kind"], "index": 1}
    assert error.message.startswith(f"actions[1] ({action['kind']}): ")


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (on("click", "#disabled", **SHORT), "'#disabled' is not enabled"),
        (on("click", "#covered", **SHORT), "'#covered' is covered by another element"),
        (on("fill", "#readonly", value="a", **SHORT), "'#readonly' cannot be edited"),
        (on("select_option", "#one", value="z", **SHORT), "'#one' has no such option"),
        (evaluate("throw Error('out of luck')"), "out of luck"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
async def test_a_failure_says_why(browser: Browser, pages: PagesServer, action: Action, reason: str) -> None:
    error = await failure(browser, f"{pages.url}/controls", action)
    assert reason in error.message


async def test_a_wait_in_vain_is_told_by_the_navigation_that_failed_meanwhile(
    browser: Browser, pages: PagesServer
) -> None:
    later = evaluate("setTimeout(() => { location = 'http://127.0.0.2/' }, 300); 0")
    wait = on("wait_for_selector", "#welcome", timeout=1_500)
    error = await failure(browser, f"{pages.url}/controls", later, wait)
    assert (error.code, error.details["index"]) == ("egress_blocked", 1)


async def test_a_page_that_does_not_load_after_a_click_is_waited_for_as_long_as_goto_allows(
    browser: Browser, pages: PagesServer
) -> None:
    html = f"<a href={pages.url}/slow>slow</a>"
    with pytest.raises(FleetError) as raised:
        await browser.capture(html=html, actions=[on("click", "a")], goto={"timeout": 600})
    assert (raised.value.code, raised.value.details["index"]) == ("navigation_timeout", 0)


async def test_the_timeout_of_the_capture_ends_its_actions(browser: Browser, pages: PagesServer) -> None:
    error = await failure(browser, f"{pages.url}/controls", on("click", "#missing"), timeout=900)
    assert error.code == "capture_timeout"


async def test_actions_after_one_that_failed_are_not_done(browser: Browser, pages: PagesServer) -> None:
    asked = pages.next_request("/counted")
    count = {"kind": "goto", "url": f"{pages.url}/counted"}
    await failure(browser, f"{pages.url}/controls", on("click", "#missing", **SHORT), count)
    assert not asked()


SECRET = "hunter2"
QUOTED = [
    on("fill", "#missing", value=SECRET, **SHORT),
    on("fill", "#readonly", value=SECRET, **SHORT),
    on("fill", "#number", value=SECRET),
    on("press", "#text", key=SECRET),
    on("select_option", "#one", value=SECRET, **SHORT),
]


@pytest.mark.parametrize("action", QUOTED, ids=lambda action: f"{action['kind']} {action['selector']}")
async def test_what_was_to_be_filled_in_is_in_no_error(browser: Browser, pages: PagesServer, action: Action) -> None:
    error = await failure(browser, f"{pages.url}/controls", action)
    causes = [error, error.__cause__, error.__cause__ and error.__cause__.__cause__]
    assert not any(SECRET in f"{cause!r} {getattr(cause, 'details', '')}" for cause in causes)


async def test_what_was_filled_in_is_not_in_the_manifest(browser: Browser, pages: PagesServer) -> None:
    captured = await act(browser, f"{pages.url}/login", *LOG_IN)
    assert PASSWORD not in captured.visit.model_dump_json()
