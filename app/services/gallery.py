"""The pictures of recent captures, newest first."""

from dataclasses import dataclass
from datetime import datetime

from fleet.clock import utc_now
from fleet.models.artifact import Artifact
from fleet.models.job import Job
from fleet.store.index import Cursor, Page
from fleet.store.jobs import JobStore

# Jobs read at once, and how often, before a page is shown with the pictures that were found until then.
_JOBS_READ = 100
_READS_MAX = 3


@dataclass(frozen=True)
class Picture:
    artifact: Artifact
    job_id: str
    title: str
    url: str
    captured_at: datetime


class GalleryService:
    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs

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
        Picture(artifact, job.id, job.result.title, job.result.final_url, job.finished_at)
        for artifact in job.result.artifacts
        if artifact.kind == "screenshot" and artifact.expires_at > now
    ]
