"""A session that viewers of this process watch."""

import asyncio
import json
from math import inf
from typing import Any

from app.viewers.connection import SESSION_ENDED, Connection
from app.viewers.mailbox import Picture
from fleet.models.viewer import Viewer
from fleet.store.events import event_json


class Seat:
    """A viewer and its connection."""

    def __init__(self, viewer: Viewer, connection: Connection, *, read_only: bool) -> None:
        self.viewer = viewer
        self.connection = connection
        self.read_only = read_only
        # When its input was last counted as a use of the session (monotonic).
        self.used_at = -inf

    def refuse(self, **facts: Any) -> None:
        """Its input was not done."""
        self.connection.mailbox.put_event(json.dumps({"type": "input", "name": "refused", **facts}))


class WatchedSession:
    """`channels`: those that are listened to, and whether they are open; `delivered`: number of the newest picture
    that a viewer has.
    """

    def __init__(self) -> None:
        self.seats: set[Seat] = set()
        self.channels: dict[str, asyncio.Event] = {}
        self.picture: Picture | None = None
        self.delivered = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def keep(self, task: asyncio.Task[None]) -> None:
        """Or the loop forgets it."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def show(self, picture: Picture) -> None:
        if self.picture is None or picture.number > self.picture.number:
            self.picture = picture
            for seat in self.seats:
                if seat.viewer.frames is not None:
                    seat.connection.mailbox.put_picture(picture)

    def tell(self, message: str) -> None:
        event = json.loads(message)
        if event["type"] == "input":
            self._answer(**event)
            return
        for seat in self.seats:
            seat.connection.mailbox.put_event(message)

    def _answer(self, *, viewer_id: str, kind: str, code: str, message: str, **_: Any) -> None:
        for seat in self.seats:
            if seat.viewer.id == viewer_id:
                seat.refuse(kind=kind, code=code, message=message)

    def end(self, session_id: str, reason: str) -> None:
        for seat in self.seats:
            seat.connection.mailbox.put_event(event_json(session_id, "session", "ended", end_reason=reason))
            seat.connection.close(SESSION_ENDED, reason)
