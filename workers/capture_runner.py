"""Captures without a session: one message, one job."""

from fleet.models.capture import OneShotCaptureRequest
from fleet.models.job import Job, JobState
from fleet.models.manifest import Manifest
from fleet.store import Store
from workers.artifact_writer import ArtifactWriter
from workers.host_calls import allowance, ask, request_of
from workers.job_runner import JobRunner
from workers.link.client import HostClient
from workers.manifests import write_manifest


class CaptureRunner:
    def __init__(self, store: Store, host: HostClient, jobs: JobRunner, writer: ArtifactWriter) -> None:
        self._store = store
        self._host = host
        self._jobs = jobs
        self._writer = writer

    def run(self, job_id: str, *, worker: str, redelivered: bool) -> None:
        """`redelivered`: the broker gave the message out before. Raises WorkerLeaves."""
        accepted = self._store.jobs.get(job_id)
        if accepted is not None and not redelivered and self._runs_elsewhere(accepted, worker):
            return
        self._jobs.run(accepted, self._capture, worker=worker)

    def _runs_elsewhere(self, job: Job, worker: str) -> bool:
        """What a lost worker had in hand was sent again, and then it turned out not to be lost.

        One that was started anew since then under the same name was.
        """
        if job.state is not JobState.RUNNING or job.worker is None or job.started_at is None or job.worker == worker:
            return False
        report = self._store.workers.report(job.worker)
        return report is not None and report.started_at < job.started_at

    def _capture(self, job: Job) -> Manifest:
        body = request_of(job, self._store.jobs)
        request = OneShotCaptureRequest.model_validate_json(body)
        params = {"job_id": job.id, "request": body}
        answer = ask(self._host, "capture", params, seconds=allowance(request), repeatable=not request.acts)
        return write_manifest(job, answer, self._writer)
