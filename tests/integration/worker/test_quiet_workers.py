"""In a large fleet, what every worker tells every other one is n² messages."""

from tests.integration.worker.running_fleet import RunningFleet


def test_no_worker_listens_to_the_events_of_others(fleet: RunningFleet) -> None:
    store = fleet.store
    assert store.client.publish(f"/{store.database}.celeryev/worker.heartbeat", "{}") == 0
