"""Tells listeners that a session is about to end, once for each time that it comes near its end."""

from fleet.store.events import EventStore

WARNING_SECONDS = 60.0


class ExpiryWarnings:
    def __init__(self, events: EventStore) -> None:
        self._events = events
        self._warned: set[str] = set()

    def look(self, remaining: dict[str, float]) -> None:
        """`remaining`: seconds that are left to each session that this host holds."""
        near = {session_id for session_id, seconds in remaining.items() if seconds <= WARNING_SECONDS}
        for session_id in near - self._warned:
            self._events.publish(session_id, "session", "expiring", expires_in=round(remaining[session_id], 1))
        # A use since then has renewed it, so the next time counts anew.
        self._warned = near
