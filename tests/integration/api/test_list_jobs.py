import pytest
from flask.testing import FlaskClient

from fleet.store import Store
from tests.integration.api.conftest import Json


@pytest.fixture
def three(client: FlaskClient) -> list[str]:
    """Ids of jobs, oldest first."""
    return [client.post("/api/captures", json={"html": ""}).get_json()["job"]["id"] for _ in range(3)]


def listed(client: FlaskClient, query: str = "") -> list[str]:
    return [job["id"] for job in client.get(f"/api/jobs{query}").get_json()["jobs"]]


def test_an_empty_fleet_lists_nothing(client: FlaskClient) -> None:
    assert client.get("/api/jobs").get_json() == {"jobs": [], "next_cursor": None}


def test_jobs_are_listed_newest_first(client: FlaskClient, three: list[str]) -> None:
    assert listed(client) == three[::-1]


def test_jobs_of_every_kind_are_listed(client: FlaskClient, running_session: str) -> None:
    client.post("/api/captures", json={"html": ""})
    client.delete(f"/api/sessions/{running_session}")

    kinds = [job["kind"] for job in client.get("/api/jobs").get_json()["jobs"]]
    assert kinds == ["session.delete", "capture", "session.create"]


def test_a_listed_job_is_the_job(client: FlaskClient, accepted_capture: Json) -> None:
    (entry,) = client.get("/api/jobs").get_json()["jobs"]

    # Its position would cost one more question for each entry.
    assert entry == accepted_capture | {"position": None}


def test_pages_follow_each_other_without_a_gap(client: FlaskClient, three: list[str]) -> None:
    first = client.get("/api/jobs?limit=2").get_json()

    assert [job["id"] for job in first["jobs"]] == [three[2], three[1]]
    assert listed(client, f"?limit=2&cursor={first['next_cursor']}") == [three[0]]


def test_a_job_that_arrives_between_two_pages_moves_nothing(client: FlaskClient, three: list[str]) -> None:
    first = client.get("/api/jobs?limit=2").get_json()
    client.post("/api/captures", json={"html": ""})

    assert listed(client, f"?limit=2&cursor={first['next_cursor']}") == [three[0]]


def test_the_last_page_has_no_cursor(client: FlaskClient, three: list[str]) -> None:
    assert client.get("/api/jobs?limit=200").get_json()["next_cursor"] is None


def test_a_job_whose_record_has_expired_is_not_listed(client: FlaskClient, three: list[str], store: Store) -> None:
    for key in store.client.keys(f"*{three[1]}*"):
        store.client.delete(key)

    assert listed(client) == [three[2], three[0]]
