"""Webhooks on a real worker: what ends is told, also of what ended while it was dead."""

import json
from typing import Any

from fleet.models.batch import BatchCapture, BatchOptions
from fleet.models.webhook import WebhookState
from fleet.store.batches import Item
from fleet_client import verify_webhook
from tests.integration.receiver import Received, Receiver
from tests.integration.worker.running_fleet import HTML_OUTPUT, WEBHOOK_SECRET, RunningFleet
from tests.pages.server import PagesServer
from tests.polling import eventually

# With a machine that is busy.
_SECONDS = 120


def told(receiver: Receiver, count: int = 1) -> list[dict[str, Any]]:
    """What came, once so many have; each is the fleet's."""
    eventually(lambda: len(receiver.received) >= count, seconds=_SECONDS)
    return [_verified(came) for came in receiver.received]


def _verified(came: Received) -> dict[str, Any]:
    assert verify_webhook(came.body, came.headers["Fleet-Signature"], WEBHOOK_SECRET)
    found: dict[str, Any] = json.loads(came.body)
    return found


def test_ends_of_a_capture_a_session_and_a_batch_are_told(fleet: RunningFleet, pages: PagesServer) -> None:
    with Receiver() as receiver:
        job_id = fleet.capture(f"{pages.url}/plain", outputs=[HTML_OUTPUT], webhook_url=receiver.url)
        session_id = fleet.session(webhook_url=receiver.url)
        fleet.delete(session_id)
        options = BatchOptions(webhook_url=receiver.url)
        capture = BatchCapture.model_validate({"outputs": [HTML_OUTPUT]})
        batch = fleet.services.batches.accept(options, capture, [Item(f"{pages.url}/plain")], "req-test").batch
        by_event = {one["event"]: one for one in told(receiver, 3)}

    assert (by_event["job.ended"]["job"]["id"], by_event["job.ended"]["job"]["state"]) == (job_id, "succeeded")
    assert by_event["session.ended"]["session"]["id"] == session_id
    assert by_event["session.ended"]["session"]["end_reason"] == "deleted"
    assert by_event["batch.ended"]["batch"]["id"] == batch.id
    assert by_event["batch.ended"]["batch"]["counts"]["succeeded"] == 1


def test_a_session_whose_time_runs_out_is_told_of(fleet: RunningFleet) -> None:
    with Receiver() as receiver:
        session_id = fleet.session(ttl=1, webhook_url=receiver.url)
        (one,) = told(receiver)

    assert (one["session"]["id"], one["session"]["end_reason"]) == (session_id, "idle")


def test_a_receiver_that_fails_is_tried_again(fleet: RunningFleet) -> None:
    with Receiver(500, 204) as receiver:
        job_id = fleet.capture(html="<p>", outputs=[HTML_OUTPUT], webhook_url=receiver.url)
        first, second = told(receiver, 2)
        page = fleet.services.webhooks.newest(subject_id=job_id, limit=10, cursor=None)
        eventually(lambda: fleet.services.webhooks.get(first["id"]).state is WebhookState.DELIVERED, seconds=_SECONDS)
        attempts = fleet.services.webhooks.get(first["id"]).attempts

    assert first == second
    assert [one.id for one in page.entries] == [first["id"]]
    assert [attempt.status for attempt in attempts] == [500, 204]


def test_what_ended_while_no_worker_lived_is_told_by_the_next_one(own_fleet: RunningFleet) -> None:
    with Receiver() as receiver:
        own_fleet.worker.kill_all()
        own_fleet.worker.wait()
        job_id = own_fleet.capture(html="<p>", outputs=[HTML_OUTPUT], webhook_url=receiver.url)
        own_fleet.services.jobs.cancel(job_id)
        own_fleet.worker.begin()
        (one,) = told(receiver)

    assert (one["job"]["id"], one["job"]["state"]) == (job_id, "cancelled")
