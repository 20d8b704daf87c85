"""What goes wrong in a real worker raises its alert in the status of the fleet, and clears it again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.models.alert import Alert
from fleet.models.job import JobState
from fleet.settings import Settings
from fleet.store import open_store
from tests.integration.redis_server import RedisServer
from tests.integration.worker.processes import chrome_under, kill
from tests.integration.worker.running_fleet import RunningFleet
from tests.integration.worker.worker import Worker
from tests.pages.server import PagesServer
from tests.polling import eventually

_FETCH_81 = "(async () => { for (let n = 0; n < 81; n++) await (await fetch('/plain?' + n)).text(); return 'done' })()"
# Two reports, on a machine that is busy.
_REPORTED_SECONDS = 30


@pytest.fixture
def fleet(own_redis: RedisServer, tmp_path: Path) -> Iterator[RunningFleet]:
    """Of one worker with room for ten sessions."""
    settings = Settings(
        redis_url=own_redis.url,
        artifacts_url=f"file:{tmp_path / 'artifacts'}",
        session_rate="1000/minute",
        memory_limit_mb=16_384,
        health_seconds=1,
    )
    store = open_store(settings, retries=14)
    with Worker(settings, store, tmp_path) as worker:
        yield RunningFleet(settings, store, worker)
    store.client.close()


def alert_of(fleet: RunningFleet, name: str) -> Alert | None:
    return next((alert for alert in fleet.services.status.read().alerts if alert.name == name), None)


def raised(fleet: RunningFleet, name: str, *, seconds: float = _REPORTED_SECONDS) -> Alert:
    alert = eventually(lambda: alert_of(fleet, name), seconds=seconds)
    assert alert is not None
    return alert


def clears(fleet: RunningFleet, name: str, *, seconds: float = _REPORTED_SECONDS) -> bool:
    return eventually(lambda: alert_of(fleet, name) is None, seconds=seconds)


def sessions_reported(fleet: RunningFleet) -> int:
    return sum(worker.sessions for worker in fleet.services.status.read().workers)


def test_nine_of_ten_sessions_alert_and_seven_do_not(fleet: RunningFleet) -> None:
    held = [fleet.session() for _ in range(9)]
    alert = raised(fleet, "sessions_high")
    assert (alert.worker, alert.value, alert.threshold) == (fleet.worker.name, 9, 8)
    fleet.end_of(fleet.delete(held.pop()))
    eventually(lambda: sessions_reported(fleet) == 8, seconds=_REPORTED_SECONDS)
    still = alert_of(fleet, "sessions_high")
    assert still is not None
    assert still.since == alert.since
    fleet.end_of(fleet.delete(held.pop()))
    assert clears(fleet, "sessions_high")


def test_eighty_one_responses_of_a_session_alert_until_they_are_deleted(
    fleet: RunningFleet, pages: PagesServer
) -> None:
    session_id = fleet.session(url=f"{pages.url}/plain", record_responses=True)
    fetching = fleet.capture_in(session_id, actions=[{"kind": "evaluate", "expression": _FETCH_81}])
    assert fleet.end_of(fetching).state is JobState.SUCCEEDED
    alert = raised(fleet, "responses_high")
    assert (alert.severity, alert.session_id, alert.threshold) == ("info", session_id, 80)
    assert alert.value > 80
    (worker,) = fleet.services.status.read().workers
    assert worker.most_responses == worker.responses_stored == alert.value
    assert [(top.id, top.responses) for top in worker.top_sessions] == [(session_id, alert.value)]
    fleet.services.responses.clear(session_id)
    assert clears(fleet, "responses_high")


def test_a_chrome_that_hangs_or_dies_alerts_until_it_has_been_back_for_a_minute(fleet: RunningFleet) -> None:
    (chrome,) = chrome_under(fleet.worker.host())
    os.kill(chrome, signal.SIGSTOP)
    hangs = eventually(lambda: (alert := alert_of(fleet, "chrome_down")) and alert.value == 0 and alert, seconds=60)
    assert hangs
    assert fleet.services.health.failing().keys() == {"workers"}
    eventually(lambda: (alert := alert_of(fleet, "chrome_down")) and alert.value == 1, seconds=90)
    assert fleet.services.status.read().chrome.up == 1
    kill(chrome_under(fleet.worker.host()))
    eventually(lambda: chrome_restarts(fleet) == {"hung": 1, "died": 1}, seconds=60)
    assert raised(fleet, "chrome_down").since == hangs.since
    assert clears(fleet, "chrome_down", seconds=120)
    assert fleet.services.status.read().status == "ok"


def chrome_restarts(fleet: RunningFleet) -> dict[str, int]:
    (worker,) = fleet.services.status.read().workers
    return worker.chrome_restarts


def test_a_worker_that_is_killed_alerts_as_lost(fleet: RunningFleet) -> None:
    fleet.worker.kill_all()
    lost = raised(fleet, "worker_lost", seconds=60)
    assert (lost.severity, lost.worker) == ("critical", fleet.worker.name)
    assert alert_of(fleet, "no_workers")
