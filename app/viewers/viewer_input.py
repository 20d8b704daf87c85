"""What viewers send: checked here, passed on to the host that holds their session."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.viewers.connection import PROTOCOL_BROKEN
from app.viewers.watched import Seat
from fleet.errors import BrowserUnavailable, FleetError, InvalidRequest, InvalidUrl, SessionEnded, StreamReadOnly
from fleet.models.input import Input
from fleet.store import Store
from fleet.store.asks import InputAsk

# A host hears of its first viewer within this; of a session that moves meanwhile its viewer is told.
_HOST_SECONDS = 5.0
_HOST_PAUSE_SECONDS = 0.05
# Input is a use of the session, and renews its life so often at most.
_USE_SECONDS = 5.0

_INPUT: TypeAdapter[Input] = TypeAdapter(Input)

Ask = Callable[..., Awaitable[Any]]


class ViewerInput:
    def __init__(self, store: Store, ask: Ask) -> None:
        """`ask` runs a call to the store outside the event loop."""
        self._store = store
        self._ask = ask

    async def take(self, seat: Seat, text: str) -> None:
        """What cannot be done is answered; what is no message at all ends the connection."""
        message = _message(text)
        if message is None or message.pop("type", None) != "input":
            seat.connection.close(PROTOCOL_BROKEN, 'Messages are JSON objects with "type": "input".')
            return
        try:
            if seat.read_only:
                raise StreamReadOnly("This stream is read-only; open one that takes input.")
            await self._pass_on(seat, _parse(message))
        except FleetError as error:
            kind = message.get("kind")
            seat.refuse(kind=kind if isinstance(kind, str) else None, code=error.code, message=error.message)

    async def _pass_on(self, seat: Seat, wanted: Input) -> None:
        session_id = seat.viewer.session_id
        if time.monotonic() - seat.used_at > _USE_SECONDS:
            if not await self._ask(self._store.sessions.use, session_id):
                raise SessionEnded("The session has ended.", end_reason="unknown")
            seat.used_at = time.monotonic()
        ask = InputAsk(viewer_id=seat.viewer.id, input=wanted)
        deadline = time.monotonic() + _HOST_SECONDS
        while not await self._ask(self._store.asks.send, session_id, ask):
            if time.monotonic() > deadline:
                raise BrowserUnavailable("No worker holds the session at this moment. Try again in a few seconds.")
            await asyncio.sleep(_HOST_PAUSE_SECONDS)


def _message(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _parse(message: dict[str, Any]) -> Input:
    try:
        return _INPUT.validate_python(message)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        # The kind is the first part of the path.
        field = ".".join(str(part) for part in problem["loc"][1:]) or (problem.get("ctx") or {}).get("field", "kind")
        kind = InvalidUrl if problem["type"] == "invalid_url" else InvalidRequest
        raise kind(f"{field}: {problem['msg']}", field=field) from None
