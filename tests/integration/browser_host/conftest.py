"""Async tests on one event loop, with one Chrome on it that they share."""

import asyncio
import inspect
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.integration.browser_host.browser import Browser
from tests.integration.conftest import missing
from tests.integration.redis_server import RedisServer
from tests.pages.server import PagesServer


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A coroutine runs on the loop of `runner`; other tests are pytest's own business."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    loop = cast("asyncio.Runner", pyfuncitem.funcargs["runner"])
    loop.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(scope="package")
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where Playwright and Chrome keep their files; a worker gives its host such a folder."""
    folder = tmp_path_factory.mktemp("host")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        # Python has looked at the variable before.
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


@pytest.fixture(scope="package", autouse=True)
def runner(temporary_folder: Path) -> Iterator[asyncio.Runner]:
    try:
        Settings().chrome_executable()
    except FileNotFoundError:
        missing("chromium-headless-shell")
    with asyncio.Runner() as opened:
        yield opened


@pytest.fixture(scope="package")
def browser_store(shared_redis: RedisServer) -> Iterator[Store]:
    opened = open_store(Settings(redis_url=shared_redis.url), retries=0)
    yield opened
    opened.client.close()


@pytest.fixture(scope="package")
def shared_browser(runner: asyncio.Runner, browser_store: Store) -> Iterator[Browser]:
    shared = Browser(browser_store)
    runner.run(shared.start())
    yield shared
    runner.run(shared.stop())


@pytest.fixture
def browser(shared_browser: Browser, runner: asyncio.Runner) -> Iterator[Browser]:
    """A Chrome without a context. A test that kills it takes `own_browser`."""
    yield shared_browser
    runner.run(_clear(shared_browser))


async def _clear(browser: Browser) -> None:
    await browser.close_sessions()
    if await browser.contexts():
        # The test has failed; the next one starts another Chrome.
        await browser.keeper.stop()


@pytest.fixture
def own_browser(runner: asyncio.Runner, browser_store: Store) -> Iterator[Browser]:
    own = Browser(browser_store)
    runner.run(own.start())
    yield own
    runner.run(own.stop())


@pytest.fixture(scope="package")
def pages_server() -> Iterator[PagesServer]:
    with PagesServer() as running:
        yield running


@pytest.fixture
def pages(pages_server: PagesServer) -> Iterator[PagesServer]:
    """With gates of its own for each test."""
    yield pages_server
    pages_server.forget_gates()
