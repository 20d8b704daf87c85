"""Who may watch a session, and with what."""

from dataclasses import dataclass

from app.services.sessions import SessionService
from app.services.view_links import ViewLinkService
from fleet.errors import ViewLinkInvalid
from fleet.ids import new_id
from fleet.models.viewer import FrameWishes, Viewer
from fleet.store.viewers import ViewerStore


@dataclass(frozen=True)
class Admitted:
    viewer: Viewer
    read_only: bool


class StreamService:
    def __init__(self, sessions: SessionService, links: ViewLinkService, viewers: ViewerStore) -> None:
        self._sessions = sessions
        self._links = links
        self._viewers = viewers

    def admit(self, session_id: str, *, frames: FrameWishes | None, read_only: bool, token: str | None) -> Admitted:
        """A viewer who has joined. `token`: of a view link.

        Raises ViewLinkInvalid, SessionNotFound, SessionEnded or ViewerLimitReached.
        """
        self._check_right(session_id, token)
        viewer = Viewer(id=new_id("vwr"), session_id=session_id, frames=frames)
        self._viewers.join(viewer)
        return Admitted(viewer, read_only=read_only or token is not None)

    def check(self, session_id: str, *, token: str | None) -> None:
        """Raises what `admit` would raise now."""
        self._check_right(session_id, token)
        self._viewers.check_room()

    def _check_right(self, session_id: str, token: str | None) -> None:
        if token is not None and self._links.session_of(token) != session_id:
            raise ViewLinkInvalid("The view link is another session's.")
        self._sessions.get(session_id)

    def leave(self, admitted: Admitted) -> None:
        """One who was admitted and could not be served."""
        self._viewers.leave(admitted.viewer)
