"""Links that let somebody watch one session, and nothing else, for a while."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer

from app.services.sessions import SessionService
from fleet.clock import utc_now
from fleet.errors import ViewLinkInvalid

_SALT = "view-link"


@dataclass(frozen=True)
class ViewLink:
    token: str
    expires_at: datetime


class ViewLinkService:
    def __init__(self, sessions: SessionService, *, secret_key: str) -> None:
        self._sessions = sessions
        self._signer = URLSafeSerializer(secret_key, salt=_SALT)

    def create(self, session_id: str, *, ttl: int) -> ViewLink:
        """Raises SessionNotFound or SessionEnded."""
        self._sessions.get(session_id)
        expires_at = (utc_now() + timedelta(seconds=ttl)).replace(microsecond=0)
        return ViewLink(self._signer.dumps([session_id, int(expires_at.timestamp())]), expires_at)

    def session_of(self, token: str) -> str:
        """The id of the session that it shows. Raises ViewLinkInvalid."""
        try:
            session_id, expires_at = self._signer.loads(token)
        except BadData as error:
            raise ViewLinkInvalid("The view link is not one of this fleet. Ask for a new one.") from error
        if datetime.fromtimestamp(expires_at, UTC) <= utc_now():
            raise ViewLinkInvalid("The view link has expired. Ask for a new one.")
        return str(session_id)
