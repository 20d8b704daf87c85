"""Goes along with a batch until it has ended: fetches what has come, and says so."""

import asyncio
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from fleet_client import AsyncFleetClient, Batch, BatchItem, FleetApiError
from fleet_client.cli.batch_folder import BatchFolder
from fleet_client.cli.file_names import extension, plain, stem

_LOOK_SECONDS = 1
_DOWNLOADS_AT_ONCE = 6
# Items whose files wait to be fetched; more are not asked for before.
_WAITING_MAX = 100

OnProgress = Callable[[Batch, int], None]
OnItem = Callable[[BatchItem, dict[str, Any]], None]


class BatchRun:
    """`on_progress` is told the batch and how many of its items are done here, `on_item` each of them."""

    def __init__(
        self, client: AsyncFleetClient, folder: BatchFolder, *, on_progress: OnProgress, on_item: OnItem
    ) -> None:
        self._client = client
        self._folder = folder
        self._on_progress = on_progress
        self._on_item = on_item
        self._taken = set(folder.done)
        self._waiting: asyncio.Queue[BatchItem] = asyncio.Queue(_WAITING_MAX)
        # Pages of the list of items that are not done with, by their cursors, and whether all were seen.
        self._open_pages: list[str | None] = [None]
        self._known_pages: set[str | None] = {None}
        self._batch: Batch | None = None

    async def follow(self, batch_id: str) -> Batch:
        """The batch, once it has ended and all files are here. Raises FleetClientError or OSError."""
        async with asyncio.TaskGroup() as group:
            hands = [group.create_task(self._fetch_all()) for _ in range(_DOWNLOADS_AT_ONCE)]
            batch = await self._look_until_ended(batch_id)
            await self._waiting.join()
            for hand in hands:
                hand.cancel()
        return batch

    async def _look_until_ended(self, batch_id: str) -> Batch:
        while True:
            # Before its items: once it has ended, each of them has.
            batch = self._batch = await self._client.batch(batch_id)
            self._tell_progress()
            await self._look_at_items(batch)
            if batch.has_ended and not self._open_pages:
                return batch
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look_at_items(self, batch: Batch) -> None:
        """At the pages that are not done with, up to the first one in which nothing has begun."""
        place = 0
        while place < len(self._open_pages):
            page = await self._client.batch_items_page(batch.id, self._open_pages[place])
            for item in page.entries:
                if item.is_finished and item.index not in self._taken:
                    self._taken.add(item.index)
                    await self._waiting.put(item)
            follows = page.next_cursor
            has_begun = any(item.state != "queued" for item in page.entries)
            if follows is not None and has_begun and follows not in self._known_pages:
                self._known_pages.add(follows)
                self._open_pages.append(follows)
            if all(item.is_finished for item in page.entries):
                self._open_pages.pop(place)
            else:
                place += 1

    async def _fetch_all(self) -> None:
        while True:
            item = await self._waiting.get()
            await self._fetch(item)
            self._waiting.task_done()

    async def _fetch(self, item: BatchItem) -> None:
        files, problem = [], None
        for name, artifact in zip(self._names(item), item.artifacts, strict=True):
            try:
                await self._client.download(artifact, self._folder.path / name)
            except FleetApiError as error:
                problem = str(error)
            else:
                files.append(name)
        self._on_item(item, self._folder.note(item, files, problem))
        self._tell_progress()

    def _tell_progress(self) -> None:
        if self._batch is not None:
            self._on_progress(self._batch, len(self._folder.done))

    def _names(self, item: BatchItem) -> list[str]:
        """The same on every run: by its place and its page, or the id that it was given."""
        total = self._batch.counts.total if self._batch is not None else 1
        width = len(str(total - 1))
        shown = plain(item.id) if item.id else stem(item.url)
        names: list[str] = []
        for artifact in item.artifacts:
            name = f"{item.index:0{width}}-{shown}.{extension(artifact.media_type)}"
            if name in names:
                name = f"{PurePath(name).stem}-{len(names) + 1}{PurePath(name).suffix}"
            names.append(name)
        return names
