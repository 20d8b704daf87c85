"""Commands against a server that answers what a fleet of the tests' kind has no occasion to."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fleet.clock import utc_now
from fleet.models.webhook import Webhook, WebhookAttempt, WebhookEvent, WebhookState
from fleet_client.cli.app import app
from tests.factories import a_worker_report
from tests.integration.client.unreliable_server import UnreliableServer, json_answer, unreliable_server


@pytest.fixture
def server() -> Iterator[UnreliableServer]:
    with unreliable_server() as server:
        yield server


def _run(server: UnreliableServer, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--server", server.url])


def _webhook() -> dict[str, Any]:
    now = utc_now()
    attempts = [
        WebhookAttempt(at=now, duration_ms=12, error="connection_refused"),
        WebhookAttempt(at=now, duration_ms=34, status=204),
    ]
    webhook = Webhook(
        id="whk_a",
        event=WebhookEvent.JOB_ENDED,
        subject_id="job_a",
        url="https://example.org/hook",
        state=WebhookState.DELIVERED,
        created_at=now,
        attempts=attempts,
    )
    return webhook.model_dump(mode="json")


def test_a_webhook_is_listed_with_its_last_answer(server: UnreliableServer) -> None:
    server.will(json_answer({"webhooks": [_webhook()], "next_cursor": None}))
    _, row = _run(server, "webhook", "list", "job_a").stdout.splitlines()

    assert "subject_id=job_a" in server.received[0].path
    assert row.split()[:3] == ["whk_a", "delivered", "job.ended"]
    assert row.split()[-3:] == ["2", "204", "https://example.org/hook"]


def test_no_more_webhooks_are_listed_than_were_asked_for(server: UnreliableServer) -> None:
    server.will(json_answer({"webhooks": [_webhook()] * 3, "next_cursor": "further on"}))

    assert len(_run(server, "webhook", "list", "--limit", "2", "--json").stdout.splitlines()) == 2


def test_each_attempt_of_a_webhook_is_shown(server: UnreliableServer) -> None:
    server.will(json_answer(_webhook()))
    _, first, second = _run(server, "webhook", "show", "whk_a").stdout.splitlines()

    assert first.split()[-3:] == ["12", "ms", "connection_refused"]
    assert second.split()[-3:] == ["34", "ms", "204"]


def test_each_worker_that_is_named_is_drained(server: UnreliableServer) -> None:
    names = ["worker-1@a", "worker-1@b"]
    for name in names:
        report = a_worker_report(name=name, draining=True, sessions=3)
        server.will(json_answer({"worker": report.model_dump(mode="json")}, 202))
    ended = _run(server, "worker", "drain", *names)

    assert [(one.method, one.path) for one in server.received] == [
        ("POST", f"/api/workers/{name.replace('@', '%40')}/drain") for name in names
    ]
    assert [line.split()[0] for line in ended.stderr.splitlines()] == names


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({"draining": True, "admits_sessions": False}, "draining"),
        ({"chrome_up": False, "admits_sessions": False}, "chrome down"),
        ({"storage_up": False}, "storage down"),
        ({"admits_sessions": False}, "memory high"),
    ],
)
def test_a_worker_is_listed_with_what_is_wrong_with_it(
    server: UnreliableServer, changes: dict[str, bool], state: str
) -> None:
    report = a_worker_report(name="worker-1@a", **changes)
    server.will(json_answer({"workers": [report.model_dump(mode="json")]}))
    _, row = _run(server, "worker", "list").stdout.splitlines()

    assert row.removeprefix("worker-1@a").strip().startswith(f"{state} ")
