"""What sessions report live. Nothing is kept: who does not listen does not hear it."""

import json
from collections.abc import Iterable
from typing import Any, Literal

from fleet import keys
from fleet.clock import utc_now
from fleet.store.connection import RedisClient

EventType = Literal["page", "network", "console", "job", "session", "input"]


def event_json(session_id: str, of: EventType, name: str, **facts: Any) -> str:
    """`facts`: JSON values beside `type`, `name`, `session_id` and `at` (ISO 8601)."""
    return json.dumps({"type": of, "name": name, "session_id": session_id, "at": utc_now().isoformat(), **facts})


class EventStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def publish(self, session_id: str, of: EventType, name: str, **facts: Any) -> None:
        """`facts`: as in `event_json`."""
        self._client.publish(keys.session_events(session_id), event_json(session_id, of, name, **facts))

    def publish_all(self, session_id: str, events: Iterable[str]) -> None:
        """`events`: of `event_json`, in their order."""
        with self._client.pipeline(transaction=False) as batch:
            for event in events:
                batch.publish(keys.session_events(session_id), event)
            batch.execute()
