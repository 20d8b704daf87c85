"""A worker and its artifact storage: a bucket on a server that goes and comes back."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fleet.artifacts.storage import open_storage
from fleet.clock import utc_now
from fleet.models.job import JobState
from fleet.settings import Settings
from fleet.store import open_store
from tests.integration.redis_server import RedisServer
from tests.integration.s3_server import BUCKET, SECRET_KEY, S3Server
from tests.integration.worker.running_fleet import HTML_OUTPUT, RunningFleet
from tests.integration.worker.worker import Worker
from tests.pages.server import PagesServer
from tests.polling import eventually

_NOTICED_SECONDS = 90


@pytest.fixture
def fleet(own_redis: RedisServer, own_s3: S3Server, tmp_path: Path) -> Iterator[RunningFleet]:
    settings = Settings(
        redis_url=own_redis.url,
        artifacts_url=f"s3://{BUCKET}/fleet",
        session_rate="1000/minute",
        memory_limit_mb=16_384,
        health_seconds=1,
        sweep_seconds=1,
    )
    store = open_store(settings, retries=14)
    with Worker(settings, store, tmp_path, concurrency=2) as worker:
        running = RunningFleet(settings, store, worker)
        yield running
        if running.services.waiter._started:
            running.services.waiter._notifications.stop()
    store.client.close()


def names_of_alerts(fleet: RunningFleet) -> list[str]:
    return [alert.name for alert in fleet.services.status.read().alerts]


def test_captures_fail_while_the_store_is_away_and_succeed_when_it_is_back(
    fleet: RunningFleet, own_s3: S3Server, pages: PagesServer
) -> None:
    url = f"{pages.url}/plain"
    before = fleet.capture(url, outputs=[HTML_OUTPUT])
    assert "<html" in fleet.html_of(before)
    assert fleet.services.health.failing() == {}

    own_s3.stop()
    failed = fleet.end_of(fleet.capture(url, outputs=[HTML_OUTPUT]))
    assert failed.error is not None
    assert (failed.state, failed.error.code) == (JobState.FAILED, "storage_unavailable")
    assert failed.error.details == {"retry_after": 10, "reason": "it does not answer"}
    eventually(lambda: "storage_down" in names_of_alerts(fleet), seconds=_NOTICED_SECONDS)
    assert list(fleet.services.health.failing()) == ["storage"]

    own_s3.start()
    eventually(lambda: "storage_down" not in names_of_alerts(fleet), seconds=_NOTICED_SECONDS)
    assert fleet.services.health.failing() == {}
    assert "<html" in fleet.html_of(fleet.capture(url, outputs=[HTML_OUTPUT]))
    assert SECRET_KEY not in fleet.worker.log_text


def test_equal_captures_are_one_object_and_what_has_expired_is_swept(
    fleet: RunningFleet, own_s3: S3Server, pages: PagesServer
) -> None:
    storage, digest = open_storage(fleet.settings.artifacts_url), hashlib.sha256(b"old").hexdigest()
    storage.put(b"old", sha256=digest, media_type="image/png", expires_at=utc_now() - timedelta(hours=2))
    eventually(lambda: not any(digest in name for name in own_s3.objects()), seconds=_NOTICED_SECONDS)

    jobs = [fleet.capture(f"{pages.url}/plain", outputs=[HTML_OUTPUT]) for _ in range(3)]
    artifacts = [artifact for job in jobs for artifact in (fleet.end_of(job).result or pytest.fail(job)).artifacts]
    stored = [name for name in own_s3.objects() if "/20" in name]
    # The hour may end between two of them.
    assert len({artifact.sha256 for artifact in artifacts}) == 1
    assert len({artifact.id for artifact in artifacts}) == 3
    assert len(stored) == len({artifact.expires_at.hour for artifact in artifacts})
