"""What sessions report live. Nothing is kept: who does not listen does not hear it."""

import json
from typing import Any, Literal

from fleet import keys
from fleet.clock import utc_now
from fleet.store.connection import RedisClient

EventType = Literal["page", "network", "console", "job", "session"]


class EventStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def publish(self, session_id: str, of: EventType, name: str, **facts: Any) -> None:
        """`facts`: JSON values beside `type`, `name`, `session_id` and `at` (ISO 8601)."""
        event = {"type": of, "name": name, "session_id": session_id, "at": utc_now().isoformat(), **facts}
        self._client.publish(keys.session_events(session_id), json.dumps(event))
