"""The pictures of recent single captures, newest first, and those of one batch, in its order."""

from dataclasses import dataclass
from datetime import datetime

from app.services.batches import BatchService
from fleet.clock import utc_now
from fleet.models.artifact import Artifact
from fleet.models.batch import ItemStatus
from fleet.models.job import Job, JobState
from fleet.store.index import Cursor, Page
from fleet.store.jobs import JobStore

# Jobs read at once, and how often, before a page is shown with the pictures that were found until then.
_JOBS_READ = 100
_READS_MAX = 3


@dataclass(frozen=True)
class Picture:
    """`link`: where there is more about it."""

    artifact: Artifact
    link: str
    title: str
    url: str
    captured_at: datetime


@dataclass(frozen=True)
class BatchPictures:
    """`next_index`: of the item with which the next page begins; None: there is none."""

    pictures: list[Picture]
    next_index: int | None


class GalleryService:
    def __init__(self, jobs: JobStore, batches: BatchService) -> None:
        self._jobs = jobs
        self._batches = batches

    def of_batch(self, batch_id: str, *, first: int, limit: int) -> BatchPictures:
        """Of at most `limit` of its items, from the one with that index on. Raises BatchNotFound."""
        page = self._batches.items(batch_id, state=JobState.SUCCEEDED, first=first, limit=limit)
        pictures = [picture for item in page.items for picture in _pictures_of_item(item)]
        return BatchPictures(pictures, page.next_index)

    def newest(self, *, limit: int, cursor: Cursor | None) -> Page[Picture]:
        """Some `limit` pictures (all of the last job), fewer of jobs that yield few. Raises StoreUnavailable."""
        pictures: list[Picture] = []
        for _ in range(_READS_MAX):
            jobs = self._jobs.newest(limit=_JOBS_READ, cursor=cursor)
            for job in jobs.entries:
                pictures += _pictures(job)
                if len(pictures) >= limit:
                    return Page(pictures, Cursor(job.queued_at.timestamp(), job.id))
            cursor = jobs.next_cursor
            if cursor is None:
                break
        return Page(pictures, cursor)


def _pictures(job: Job) -> list[Picture]:
    if job.result is None or job.finished_at is None:
        return []
    now = utc_now()
    return [
        Picture(artifact, f"/jobs/{job.id}", job.result.title, job.result.final_url, job.finished_at)
        for artifact in job.result.artifacts
        if artifact.kind == "screenshot" and artifact.expires_at > now
    ]


def _pictures_of_item(item: ItemStatus) -> list[Picture]:
    """Its job's record is gone soon, so there is no more than the picture itself."""
    return [
        Picture(artifact, artifact.url, item.title, item.final_url or item.url, item.finished_at)
        for artifact in item.artifacts
        if artifact.kind == "screenshot" and item.finished_at is not None
    ]
