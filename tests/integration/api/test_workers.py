"""The fleet as the API tells it, and a worker that is to be emptied."""

import pytest
from flask.testing import FlaskClient

from fleet.store import Store
from tests.factories import a_worker_report


def test_the_workers_that_are_alive_are_listed_by_name(client: FlaskClient, store: Store) -> None:
    store.workers.renew(a_worker_report(name="a@here", sessions=3, memory_bytes=17))
    workers = client.get("/api/workers").get_json()["workers"]
    assert [worker["name"] for worker in workers] == ["a@here", "fleet@test"]
    assert (workers[0]["sessions"], workers[0]["memory_bytes"]) == (3, 17)


@pytest.mark.no_worker
def test_a_fleet_without_workers_lists_none(client: FlaskClient) -> None:
    assert client.get("/api/workers").get_json() == {"workers": []}


def test_a_worker_that_is_to_drain_is_asked_to(client: FlaskClient, store: Store) -> None:
    answer = client.post("/api/workers/fleet@test/drain")
    assert answer.status_code == 202
    assert answer.get_json()["worker"]["draining"]
    assert store.workers.is_asked_to_drain("fleet@test")


def test_a_worker_that_is_not_alive_cannot_be_drained(client: FlaskClient, store: Store) -> None:
    answer = client.post("/api/workers/fleet@gone/drain")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "worker_not_found")
    assert not store.workers.is_asked_to_drain("fleet@gone")


def test_a_fleet_whose_only_worker_drains_is_not_ready(client: FlaskClient, store: Store) -> None:
    store.workers.renew(a_worker_report(draining=True))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "workers" in str(answer.get_json())
