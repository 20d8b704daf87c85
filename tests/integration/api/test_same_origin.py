import pytest
from flask.testing import FlaskClient

from fleet.store import Store
from tests.integration.as_worker import WORKER


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
    ],
)
def test_a_page_of_another_site_cannot_make_a_browser_drain_a_worker(
    client: FlaskClient, store: Store, headers: dict[str, str]
) -> None:
    answer = client.post(f"/api/workers/{WORKER}/drain", headers=headers)
    assert answer.status_code == 403
    assert answer.get_json()["error"]["code"] == "cross_origin_refused"
    assert not store.workers.is_asked_to_drain(WORKER)


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}]
)
def test_programs_and_the_fleets_own_pages_may(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post(f"/api/workers/{WORKER}/drain", headers=headers).status_code == 202


def test_a_page_of_another_site_opens_no_stream(client: FlaskClient, running_session: str) -> None:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "http://evil.example"}
    answer = client.get(f"/api/sessions/{running_session}/stream", headers=headers)
    assert answer.status_code == 403


def test_links_from_other_sites_lead_to_the_dashboard(client: FlaskClient) -> None:
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
