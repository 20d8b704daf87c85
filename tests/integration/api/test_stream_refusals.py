"""What a plain request to the address of a stream is told: what an upgrade would be refused for."""

from flask import Flask
from flask.testing import FlaskClient

from app.wiring import EXTENSION
from fleet.models.session import EndReason
from fleet.store import Store
from tests.factories import a_viewer


def _told(client: FlaskClient, session_id: str, query: str = "") -> tuple[int, str]:
    answer = client.get(f"/api/sessions/{session_id}/stream{query}")
    return answer.status_code, answer.get_json()["error"]["code"]


def test_who_may_watch_is_asked_to_upgrade(client: FlaskClient, running_session: str) -> None:
    assert _told(client, running_session) == (426, "upgrade_required")


def test_there_is_nothing_to_watch_of_a_session_that_is_not_there(client: FlaskClient) -> None:
    assert _told(client, "ses_unknown") == (404, "session_not_found")


def test_there_is_nothing_to_watch_of_a_session_that_has_ended(
    client: FlaskClient, store: Store, running_session: str
) -> None:
    store.sessions.end(running_session, EndReason.DELETED)
    assert _told(client, running_session) == (410, "session_ended")


def test_a_view_link_that_is_not_the_fleets_opens_nothing(client: FlaskClient, running_session: str) -> None:
    status, code = _told(client, running_session, "?view=made-up")
    assert code == "view_link_invalid"
    assert client.get("/view/made-up").status_code == status


def test_the_page_of_a_view_link_knows_its_session_and_leads_nowhere_else(
    client: FlaskClient, running_session: str
) -> None:
    url = client.post(f"/api/sessions/{running_session}/view_links").get_json()["url"]
    answer = client.get(url)
    assert f"/api/sessions/{running_session}/stream?view=" in answer.text
    assert "/api/sessions/" not in answer.text.replace(f"/api/sessions/{running_session}/stream?view=", "")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_where_all_places_are_taken_it_says_so(app: Flask, client: FlaskClient, running_session: str) -> None:
    streams = app.extensions[EXTENSION].streams
    streams._viewers.limit = 1
    streams._viewers.join(a_viewer())
    assert _told(client, running_session) == (429, "viewer_limit_reached")
