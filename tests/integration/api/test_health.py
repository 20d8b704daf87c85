import pytest
from flask.testing import FlaskClient

from fleet.store import Store
from tests.factories import a_worker_report
from tests.integration.redis_server import RedisServer


@pytest.fixture
def _a_live_worker(store: Store) -> None:
    store.workers.renew(a_worker_report())


def test_a_process_that_answers_is_alive(client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200


@pytest.mark.usefixtures("_a_live_worker")
def test_a_fleet_with_redis_and_a_worker_is_ready(client: FlaskClient) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.get_json() == {"status": "ok", "ok": ["redis", "workers", "storage"], "failing": {}}


@pytest.mark.no_worker
def test_a_fleet_without_workers_is_not_ready(client: FlaskClient) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.get_json()["ok"] == ["redis", "storage"]
    assert list(answer.get_json()["failing"]) == ["workers"]


@pytest.mark.usefixtures("_a_live_worker")
def test_a_worker_that_left_makes_the_fleet_unready(client: FlaskClient, store: Store) -> None:
    store.workers.leave(a_worker_report().name)

    assert client.get("/readyz").status_code == 503


@pytest.mark.no_worker
@pytest.mark.parametrize(
    ("storage_up", "failing"), [((True, True), []), ((True, False), []), ((False, False), ["storage"])]
)
def test_a_fleet_of_which_nobody_can_write_artifacts_is_not_ready(
    client: FlaskClient, store: Store, storage_up: tuple[bool, bool], failing: list[str]
) -> None:
    for name, up in zip(("one@here", "two@here"), storage_up, strict=True):
        store.workers.renew(a_worker_report(name=name, storage_up=up))

    assert list(client.get("/readyz").get_json()["failing"]) == failing


@pytest.mark.no_worker
def test_who_is_not_ready_says_when_to_ask_again(client: FlaskClient) -> None:
    assert int(client.get("/readyz").headers["Retry-After"]) > 0


def test_an_api_without_redis_is_alive(client_without_store: FlaskClient) -> None:
    assert client_without_store.get("/healthz").status_code == 200


def test_an_api_without_redis_is_not_ready(client_without_store: FlaskClient) -> None:
    answer = client_without_store.get("/readyz")

    assert answer.status_code == 503
    assert list(answer.get_json()["failing"]) == ["redis", "workers", "storage"]


def test_an_api_is_ready_again_once_redis_is_back(client_without_store: FlaskClient, own_redis: RedisServer) -> None:
    own_redis.start()

    assert client_without_store.get("/readyz").get_json()["ok"] == ["redis", "storage"]
