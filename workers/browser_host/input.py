"""What viewers do in a session's page: one after the other, between its jobs."""

import asyncio
import contextlib
from collections import deque

import structlog
from playwright.async_api import Page

from fleet.errors import FleetError, InternalError, PageUnresponsive, SessionBusy
from fleet.models.input import (
    Click,
    GoBack,
    GoForward,
    GoTo,
    Input,
    InsertText,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseMove,
    MouseUp,
    Press,
    Reload,
    Wheel,
)
from fleet.models.waits import Goto
from fleet.store import Store
from fleet.store.asks import InputAsk
from workers.browser_host.background import Background
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.gate import Gate
from workers.browser_host.navigation import goto
from workers.browser_host.sessions import Sessions
from workers.browser_host.translation import action_errors, navigation_errors

# Of one session. Who is faster than the page is told so.
_WAITING_MAX = 100
# A job may run longer; then the viewer decides whether to try again.
_PATIENCE_SECONDS = 1.0
_ACT_SECONDS = 5.0
_NAVIGATE_MS = 15_000

_log = structlog.get_logger(__name__)


class SessionInput:
    """Of one watched session, from `start` to `stop`."""

    def __init__(self, session_id: str, sessions: Sessions, store: Store, egress: EgressProxy, gate: Gate) -> None:
        self._session_id = session_id
        self._sessions = sessions
        self._store = store
        self._egress = egress
        self._gate = gate
        self._waiting: deque[InputAsk] = deque()
        self._arrived = asyncio.Event()
        self._background = Background()

    def start(self) -> None:
        self._background.begin(self._work())

    async def stop(self) -> None:
        await self._background.stop()

    def add(self, ask: InputAsk) -> None:
        if self._waiting and _replaces(ask.input, self._waiting[-1].input):
            self._waiting.pop()
        if len(self._waiting) >= _WAITING_MAX:
            busy = SessionBusy(f"{_WAITING_MAX} inputs wait already; the page is slower than its viewers.")
            self._background.begin(self._refuse(ask, busy))
            return
        self._waiting.append(ask)
        self._arrived.set()

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                ask = self._waiting.popleft()
                try:
                    await self._act(ask.input)
                except FleetError as error:
                    await self._refuse(ask, error)
                except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
                    _log.exception("input failed by a defect", session=self._session_id)
                    await self._refuse(ask, InternalError("The worker failed; its log has the cause."))

    async def _refuse(self, ask: InputAsk, error: FleetError) -> None:
        facts = {"viewer_id": ask.viewer_id, "code": error.code, "message": error.message}
        with contextlib.suppress(FleetError):
            await asyncio.to_thread(
                self._store.events.publish, self._session_id, "input", "refused", kind=ask.input.kind, **facts
            )

    async def _act(self, wanted: Input) -> None:
        """Raises SessionBusy while a job runs: what a capture sees does not depend on who watches."""
        if not await self._sessions.is_free(self._session_id, within=_PATIENCE_SECONDS):
            raise SessionBusy("A job of the session runs; input is taken between jobs.")
        async with self._gate.passed(), self._sessions.using(self._session_id) as opened:
            page = await opened.ensure_page()
            await opened.chrome.idle.wake(page)
            try:
                await _do(page, wanted, self._egress)
            finally:
                opened.chrome.idle.begin(page)


def _replaces(new: Input, old: Input) -> bool:
    """Where the mouse was on its way does not matter while nothing else happened there."""
    return isinstance(new, MouseMove) and isinstance(old, MouseMove)


async def _do(page: Page, wanted: Input, egress: EgressProxy) -> None:
    match wanted:
        case GoTo():
            await goto(page, wanted.url, Goto(wait_until="commit", timeout=_NAVIGATE_MS), egress)
        case GoBack() | GoForward() | Reload():
            with navigation_errors(_NAVIGATE_MS, "commit", lambda: None):
                await _walk(page, wanted)
        case _:
            with action_errors(None, _ACT_SECONDS * 1000, late=PageUnresponsive):
                async with asyncio.timeout(_ACT_SECONDS):
                    await _touch(page, wanted)


async def _walk(page: Page, wanted: GoBack | GoForward | Reload) -> None:
    match wanted:
        case GoBack():
            await page.go_back(wait_until="commit", timeout=_NAVIGATE_MS)
        case GoForward():
            await page.go_forward(wait_until="commit", timeout=_NAVIGATE_MS)
        case Reload():
            await page.reload(wait_until="commit", timeout=_NAVIGATE_MS)


async def _touch(page: Page, wanted: Input) -> None:
    match wanted:
        case MouseMove():
            await page.mouse.move(wanted.x, wanted.y)
        case Click():
            await page.mouse.click(wanted.x, wanted.y, button=wanted.button, click_count=wanted.click_count)
        case MouseDown() | MouseUp() | Wheel():
            await _use_mouse(page, wanted)
        case KeyDown():
            await page.keyboard.down(wanted.key)
        case KeyUp():
            await page.keyboard.up(wanted.key)
        case Press():
            await page.keyboard.press(wanted.key)
        case InsertText():
            await page.keyboard.insert_text(wanted.text)


async def _use_mouse(page: Page, wanted: MouseDown | MouseUp | Wheel) -> None:
    if wanted.x is not None and wanted.y is not None:
        await page.mouse.move(wanted.x, wanted.y)
    match wanted:
        case MouseDown():
            await page.mouse.down(button=wanted.button, click_count=wanted.click_count)
        case MouseUp():
            await page.mouse.up(button=wanted.button, click_count=wanted.click_count)
        case Wheel():
            await page.mouse.wheel(wanted.delta_x, wanted.delta_y)
