"""Who gets what: the services of one API process, made once."""

import secrets
from dataclasses import dataclass
from typing import cast

from flask import current_app

from app.job_waiter import JobWaiter
from app.metrics import ApiCounts
from app.services.api_keys import ApiKeyService
from app.services.artifacts import ArtifactService
from app.services.batch_archive import BatchArchiveService
from app.services.batch_warc import BatchWarcService
from app.services.batches import BatchService
from app.services.captures import CaptureService
from app.services.gallery import GalleryService
from app.services.health import HealthService
from app.services.idempotency import IdempotencyService
from app.services.jobs import JobService
from app.services.logins import LoginService
from app.services.metrics import MetricsService
from app.services.new_scripts import ScriptLimits
from app.services.responses import ResponseService
from app.services.scripts import ScriptService
from app.services.session_rate import SessionRateService
from app.services.sessions import SessionRules, SessionService
from app.services.shared_queue import SharedQueueService
from app.services.sitemaps import SitemapService
from app.services.status import StatusService
from app.services.storage_states import StorageStateService
from app.services.streams import StreamService
from app.services.view_links import ViewLinkService
from app.services.webhooks import WebhookService
from app.services.workers import WorkerService
from app.task_queue import TaskQueue
from app.viewers.hub import ViewerHub
from fleet.api_keys import parse_api_keys
from fleet.artifacts.storage import ArtifactStorage
from fleet.checked_http import CheckedHttp
from fleet.egress import parse_policy
from fleet.settings import Settings
from fleet.store import Store
from fleet.webhooks import parse_secrets

EXTENSION = "fleet"
# Threads that never wait for a job, so that health checks and short requests are answered at once.
_SPARE_THREADS = 32


@dataclass(frozen=True)
class Services:
    api_keys: ApiKeyService
    logins: LoginService
    sessions: SessionService
    storage_states: StorageStateService
    scripts: ScriptService
    captures: CaptureService
    batches: BatchService
    batch_archives: BatchArchiveService
    batch_warcs: BatchWarcService
    sitemaps: SitemapService
    jobs: JobService
    gallery: GalleryService
    artifacts: ArtifactService
    responses: ResponseService
    webhooks: WebhookService
    workers: WorkerService
    status: StatusService
    metrics: MetricsService
    health: HealthService
    idempotency: IdempotencyService
    session_rate: SessionRateService
    streams: StreamService
    view_links: ViewLinkService
    waiter: JobWaiter
    viewers: ViewerHub


def make_services(
    settings: Settings, *, store: Store, queue: TaskQueue, storage: ArtifactStorage, counts: ApiCounts
) -> Services:
    rules = SessionRules(
        ttl=settings.session_ttl,
        max_lifetime=settings.session_max_lifetime,
        waiting_jobs=settings.session_job_limit,
    )
    shared = SharedQueueService(store)
    script_limits = ScriptLimits(count=settings.script_limit, bytes=settings.script_bytes)
    webhooks = WebhookService(
        store.webhooks, are_signed=bool(parse_secrets(settings.webhook_secrets.get_secret_value()))
    )
    sessions = SessionService(store, queue, shared, webhooks, rules=rules, script_limits=script_limits)
    waiter = JobWaiter(store.client, places=max(1, settings.api_threads - _SPARE_THREADS))
    jobs = JobService(store, waiter, sessions)
    # Without a key of the operator's, what is signed dies with this process, and no other one knows it.
    secret_key = settings.secret_key.get_secret_value() if settings.secret_key else secrets.token_urlsafe(32)
    api_keys = parse_api_keys(settings.api_keys.get_secret_value())
    batches = BatchService(store, sessions, webhooks)
    artifacts = ArtifactService(store, storage)
    view_links = ViewLinkService(sessions, secret_key=secret_key)
    return Services(
        api_keys=ApiKeyService(api_keys, store.key_tries),
        logins=LoginService(api_keys, secret_key=secret_key),
        sessions=sessions,
        storage_states=StorageStateService(store.storage_states, sessions, jobs),
        scripts=ScriptService(store.scripts, sessions, script_limits),
        captures=CaptureService(queue, shared, sessions, webhooks),
        batches=batches,
        batch_archives=BatchArchiveService(batches, artifacts),
        batch_warcs=BatchWarcService(batches, artifacts),
        sitemaps=SitemapService(CheckedHttp(parse_policy(settings.egress_allow))),
        jobs=jobs,
        gallery=GalleryService(store.jobs, batches),
        artifacts=artifacts,
        responses=ResponseService(store.responses, sessions),
        webhooks=webhooks,
        workers=WorkerService(store.workers),
        status=StatusService(store),
        metrics=MetricsService(store, counts),
        health=HealthService(store),
        idempotency=IdempotencyService(store.idempotency),
        session_rate=SessionRateService(store.session_rate),
        streams=StreamService(sessions, view_links, store.viewers),
        view_links=view_links,
        waiter=waiter,
        viewers=ViewerHub(store),
    )


def services() -> Services:
    """The services of the application that serves the current request."""
    return cast("Services", current_app.extensions[EXTENSION])
