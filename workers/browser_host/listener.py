"""What Redis tells this host, handed from the listening thread to the host's loop."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from fleet import keys
from fleet.store import Store
from fleet.store.notifications import Heard, Notifications
from workers.browser_host.session_news import SessionNews

_log = structlog.get_logger(__name__)


class Listener:
    def __init__(  # noqa: PLR0913  # one call for each thing that is told
        self,
        store: Store,
        *,
        worker_name: str,
        on_cancel: Callable[[str], None],
        on_open: Callable[[str], None],
        on_ended: Callable[[str], None],
        on_viewers: Callable[[], None],
        on_gap: Callable[[], None],
    ) -> None:
        """All are called in the loop that `start` is called in: `on_cancel` with the id of a job; `on_open` and
        `on_ended` with that of a session that is followed, when it is heard of from now on, and when it has ended;
        `on_gap` when something may have been missed.
        """
        self._store = store
        self._on_gap = on_gap
        cancel = self._in_loop(on_cancel)
        channels = {keys.JOB_CANCEL_CHANNEL: cancel, keys.worker_cancels(worker_name): cancel}
        self.notifications = Notifications(store.client, channels, on_gap=self._look_again)
        self._news = SessionNews(
            self.notifications,
            database=store.database,
            on_open=self._in_loop(on_open),
            on_ended=self._in_loop(on_ended),
            on_viewers=self._in_loop(lambda _: on_viewers()),
        )

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.notifications.start()

    async def follow(self, session_ids: Iterable[str]) -> None:
        """From now on the news of these, and of no others."""
        await asyncio.to_thread(self._news.follow, set(session_ids))

    async def stop(self) -> None:
        await asyncio.to_thread(self.notifications.stop)

    def _in_loop(self, call: Callable[[str], None]) -> Heard:
        def heard(told: str) -> None:
            self._loop.call_soon_threadsafe(call, told)

        return heard

    def _look_again(self) -> None:
        # A Redis that was started anew has forgotten what it was told to publish.
        if not self._store.sessions.ensure_expiry_is_told():
            _log.warning("Redis does not tell of expired keys; contexts are closed by the sweep alone")
        self._loop.call_soon_threadsafe(self._on_gap)
