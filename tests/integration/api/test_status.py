"""The fleet against its limits, and its alerts: over replicas of the API, and from one look to the next."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.factory import create_app
from fleet import keys
from fleet.clock import utc_now
from fleet.models.alert import Severity
from fleet.models.session import EndReason
from fleet.models.viewer import Viewer
from fleet.queues import SharedQueue
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.doubles import RecordingQueue
from tests.factories import a_worker_report, an_alert

Json = dict[str, Any]


def status_of(client: FlaskClient) -> Json:
    answer = client.get("/api/status")
    assert answer.status_code == 200
    status: Json = answer.get_json()
    return status


def names(status: Json) -> list[str]:
    return [alert["name"] for alert in status["alerts"]]


def join(store: Store, queue: SharedQueue, count: int) -> None:
    for number in range(count):
        store.waiting.try_join(queue, f"job_{number}", utc_now())


def leave(store: Store, queue: SharedQueue, number: int) -> None:
    store.waiting.leave(queue, f"job_{number}")


@pytest.fixture
def small(settings: Settings) -> Iterator[Store]:
    """A store whose queues take ten jobs."""
    opened = open_store(settings.model_copy(update={"queue_limit": 10}), retries=0)
    yield opened
    opened.client.close()


@pytest.fixture
def replicas(settings: Settings) -> Iterator[list[FlaskClient]]:
    """Two APIs of one fleet, whose queues take ten jobs."""
    stores = [open_store(settings.model_copy(update={"queue_limit": 10}), retries=0) for _ in range(2)]
    yield [create_app(settings, store=store, queue=RecordingQueue()).test_client() for store in stores]
    for store in stores:
        store.client.close()


def test_a_calm_fleet_tells_each_number_beside_its_limit(
    client: FlaskClient, store: Store, running_session: str
) -> None:
    store.workers.renew(
        a_worker_report(sessions=1, memory_bytes=300, memory_limit_bytes=1000, responses_stored=7, most_responses=7)
    )
    store.viewers.join(Viewer(id="view_1", session_id=running_session))
    client.post("/api/captures", json={"html": "<p>"})

    status = status_of(client)

    assert (status["status"], status["alerts"]) == ("ok", [])
    assert status["sessions"] == {"open": 1, "limit": 10, "by_state": {"running": 1}}
    assert status["memory"] == {"bytes": 300, "limit_bytes": 1000}
    assert status["responses"] == {"stored": 7, "most_in_a_session": 7, "limit_per_session": 100}
    assert status["viewers"] == {"count": 1, "limit": 200}
    assert status["chrome"] == {"up": 1, "expected": 1}
    assert {queue["name"]: (queue["waiting"], queue["limit"]) for queue in status["queues"]}["captures"] == (1, 10_000)
    assert status["jobs"] == {"queued": 1, "running": 0}
    assert [worker["name"] for worker in status["workers"]] == ["fleet@test"]


def test_a_session_that_has_ended_is_not_counted(client: FlaskClient, store: Store, running_session: str) -> None:
    store.sessions.end(running_session, EndReason.DELETED)
    store.client.zadd(keys.SESSION_INDEX, {"ses_expired": 1})

    assert status_of(client)["sessions"]["open"] == 0
    assert store.client.zscore(keys.SESSION_INDEX, "ses_expired") is None


def test_alerts_of_workers_are_told_worst_first(client: FlaskClient, store: Store) -> None:
    alerts = [an_alert("responses_high", Severity.INFO), an_alert("chrome_down", Severity.CRITICAL)]
    store.workers.renew(a_worker_report(alerts=alerts))

    status = status_of(client)

    assert names(status) == ["chrome_down", "responses_high"]
    assert status["status"] == "critical"


def test_information_alone_is_ok(client: FlaskClient, store: Store) -> None:
    store.workers.renew(a_worker_report(alerts=[an_alert("responses_high", Severity.INFO)]))
    assert status_of(client)["status"] == "ok"


def test_a_worker_without_chrome_is_counted_as_such_and_makes_the_fleet_unready(
    client: FlaskClient, store: Store
) -> None:
    store.workers.note(a_worker_report(chrome_up=False, reported_at=utc_now()))

    status = status_of(client)

    assert status["chrome"] == {"up": 0, "expected": 1}
    assert "no_workers" in names(status)
    assert client.get("/readyz").status_code == 503


def test_noting_does_not_bring_back_a_lease_that_has_run_out(client: FlaskClient, store: Store) -> None:
    store.client.delete(keys.worker("fleet@test"))
    store.workers.note(a_worker_report(chrome_up=False))
    assert status_of(client)["workers"] == []


def test_a_fleet_without_workers_says_since_when(client: FlaskClient, store: Store) -> None:
    before = utc_now() - timedelta(minutes=7)
    store.workers.renew(a_worker_report(reported_at=before))
    store.workers.leave("fleet@test")
    store.workers.settle_estate("fleet@test")

    (alert,) = status_of(client)["alerts"]

    assert (alert["name"], alert["severity"], alert["worker"]) == ("no_workers", "critical", None)
    assert datetime.fromisoformat(alert["since"]) == before
    assert "Start one" in alert["message"]


@pytest.mark.no_worker
def test_replicas_agree_since_when_a_fleet_has_no_workers_that_never_had_any(replicas: list[FlaskClient]) -> None:
    told = [status_of(replica)["alerts"] for replica in replicas]
    assert told[0] == told[1]
    assert [alert["name"] for alert in told[0]] == ["no_workers"]


def test_a_fleet_that_has_a_worker_again_has_no_such_alert(client: FlaskClient, store: Store) -> None:
    store.workers.leave("fleet@test")
    assert names(status_of(client)) == ["no_workers"]
    store.workers.renew(a_worker_report())
    assert names(status_of(client)) == []


def lose(store: Store, name: str, *, seconds_ago: float) -> datetime:
    """When its lease ran out."""
    ended = utc_now() - timedelta(seconds=seconds_ago)
    store.workers.renew(a_worker_report(name=name, reported_at=ended - timedelta(seconds=keys.WORKER_LEASE_SECONDS)))
    store.client.delete(keys.worker(name))
    return ended


def test_a_lost_worker_alerts_for_two_minutes_also_once_it_is_taken_over(client: FlaskClient, store: Store) -> None:
    ended = lose(store, "fleet@lost", seconds_ago=30)
    (waits,) = status_of(client)["alerts"]
    assert store.workers.claim_estate("fleet@lost")
    store.workers.settle_estate("fleet@lost")
    (settled,) = status_of(client)["alerts"]

    assert (settled["name"], settled["worker"], settled["severity"]) == ("worker_lost", "fleet@lost", "critical")
    assert abs(datetime.fromisoformat(settled["since"]) - ended) < timedelta(seconds=1)
    assert settled["since"] == waits["since"]
    assert settled["message"] != waits["message"]


def test_a_worker_that_was_lost_longer_ago_alerts_while_nobody_has_taken_over_what_it_held(
    client: FlaskClient, store: Store
) -> None:
    lose(store, "fleet@lost", seconds_ago=600)
    assert names(status_of(client)) == ["worker_lost"]
    store.workers.claim_estate("fleet@lost")
    store.workers.settle_estate("fleet@lost")
    assert names(status_of(client)) == []


def test_a_lost_worker_that_is_back_does_not_alert(client: FlaskClient, store: Store) -> None:
    lose(store, "fleet@lost", seconds_ago=30)
    store.workers.claim_estate("fleet@lost")
    store.workers.renew(a_worker_report(name="fleet@lost"))
    assert names(status_of(client)) == []


def test_a_worker_that_left_is_not_lost(client: FlaskClient, store: Store) -> None:
    store.workers.renew(a_worker_report(name="fleet@left"))
    store.workers.leave("fleet@left")
    assert names(status_of(client)) == []
    store.workers.claim_estate("fleet@left")
    assert names(status_of(client)) == []


def test_a_queue_alerts_above_eighty_percent_and_clears_at_seventy(replicas: list[FlaskClient], store: Store) -> None:
    first, second = replicas
    join(store, "captures", 8)
    assert names(status_of(first)) == []
    join(store, "captures", 9)
    (raised,) = status_of(first)["alerts"]
    assert (raised["name"], raised["value"], raised["threshold"]) == ("queue_high", 9, 8)
    leave(store, "captures", 8)
    assert [alert["since"] for alert in status_of(second)["alerts"]] == [raised["since"]]
    leave(store, "captures", 7)
    assert names(status_of(second)) == names(status_of(first)) == []
    join(store, "captures", 8)
    assert names(status_of(first)) == []


def test_workers_note_a_full_queue_while_nobody_asks(replicas: list[FlaskClient], small: Store) -> None:
    join(small, "sessions", 9)
    small.waiting.look()
    noted = small.client.get(keys.waiting_high("sessions"))
    (alert,) = status_of(replicas[0])["alerts"]
    assert noted is not None
    assert datetime.fromisoformat(alert["since"]) == datetime.fromisoformat(str(noted))
