"""Captured responses of a session. Each of these calls is a use of the session."""

from dataclasses import dataclass

from app.services.sessions import SessionService
from fleet import globs
from fleet.errors import ResponseNotFound
from fleet.ids import is_id
from fleet.models.response import CapturedResponse
from fleet.store.index import Cursor, Page
from fleet.store.responses import ResponseStore


@dataclass(frozen=True)
class ResponseFilter:
    """`status`: `404`, or `4xx` for all of that class. `url`, `mime_type`: patterns with `*`."""

    url: str | None = None
    status: str | None = None
    resource_type: str | None = None
    mime_type: str | None = None

    def passes(self, response: CapturedResponse) -> bool:
        return (
            (self.url is None or globs.matches(self.url, response.request.url))
            and (self.status is None or globs.matches(self.status.replace("xx", "*"), str(response.response.status)))
            and self.resource_type in (None, response.resource_type)
            and (self.mime_type is None or globs.matches(self.mime_type.lower(), response.mime_type))
        )


class ResponseService:
    """Each call raises SessionNotFound or SessionEnded."""

    def __init__(self, responses: ResponseStore, sessions: SessionService) -> None:
        self._responses = responses
        self._sessions = sessions

    def newest(
        self, session_id: str, wanted: ResponseFilter, *, limit: int, cursor: Cursor | None
    ) -> Page[CapturedResponse]:
        self._sessions.use(session_id)
        return self._responses.newest(session_id, wanted.passes, limit=limit, cursor=cursor)

    def get(self, session_id: str, response_id: str) -> CapturedResponse:
        """Raises ResponseNotFound."""
        self._sessions.use(session_id)
        response = self._responses.get(session_id, response_id) if is_id(response_id, "rsp") else None
        if response is None:
            raise ResponseNotFound(f"The session has no response '{response_id[:64]}', or it has expired.")
        return response

    def body(self, session_id: str, response_id: str) -> tuple[CapturedResponse, bytes]:
        """Raises ResponseNotFound, also for a response without a body."""
        response = self.get(session_id, response_id)
        body = self._responses.body(session_id, response_id)
        if body is None:
            raise ResponseNotFound(_why_no_body(response))
        return response, body

    def clear(self, session_id: str) -> int:
        """How many there were."""
        self._sessions.use(session_id)
        return self._responses.clear(session_id)


def _why_no_body(response: CapturedResponse) -> str:
    if response.body_bytes:
        return f"The response '{response.id}' has just expired."
    if response.body_evicted:
        return "Chrome had dropped the body of this response before it could be read."
    if response.body_truncated:
        return "The body of this response was too large to be read."
    return "This response has no body, or the session records none (body_limit 0)."
