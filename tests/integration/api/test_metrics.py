"""/metrics of the API: what it has answered, and the fleet as Redis knows it."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import metrics
from fleet.clock import utc_now
from fleet.models.session import EndReason
from fleet.settings import Settings
from fleet.store import Store
from tests.factories import a_viewer, a_worker_report
from tests.integration.promtool import promtool
from tests.scrape import Scrape, sample_names

Json = dict[str, Any]


def scrape(client: FlaskClient) -> Scrape:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return Scrape(answer.text)


def test_requests_are_counted_by_the_template_of_their_path(client: FlaskClient, accepted_capture: Json) -> None:
    for _ in range(2):
        client.get(f"/api/jobs/{accepted_capture['id']}")
    client.get("/api/jobs/job_nobody")
    page = scrape(client)

    of_jobs = {"method": "GET", "route": "/api/jobs/<job_id>"}
    assert page.value("fleet_http_requests_total", status="200", **of_jobs) == 2
    assert page.value("fleet_http_requests_total", status="404", **of_jobs) == 1
    assert page.value("fleet_http_request_duration_seconds_count", **of_jobs) == 3
    assert page.value("fleet_http_errors_total", code="job_not_found") == 1
    assert accepted_capture["id"] not in page.text


def test_what_clients_invent_becomes_no_label(client: FlaskClient) -> None:
    client.get("/api/invented-path")
    client.open("/api/jobs", method="INVENTED")
    page = scrape(client)

    assert page.value("fleet_http_requests_total", route="none", method="GET", status="404") == 1
    assert page.value("fleet_http_requests_total", method="other", status="405") == 1
    assert "invented" not in page.text.lower()


def test_sessions_are_counted_by_state_beside_their_limit(
    client: FlaskClient, running_session: str, pending_session: Json, store: Store
) -> None:
    client.post("/api/sessions")
    page = scrape(client)

    assert page.value("fleet_sessions", state="running") == 1
    assert page.value("fleet_sessions", state="pending") == 1
    assert page.value("fleet_sessions", state="restoring") == 0
    assert page.value("fleet_sessions_limit") == 10


def test_queues_tell_their_length_their_limit_and_how_long_the_first_one_waits(
    client: FlaskClient, store: Store, settings: Settings
) -> None:
    store.waiting.try_join("captures", "job_first", utc_now() - timedelta(seconds=90))
    store.waiting.try_join("captures", "job_second", utc_now())
    page = scrape(client)

    assert page.value("fleet_queue_jobs", queue="captures") == 2
    assert page.value("fleet_queue_jobs", queue="sessions") == 0
    assert page.value("fleet_queue_jobs_limit", queue="captures") == settings.queue_limit
    assert page.value("fleet_queue_oldest_seconds", queue="captures") == pytest.approx(90, abs=60)
    assert page.value("fleet_queue_oldest_seconds", queue="sessions") == 0


@pytest.mark.no_worker
def test_workers_are_counted_by_what_they_can_do(client: FlaskClient, store: Store) -> None:
    store.workers.renew(a_worker_report(name="able@one"))
    store.workers.renew(a_worker_report(name="draining@two", draining=True))
    store.workers.renew(a_worker_report(name="lost@three", reported_at=utc_now() - timedelta(seconds=60)))
    store.client.delete("fleet:worker:lost@three")
    page = scrape(client)

    states = {state: page.value("fleet_workers", state=state) for state in ("able", "unable", "lost")}
    assert states == {"able": 1, "unable": 1, "lost": 1}


def test_viewers_are_counted_beside_their_limit(client: FlaskClient, store: Store, settings: Settings) -> None:
    store.viewers.join(a_viewer())
    page = scrape(client)

    assert (page.value("fleet_viewers"), page.value("fleet_viewers_limit")) == (1, settings.viewer_limit)


def test_a_session_that_the_api_ends_is_counted(client: FlaskClient, pending_session: Json) -> None:
    client.delete(f"/api/jobs/{pending_session['job']['id']}")

    assert scrape(client).value("fleet_sessions_ended_total", reason=EndReason.DELETED) == 1


def test_while_redis_is_away_the_page_says_so_and_tells_the_rest(client_without_store: FlaskClient) -> None:
    client_without_store.get("/api/jobs")
    page = scrape(client_without_store)

    assert page.value("fleet_store_up") == 0
    assert page.value("fleet_http_requests_total", route="/api/jobs", status="503") == 1
    assert page.value("fleet_sessions", state="running") is None


def test_the_api_serves_what_is_declared_with_the_declared_labels(client: FlaskClient) -> None:
    client.get("/api/jobs/job_nobody")
    declared = sample_names(metrics.MANIFEST)
    served = {sample.name: frozenset(sample.labels) for sample in scrape(client).samples()}

    assert served == declared


def test_what_the_api_serves_passes_the_checks_of_prometheus(client: FlaskClient) -> None:
    client.get("/api/jobs/job_nobody")

    promtool("check", "metrics", stdin=scrape(client).text)


def test_a_scraper_that_asks_for_openmetrics_gets_it(client: FlaskClient) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert answer.content_type.startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
