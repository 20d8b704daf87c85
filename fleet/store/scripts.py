"""The persistent scripts of a session, in the order in which they were added."""

from typing import cast

from fleet import keys
from fleet.errors import ScriptLimitReached
from fleet.models.script import Script
from fleet.store.connection import RedisClient, script
from fleet.store.sessions import SessionStore


class ScriptStore:
    """What a client does with scripts is a use of the session; what a worker reads is none."""

    def __init__(self, client: RedisClient, sessions: SessionStore, *, limit: int) -> None:
        """`limit`: of one session."""
        self._client = client
        self._sessions = sessions
        self._limit = limit
        self._add = script(client, "add_script")
        self._remove = script(client, "remove_script")

    def add(self, session_id: str, added: Script) -> bool:
        """False if the session has ended. Raises ScriptLimitReached."""
        with self._client.pipeline() as batch:
            self._sessions.use_in(batch, session_id)
            self._add(
                keys=[keys.session(session_id), keys.session_scripts(session_id)],
                args=[self._limit, added.model_dump_json()],
                client=batch,
            )
            used, was_added = batch.execute()
        if used and not was_added:
            message = f"The session has {self._limit} scripts, as many as it may have. Remove one first."
            raise ScriptLimitReached(message, limit=self._limit)
        return bool(used)

    def all(self, session_id: str) -> list[Script] | None:
        """None if the session has ended."""
        with self._client.pipeline() as batch:
            self._sessions.use_in(batch, session_id)
            batch.lrange(keys.session_scripts(session_id), 0, -1)
            used, found = batch.execute()
        return _scripts(found) if used else None

    def sources(self, session_id: str) -> dict[str, str]:
        """Source by id, for the worker that holds the session."""
        found = cast("list[str]", self._client.lrange(keys.session_scripts(session_id), 0, -1))
        return {script.id: script.source for script in _scripts(found)}

    def remove(self, session_id: str, script_id: str) -> Script | None:
        """What was removed; None if there is no such script, or the session has ended."""
        with self._client.pipeline() as batch:
            self._sessions.use_in(batch, session_id)
            self._remove(keys=[keys.session_scripts(session_id)], args=[script_id], client=batch)
            _, removed = batch.execute()
        return Script.model_validate_json(removed) if removed else None


def _scripts(entries: list[str]) -> list[Script]:
    return [Script.model_validate_json(entry) for entry in entries]
