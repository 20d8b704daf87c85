"""Each hostile page ends within its job's timeout with its own outcome, idles then, and its session captures on."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Error as PlaywrightError

from fleet.errors import FleetError
from fleet.store import Store
from tests.integration.browser_host.browser import HTML_OUTPUT, Browser, Captured, comes_true
from tests.integration.worker.processes import descendants
from tests.pages.server import PagesServer
from workers.browser_host.page_limits import PageLimits

_FOLDER = Path(__file__).parents[2] / "pages" / "hostile"
# As a worker has them, but for its patience.
LIMITS = PageLimits(
    heap_bytes=100 * 1024**2,
    dom_bytes=300 * 1024**2,
    process_bytes=500 * 1024**2,
    measure_seconds=0.2,
    hung_seconds=4,
    leave_seconds=1,
    idle_seconds=0.5,
)
# Of processor time, over a look. A page that toils takes many times as much.
_IDLE_SHARE = 0.15
_LOOK_SECONDS = 0.5
# Of Chrome and Playwright: what they take for a small page, and what a page can take between two looks at it, which on
# a busy machine are seconds apart. Without limits it would be all that there is.
_MEMORY_BYTES = 5 * 1024**3
CAPTURED = "captured"
PICTURE = {"kind": "screenshot"}


@dataclass(frozen=True)
class Hostile:
    """`end`: CAPTURED, or the code of its error. `warning`: a part of one that tells what was done to the page."""

    name: str
    end: str = CAPTURED
    warning: str = ""
    request: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


STOPPED = "did not end"
SHORT = {"goto": {"timeout": 1_500}}

HOSTILE = [
    Hostile("loop_while_parsing", warning=STOPPED),
    Hostile("loop_on_load", warning=STOPPED),
    Hostile("loop_in_timer", warning=STOPPED),
    Hostile("loop_in_every_timer", warning=STOPPED),
    Hostile("loop_in_promises", "out_of_memory"),
    Hostile("loop_in_unload"),
    Hostile("loop_in_worker"),
    Hostile("meta_refresh_loop", "page_unresponsive"),
    Hostile("location_loop", "navigation_timeout", request=SHORT),
    Hostile("alert_loop", warning=STOPPED),
    Hostile("confirm_loop", warning=STOPPED),
    Hostile("beforeunload_loop", "page_unresponsive"),
    Hostile("popups_200", "page_unresponsive"),
    Hostile("popups_for_ever", "page_unresponsive"),
    Hostile("download_1_gb"),
    Hostile("gzip_bomb"),
    Hostile("tall_100000_px", warning="too large", request={"outputs": [PICTURE | {"full_page": True}]}),
    Hostile("nodes_200000"),
    Hostile("heap_of_objects", "out_of_memory"),
    Hostile("heap_of_buffers", "out_of_memory", request={"wait_for_timeout": 20_000}),
    Hostile("heap_of_nodes", "out_of_memory", request={"wait_for_timeout": 20_000}),
    Hostile("buffers_in_a_loop", "out_of_memory"),
    Hostile("garbage"),
    Hostile("hung_font_host", warning="fonts", request={"goto": {"wait_until": "domcontentloaded"}}),
    Hostile("websocket_flood", "page_unresponsive", request={"wait_for_timeout": 20_000}),
    Hostile("console_flood", warning="console"),
    Hostile("exception_flood", warning="console"),
    Hostile("window_close"),
    # The longer the picture takes, the more there is to paint.
    Hostile("document_write_for_ever", request={"timeout": 60_000}),
    Hostile("service_worker_loop"),
    Hostile("webgl_16384"),
    Hostile("canvas_16384", "out_of_memory", request={"wait_for_timeout": 20_000}),
    Hostile("print_dialogs"),
    Hostile("camera_and_notifications"),
]


@pytest.fixture(scope="module")
def impatient_browser(runner: asyncio.Runner, browser_store: Store) -> Iterator[Browser]:
    impatient = Browser(browser_store, limits=LIMITS)
    runner.run(impatient.start())
    yield impatient
    runner.run(impatient.stop())


@pytest.fixture
def hostile_browser(impatient_browser: Browser, runner: asyncio.Runner) -> Iterator[Browser]:
    yield impatient_browser
    runner.run(impatient_browser.close_sessions())


def test_each_hostile_page_has_its_test() -> None:
    assert sorted(path.stem for path in _FOLDER.glob("*.html")) == sorted(hostile.name for hostile in HOSTILE)


@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
async def test_a_hostile_page_has_its_own_end_and_harms_nothing_else(
    hostile_browser: Browser, pages: PagesServer, hostile: Hostile
) -> None:
    """Its code or warning is its own, memory stays bounded, the renderers idle, and its session captures on."""
    session_id = await hostile_browser.open_session(url=f"{pages.url}/cookie")
    watching = asyncio.create_task(_peak_of_memory(highest := [0]))
    end, captured = await _end(_attack(hostile_browser, session_id, pages, hostile))
    watching.cancel()
    assert end == hostile.end
    assert captured is None or hostile.warning in " ".join(captured.visit.warnings)
    assert highest[0] < _MEMORY_BYTES
    await comes_true(lambda: _idles(hostile_browser))
    after = await hostile_browser.capture_in(session_id, f"{pages.url}/cookie", outputs=[HTML_OUTPUT])
    assert after.told == {"cookie": 1, "storage": 1}


async def test_an_array_buffer_over_the_limit_is_noticed_between_captures(
    hostile_browser: Browser, pages: PagesServer
) -> None:
    session_id = await hostile_browser.open_session(url=f"{pages.url}/hostile/heap_of_buffers")
    page = await hostile_browser.opened(session_id).ensure_page()
    await comes_true(page.is_closed)


async def test_a_neighbour_of_a_page_without_memory_left_does_not_notice(
    hostile_browser: Browser, pages: PagesServer
) -> None:
    hostile = Hostile("heap_of_buffers", request={"wait_for_timeout": 20_000})
    one, other = await hostile_browser.open_session(), await hostile_browser.open_session(url=f"{pages.url}/cookie")
    page = await hostile_browser.opened(other).ensure_page()
    await _end(_attack(hostile_browser, one, pages, hostile))
    assert await hostile_browser.opened(other).ensure_page() is page


async def test_a_chrome_ends_no_page_of_another_one(
    hostile_browser: Browser, browser_store: Store, pages: PagesServer
) -> None:
    """Two run while one is replaced."""
    page = await hostile_browser.opened(await hostile_browser.open_session(url=f"{pages.url}/cookie")).ensure_page()
    strict = Browser(browser_store, limits=replace(LIMITS, process_bytes=1))
    await strict.start()
    try:
        end, _ = await _end(strict.capture(f"{pages.url}/plain", wait_for_timeout=20_000))
    finally:
        await strict.stop()
    assert (end, page.is_closed()) == ("out_of_memory", False)
    assert await page.evaluate("1 + 1") == 2


async def test_a_page_paused_between_captures_goes_on_in_the_next(hostile_browser: Browser) -> None:
    toils = """<p>0</p><script>
      setInterval(() => { for (const end = performance.now() + 8; performance.now() < end;) {} }, 20)
      setInterval(() => { document.querySelector('p').textContent = performance.now() }, 50)
    </script>"""
    session_id = await hostile_browser.open_session()
    await hostile_browser.capture_in(session_id, html=toils)
    await comes_true(lambda: _idles(hostile_browser))
    one = await hostile_browser.capture_in(session_id, outputs=[HTML_OUTPUT], wait_for_timeout=200)
    other = await hostile_browser.capture_in(session_id, outputs=[HTML_OUTPUT], wait_for_timeout=200)
    assert one.text != other.text


async def test_a_hung_font_keeps_no_screenshot_from_being_taken_by_playwright(
    hostile_browser: Browser, pages: PagesServer
) -> None:
    goto, picture = {"wait_until": "domcontentloaded"}, PICTURE | {"animations": "disabled"}
    captured = await hostile_browser.capture(f"{pages.url}/hostile/hung_font_host", goto=goto, outputs=[picture])
    assert "fonts" in " ".join(captured.visit.warnings)


async def test_what_is_read_while_the_page_s_scripts_are_stopped_is_read_again(
    runner: asyncio.Runner, browser_store: Store, pages: PagesServer
) -> None:
    """The page's layout takes longer than that, so that our own reading is what is stopped."""
    hasty = Browser(browser_store, limits=replace(LIMITS, measure_seconds=0.05, hung_seconds=0.15))
    await hasty.start()
    try:
        captured = await hasty.capture(f"{pages.url}/hostile/nodes_200000", outputs=[HTML_OUTPUT, PICTURE])
    finally:
        await hasty.stop()
    assert STOPPED in " ".join(captured.visit.warnings)


async def test_a_script_of_the_session_that_never_ends_is_stopped(hostile_browser: Browser, pages: PagesServer) -> None:
    session_id = await hostile_browser.open_session()
    captured = await hostile_browser.capture_in(session_id, f"{pages.url}/plain", scripts={"scr_1": "for (;;) {}"})
    assert STOPPED in " ".join(captured.visit.warnings)


async def test_a_renderer_that_is_killed_is_a_crash(hostile_browser: Browser, pages: PagesServer) -> None:
    is_loaded = pages.next_request("/plain")
    capturing = asyncio.ensure_future(_end(hostile_browser.capture(f"{pages.url}/settled", wait_for_timeout=20_000)))
    await comes_true(is_loaded)
    for pid in await hostile_browser.process_ids("renderer"):
        os.kill(pid, signal.SIGKILL)
    assert (await capturing)[0] == "page_crashed"


async def test_chrome_s_own_crash_page_is_a_crash_and_the_session_captures_on(
    hostile_browser: Browser, pages: PagesServer
) -> None:
    session_id = await hostile_browser.open_session()
    page = await hostile_browser.opened(session_id).ensure_page()
    is_loaded = pages.next_request("/plain")
    capture = hostile_browser.capture_in(session_id, f"{pages.url}/settled", wait_for_timeout=20_000)
    capturing = asyncio.ensure_future(_end(capture))
    await comes_true(is_loaded)
    with contextlib.suppress(PlaywrightError):
        await page.goto("chrome://crash")
    end, _ = await capturing
    captured = await hostile_browser.capture_in(session_id, f"{pages.url}/plain")
    assert (end, captured.visit.title) == ("page_crashed", "Plain")


async def _attack(browser: Browser, session_id: str, pages: PagesServer, hostile: Hostile) -> Captured:
    """Long enough for a page to do its worst: some begin after their load."""
    request = {"wait_for_timeout": 1_500, "timeout": 25_000, "outputs": [HTML_OUTPUT, PICTURE], **hostile.request}
    return await browser.capture_in(session_id, f"{pages.url}/hostile/{hostile.name}", **request)


async def _end(capturing: Awaitable[Captured]) -> tuple[str, Captured | None]:
    """CAPTURED and what was, or the code of the error."""
    try:
        return CAPTURED, await capturing
    except FleetError as error:
        return error.code, None


async def _idles(browser: Browser) -> bool:
    before = await _cpu_seconds(browser)
    await asyncio.sleep(_LOOK_SECONDS)
    after = await _cpu_seconds(browser)
    return sum(after[pid] - before.get(pid, 0) for pid in after) < _IDLE_SHARE * _LOOK_SECONDS


async def _cpu_seconds(browser: Browser) -> dict[int, float]:
    return {pid: _cpu_seconds_of(pid) for pid in await browser.process_ids("renderer")}


def _cpu_seconds_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    user, system = fields[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def _peak_of_memory(highest: list[int]) -> None:
    """Of all that Chrome and Playwright keep for themselves, in bytes, in `highest[0]`."""
    while True:
        taken = await asyncio.to_thread(lambda: sum(map(_own_bytes, descendants(os.getpid()))))
        highest[0] = max(highest[0], taken)
        await asyncio.sleep(0.1)


def _own_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))
