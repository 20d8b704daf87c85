"""The browser host's parts as the host wires them, asked by command, without socket and store."""

import asyncio
import inspect
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import unescape
from io import BytesIO
from typing import Any

from PIL import Image

from fleet.egress import parse_policy
from fleet.ids import new_id
from fleet.models.manifest import PageVisit
from fleet.models.session import EndReason
from fleet.settings import Settings
from fleet.store import Store
from workers.browser_host.captures import Captures
from workers.browser_host.checkpoints import Checkpoints
from workers.browser_host.chrome import Chrome, ChromeOptions
from workers.browser_host.chrome_keeper import ChromeKeeper, Upkeep
from workers.browser_host.commands import Commands
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.gate import Gate
from workers.browser_host.open_context import ContextOpener, OpenContext
from workers.browser_host.page_limits import PageLimits
from workers.browser_host.response_recorder import ResponseRecorders
from workers.browser_host.restoration import Restoration
from workers.browser_host.sessions import Sessions
from workers.metrics import WorkerCounts

SESSION_LIMIT = 4
# Where the pages of these tests are served, and nothing else.
EGRESS = parse_policy("127.0.0.1")
HTML_OUTPUT = {"kind": "html"}
# As Celery names it.
WORKER = "test@here"
NO_UPKEEP = Upkeep(captures=1_000_000, age_seconds=1_000_000)


def chrome_options() -> ChromeOptions:
    """As the host starts it."""
    return ChromeOptions(executable=Settings().chrome_executable(), heap_limit_mb=100, sandbox=os.geteuid() != 0)


@dataclass(frozen=True)
class Captured:
    visit: PageVisit
    contents: list[bytes]

    @classmethod
    def from_answer(cls, answer: dict[str, Any]) -> "Captured":
        visit = PageVisit.model_validate_json(answer["visit"])
        return cls(visit, [output["content"] for output in answer["outputs"]])

    @property
    def content(self) -> bytes:
        (only,) = self.contents
        return only

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def told(self) -> Any:
        """The JSON in the page's <pre>, most often an object, from a capture of its html."""
        found = re.search(r"<pre>(.*?)</pre>", self.text, re.DOTALL)
        assert found, self.text
        return json.loads(unescape(found[1]))

    @property
    def picture(self) -> Image.Image:
        picture = Image.open(BytesIO(self.content))
        # Decodes every pixel; opening reads the header only.
        picture.load()
        return picture


class Browser:
    """Works from `start` to `stop`; Chrome starts when it is first needed, and again when it is lost."""

    def __init__(self, store: Store, *, limits: PageLimits | None = None) -> None:
        self.store = store
        self.counts = WorkerCounts()
        self._egress = EgressProxy(EGRESS, self.counts)
        options = chrome_options()
        if limits is not None:
            options = replace(options, limits=limits)
        self.keeper = ChromeKeeper(options, self._egress, self.counts, upkeep=NO_UPKEEP, on_lost=self._on_lost)
        opener = ContextOpener(self.keeper, ResponseRecorders(store.responses))
        self.restoration = Restoration(store, opener, self._egress, self.counts, worker_name=WORKER)
        self.checkpoints = Checkpoints(store.checkpoints, WORKER)
        self.sessions = Sessions(
            opener,
            self._egress,
            limit=SESSION_LIMIT,
            rebuild=self.restoration.rebuild,
            readopt=self.restoration.readopt,
            after_use=self.checkpoints.after_use,
            on_change=lambda: None,
        )
        self.commands = Commands(self.keeper, self.sessions, Captures(self._egress), Gate())

    def _on_lost(self, chrome: Chrome, _cause: str) -> None:
        self.sessions.lose(chrome)

    async def start(self) -> None:
        await self._egress.start()

    async def stop(self) -> None:
        await self.close_sessions()
        await self.keeper.stop()
        await self._egress.stop()

    async def close_sessions(self) -> None:
        """All of them, whatever the store thinks."""
        await asyncio.gather(*(self.sessions.close(session_id) for session_id in self.sessions.ids))

    async def capture(self, url: str | None = None, *, job_id: str | None = None, **request: Any) -> Captured:
        """A one-shot capture; `request`: more fields of its body."""
        body = json.dumps({"url": url, **request})
        return Captured.from_answer(await self._call("capture", job_id=job_id or new_id("job"), request=body))

    async def open_session(
        self, *, job_id: str | None = None, scripts: dict[str, str] | None = None, **request: Any
    ) -> str:
        """The id of a new session; `scripts`: source by id; `request`: fields of its body."""
        session_id = new_id("ses")
        job_id = job_id or new_id("job")
        options = json.dumps(request)
        self.store.sessions.create(
            session_id, ttl=60, max_lifetime=60, metadata={}, options_json=options, job_id=job_id
        )
        await self._call("open_session", job_id=job_id, session_id=session_id, request=options, scripts=scripts or {})
        assert self.store.session_moves.start(session_id, WORKER)
        return session_id

    def opened(self, session_id: str) -> OpenContext:
        """The context that the session has now."""
        (held,) = [held for held in self.sessions.all if held.id == session_id]
        assert held.opened is not None
        return held.opened

    async def capture_in(
        self,
        session_id: str,
        url: str | None = None,
        *,
        job_id: str | None = None,
        scripts: dict[str, str] | None = None,
        **request: Any,
    ) -> Captured:
        body = json.dumps({"url": url, **request})
        params = {
            "job_id": job_id or new_id("job"),
            "session_id": session_id,
            "request": body,
            "scripts": scripts or {},
        }
        return Captured.from_answer(await self._call("session_capture", **params))

    async def close_session(self, session_id: str) -> bool:
        self.store.sessions.end(session_id, EndReason.DELETED)
        answer = await self._call("close_session", session_id=session_id)
        return bool(answer["closed"])

    async def storage_state(self, session_id: str) -> dict[str, Any]:
        answer = await self._call("storage_state", job_id=new_id("job"), session_id=session_id)
        state: dict[str, Any] = json.loads(answer["state"])
        return state

    async def contexts(self) -> int:
        """How many contexts Chrome itself has: Playwright does not know of one whose opening was cancelled."""
        answer = await self._ask_chrome("Target.getBrowserContexts")
        return len(answer["browserContextIds"])

    async def process_ids(self, kind: str) -> list[int]:
        """Of Chrome's processes of that kind: `browser`, `renderer`."""
        answer = await self._ask_chrome("SystemInfo.getProcessInfo")
        return [process["id"] for process in answer["processInfo"] if process["type"] == kind]

    async def _ask_chrome(self, method: str) -> dict[str, Any]:
        control = (await self.keeper.current())._control
        assert control is not None
        answer: dict[str, Any] = await control.send(method)
        return answer

    async def _call(self, command: str, **params: Any) -> dict[str, Any]:
        return await self.commands.table()[command](params)


async def comes_true(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Returns once `condition`, a function or coroutine function, holds; the loop runs meanwhile."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            if await value if inspect.isawaitable(value) else value:
                return
            await asyncio.sleep(0.02)
