from typing import Any

from fleet.store.events import EventStore
from workers.browser_host.expiry_warnings import ExpiryWarnings


class HeardEvents(EventStore):
    """Keeps what would be published."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def publish(self, session_id: str, of: str, name: str, **facts: Any) -> None:
        self.heard.append(f"{session_id} {of} {name} {facts['expires_in']}")


def test_a_session_that_is_near_its_end_is_told_once() -> None:
    events = HeardEvents()
    warnings = ExpiryWarnings(events)
    warnings.look({"near": 59.0, "far": 61.0})
    warnings.look({"near": 54.0, "far": 61.0})
    assert events.heard == ["near session expiring 59.0"]


def test_a_session_that_was_renewed_is_told_again() -> None:
    events = HeardEvents()
    warnings = ExpiryWarnings(events)
    for seconds in (50.0, 600.0, 40.0):
        warnings.look({"one": seconds})
    assert events.heard == ["one session expiring 50.0", "one session expiring 40.0"]
