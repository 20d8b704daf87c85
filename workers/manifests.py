"""What the browser host has captured becomes a job's result: its outputs are stored, and listed with what was seen."""

import time
from typing import Any

from fleet.models.job import Job
from fleet.models.manifest import Manifest, PageVisit, Timings
from workers.artifact_writer import ArtifactWriter


def write_manifest(job: Job, captured: dict[str, Any], writer: ArtifactWriter) -> Manifest:
    """`captured`: `visit` (JSON), `outputs` (as ArtifactWriter takes them). Raises StorageUnavailable."""
    visit = PageVisit.model_validate_json(captured["visit"])
    started = time.perf_counter()
    artifacts = [writer.write(output) for output in captured["outputs"]]
    stored_ms = round((time.perf_counter() - started) * 1000, 1)
    waited = (job.started_at or job.queued_at) - job.queued_at
    timings = Timings(
        **visit.timings.model_dump(exclude={"queue", "store"}),
        queue=round(waited.total_seconds() * 1000, 1),
        store=stored_ms,
    )
    return Manifest(**visit.model_dump(exclude={"timings"}), timings=timings, artifacts=artifacts)
