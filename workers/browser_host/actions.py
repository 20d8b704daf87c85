"""What a capture does on its page, step by step, before outputs are taken."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Locator, Page

from fleet.errors import FleetError, WaitTimeout
from fleet.models.actions import (
    Action,
    CheckAction,
    ClickAction,
    EvaluateAction,
    FillAction,
    GotoAction,
    HoverAction,
    PressAction,
    ScrollAction,
    SelectOptionAction,
    UncheckAction,
    WaitForFunctionAction,
    WaitForLoadStateAction,
    WaitForSelectorAction,
    WaitForTimeoutAction,
    WaitForUrlAction,
)
from fleet.models.capture import CaptureRequest
from fleet.models.waits import Goto
from workers.browser_host import expressions
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.navigation import goto
from workers.browser_host.started_navigations import StartedNavigations
from workers.browser_host.translation import action_errors, wait_errors

# Handlers often leave the page by a timer or after a quick request, not at once.
_LEAVING_PATIENCE_SECONDS = 0.1
_CLOSE_SECONDS = 5
_MAY_LEAVE = (ClickAction, CheckAction, UncheckAction, SelectOptionAction, PressAction, EvaluateAction)
# These have said themselves what of the new page they wait for.
_HAVE_ARRIVED = (GotoAction, WaitForUrlAction, WaitForLoadStateAction)

_SCROLL = "([x, y]) => scrollBy({left: x, top: y, behavior: 'instant'})"


async def run_actions(page: Page, request: CaptureRequest, egress: EgressProxy) -> list[str]:
    """What was left out, for the manifest's warnings.

    Raises a PageError or InvalidRequest with `action` and `index` among its details.
    """
    if not request.actions:
        return []
    async with _popups_closed(page) as warnings:
        with StartedNavigations(page, egress) as navigations:
            steps = _Steps(page, request.goto, egress, navigations)
            for index, action in enumerate(request.actions):
                await steps.run(index, action)
    return warnings


@asynccontextmanager
async def _popups_closed(page: Page) -> AsyncIterator[list[str]]:
    """A tab that actions open would stay for the session's life: nobody can reach it, to close it or to look at it."""
    popups: list[Page] = []
    warnings: list[str] = []

    def note(popup: Page) -> None:
        popups.append(popup)

    page.on("popup", note)
    try:
        yield warnings
    finally:
        page.remove_listener("popup", note)
        if popups:
            warnings.append(f"Actions opened {len(popups)} more tabs, which were closed; captures see the first tab.")
        await asyncio.gather(*(_close(popup) for popup in popups))


async def _close(popup: Page) -> None:
    # One that hangs is left to its context.
    with contextlib.suppress(PlaywrightError, TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await popup.close()


class _Steps:
    def __init__(self, page: Page, goto_options: Goto, egress: EgressProxy, navigations: StartedNavigations) -> None:
        self._page = page
        self._goto = goto_options
        self._egress = egress
        self._navigations = navigations

    async def run(self, index: int, action: Action) -> None:
        try:
            await self._run(action)
        except FleetError as error:
            # A navigation that failed meanwhile is what the action has waited for in vain.
            cause = self._navigations.failure or error
            message = f"actions[{index}] ({action.kind}): {cause.message}"
            raise type(cause)(message, **cause.details, action=action.kind, index=index) from None

    async def _run(self, action: Action) -> None:
        self._navigations.forget()
        await self._do(action)
        if isinstance(action, _MAY_LEAVE):
            await self._navigations.begins_within(_LEAVING_PATIENCE_SECONDS)
        if not isinstance(action, _HAVE_ARRIVED):
            await self._navigations.arrive(self._goto)

    async def _do(self, action: Action) -> None:
        match action:
            case ClickAction() | HoverAction() | CheckAction() | UncheckAction() | FillAction() | SelectOptionAction():
                with action_errors(action.selector, action.timeout):
                    await getattr(self._first(action.selector), action.kind)(**_arguments(action))
            case PressAction():
                await self._press(action)
            case ScrollAction():
                await self._scroll(action)
            case EvaluateAction():
                with action_errors(None, action.timeout):
                    async with asyncio.timeout(action.timeout / 1000):
                        await expressions.run(self._page, action.expression)
            case GotoAction():
                await goto(self._page, action.url, action, self._egress)
            case WaitForTimeoutAction():
                await self._page.wait_for_timeout(action.timeout)
            case WaitForSelectorAction():
                with wait_errors(f"'{action.selector}' ({action.state})", action.timeout):
                    await self._first(action.selector).wait_for(**_arguments(action))
            case WaitForFunctionAction():
                with action_errors(None, action.timeout, late=WaitTimeout):
                    async with asyncio.timeout(action.timeout / 1000):
                        await expressions.come_true(self._page, action.expression)
            case WaitForUrlAction() | WaitForLoadStateAction():
                with action_errors(None, action.timeout, late=WaitTimeout):
                    await getattr(self._page, action.kind)(**_arguments(action))

    def _first(self, selector: str) -> Locator:
        return self._page.locator(selector).first

    async def _press(self, action: PressAction) -> None:
        with action_errors(action.selector, action.timeout):
            if action.selector is not None:
                await self._first(action.selector).press(**_arguments(action))
            else:
                async with asyncio.timeout(action.timeout / 1000):
                    await self._page.keyboard.press(action.key, delay=action.delay)

    async def _scroll(self, action: ScrollAction) -> None:
        with action_errors(action.selector, action.timeout):
            if action.selector is not None:
                await self._first(action.selector).scroll_into_view_if_needed(timeout=action.timeout)
            else:
                async with asyncio.timeout(action.timeout / 1000):
                    await self._page.evaluate(_SCROLL, [action.delta_x, action.delta_y])


def _arguments(action: Action) -> dict[str, Any]:
    """Of Playwright's method."""
    return action.model_dump(exclude_none=True, exclude={"kind", "selector"})
