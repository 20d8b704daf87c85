"""The persistent scripts of a session, as clients add, see and remove them."""

from app.services.new_scripts import ScriptLimits, new_script
from app.services.sessions import SessionService
from fleet.errors import ScriptNotFound
from fleet.ids import is_id
from fleet.models.script import Script
from fleet.store.scripts import ScriptStore


class ScriptService:
    """Every call raises SessionNotFound, SessionEnded or StoreUnavailable."""

    def __init__(self, scripts: ScriptStore, sessions: SessionService, limits: ScriptLimits) -> None:
        self._scripts = scripts
        self._sessions = sessions
        self._limits = limits

    def all(self, session_id: str) -> list[Script]:
        """In the order in which they were added."""
        self._sessions.get(session_id)
        found = self._scripts.all(session_id)
        if found is None:
            raise self._sessions.gone(session_id)
        return found

    def add(self, session_id: str, source: str) -> Script:
        """Raises ScriptTooLarge, ScriptSyntaxError or ScriptLimitReached too."""
        self._sessions.get(session_id)
        script = new_script(source, self._limits)
        if not self._scripts.add(session_id, script):
            raise self._sessions.gone(session_id)
        return script

    def remove(self, session_id: str, script_id: str) -> Script:
        """The removed one. Raises ScriptNotFound too."""
        self._sessions.get(session_id)
        removed = self._scripts.remove(session_id, script_id) if is_id(script_id, "scr") else None
        if removed is None:
            raise ScriptNotFound(f"The session has no script '{script_id[:64]}'. GET its scripts to see those it has.")
        return removed
