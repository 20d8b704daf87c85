"""The Python client against the OpenAPI document: no call of the API that it does not have, but for reasons."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from fleet_client import FleetClient, FleetClientError, Retries
from tests.integration.client.unreliable_server import UnreliableServer, refusal, unreliable_server

_COVERED: dict[str, Callable[[FleetClient], Any]] = {
    "POST /api/captures": lambda fleet: fleet.submit("https://example.org/"),
    "GET /api/jobs": lambda fleet: next(fleet.jobs()),
    "GET /api/jobs/{job_id}": lambda fleet: fleet.job("job_a"),
    "DELETE /api/jobs/{job_id}": lambda fleet: fleet.cancel_job("job_a"),
    "POST /api/sessions": lambda fleet: fleet.create_session(),
    "GET /api/sessions": lambda fleet: next(fleet.sessions()),
    "GET /api/sessions/{session_id}": lambda fleet: fleet.session("ses_a"),
    "PATCH /api/sessions/{session_id}": lambda fleet: fleet.update_session("ses_a", ttl=60),
    "DELETE /api/sessions/{session_id}": lambda fleet: fleet.close_session("ses_a"),
    "GET /api/sessions/{session_id}/storage_state": lambda fleet: fleet.storage_state("ses_a"),
    "POST /api/sessions/{session_id}/captures": lambda fleet: fleet.submit(session_id="ses_a"),
    "POST /api/sessions/{session_id}/view_links": lambda fleet: fleet.create_view_link("ses_a"),
    "GET /api/sessions/{session_id}/scripts": lambda fleet: fleet.scripts("ses_a"),
    "POST /api/sessions/{session_id}/scripts": lambda fleet: fleet.add_script("ses_a", "1"),
    "DELETE /api/sessions/{session_id}/scripts/{script_id}": lambda fleet: fleet.remove_script("ses_a", "scr_a"),
    "GET /api/sessions/{session_id}/responses": lambda fleet: next(fleet.responses("ses_a")),
    "DELETE /api/sessions/{session_id}/responses": lambda fleet: fleet.delete_responses("ses_a"),
    "GET /api/sessions/{session_id}/responses/{response_id}": lambda fleet: fleet.response("ses_a", "rsp_a"),
    "GET /api/sessions/{session_id}/responses/{response_id}/body": lambda fleet: fleet.read_response("ses_a", "rsp_a"),
    "GET /api/artifacts/{artifact_id}": lambda fleet: fleet.read("art_a"),
    "GET /api/artifacts/{artifact_id}/link": lambda fleet: fleet.artifact_link("art_a"),
    "POST /api/batches": lambda fleet: fleet.create_batch(["https://example.org/"]),
    "GET /api/batches": lambda fleet: next(fleet.batches()),
    "GET /api/batches/{batch_id}": lambda fleet: fleet.batch("bat_a"),
    "DELETE /api/batches/{batch_id}": lambda fleet: fleet.cancel_batch("bat_a"),
    "GET /api/batches/{batch_id}/items": lambda fleet: next(fleet.batch_items("bat_a")),
    "GET /api/batches/{batch_id}/archive": lambda fleet: fleet.download_archive("bat_a", "all.zip"),
    "POST /api/batches/{batch_id}/pause": lambda fleet: fleet.pause_batch("bat_a"),
    "POST /api/batches/{batch_id}/resume": lambda fleet: fleet.resume_batch("bat_a"),
    "POST /api/batches/{batch_id}/retry": lambda fleet: fleet.retry_batch("bat_a"),
    "GET /api/webhooks": lambda fleet: next(fleet.webhooks()),
    "GET /api/webhooks/{webhook_id}": lambda fleet: fleet.webhook("whk_a"),
    "GET /api/workers": lambda fleet: fleet.workers(),
    "POST /api/workers/{name}/drain": lambda fleet: fleet.drain_worker("worker-1@host"),
    "GET /api/status": lambda fleet: fleet.status(),
    "GET /readyz": lambda fleet: fleet.readiness(),
}
_LEFT_OUT = {
    "GET /api/sessions/{session_id}/stream": "A WebSocket: it takes a library of its own. People have the dashboard.",
    "GET /healthz": "Any other call tells that the API answers.",
    "GET /metrics": "Prometheus reads it.",
}


@pytest.fixture
def server() -> Iterator[UnreliableServer]:
    with unreliable_server() as server:
        yield server


def test_the_client_has_every_call_of_the_api_or_a_reason(client: FlaskClient) -> None:
    paths = client.get("/api/openapi.json").get_json()["paths"]

    assert {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} == {
        *_COVERED,
        *_LEFT_OUT,
    }


@pytest.mark.parametrize("operation", _COVERED)
def test_a_call_of_the_client_asks_for_what_it_is_named_after(
    server: UnreliableServer, operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server.will(refusal(404, "not_found"))
    with FleetClient(server.url, retries=Retries(times=0)) as fleet, suppress(FleetClientError):
        _COVERED[operation](fleet)

    (received,) = server.received
    expected = re.sub(r"\{\w+\}", "[^/]+", operation)
    assert re.fullmatch(expected, f"{received.method} {received.path.partition('?')[0]}")
