"""Which worker holds a session, and in which state: changed only from what the mover saw, so of two movers one wins."""

from dataclasses import dataclass
from typing import cast

from fleet import keys
from fleet.models.session import SESSION_MOVES, SessionState
from fleet.store.connection import RedisClient, script

_NOBODY = ""


@dataclass(frozen=True)
class Moved:
    """`crashes`: of Chrome in a row, each while a job of this session ran."""

    generation: int
    crashes: int


class SessionMoveStore:
    """Every method answers None (or False) if the session has ended or is not where the mover believes it to be."""

    def __init__(self, client: RedisClient) -> None:
        self._move = script(client, "move_session")

    def start(self, session_id: str, worker: str) -> bool:
        """Its creation is done: `worker` holds it. True also for a creation that is done once more."""
        started = self._to(SessionState.RUNNING, session_id, _NOBODY, worker)
        return bool(started or self._to(SessionState.RUNNING, session_id, worker, worker))

    def lose_context(self, session_id: str, worker: str, *, crashed: bool) -> Moved | None:
        """Its context is gone and will be rebuilt by the same worker. `crashed`: Chrome died while a job of it ran."""
        return self._to(SessionState.RESTORING, session_id, worker, worker, crashes=int(crashed))

    def give_up(self, session_id: str, worker: str, *, crashed: bool = False) -> Moved | None:
        """`worker` does not hold it any more; whoever binds it will."""
        return self._to(SessionState.RESTORING, session_id, worker, _NOBODY, crashes=int(crashed))

    def bind(self, session_id: str, worker: str) -> Moved | None:
        """`worker` takes a session that nobody holds."""
        return self._to(SessionState.RESTORING, session_id, _NOBODY, worker)

    def restored(self, session_id: str, worker: str) -> Moved | None:
        """Its context is rebuilt, in a new generation."""
        return self._to(SessionState.RUNNING, session_id, worker, worker, generations=1)

    def drain(self, session_id: str, worker: str) -> Moved | None:
        """`worker` has closed it, for another one to take."""
        return self._to(SessionState.DRAINING, session_id, worker, worker)

    def _to(  # noqa: PLR0913  # one move's worth of facts
        self,
        state: SessionState,
        session_id: str,
        worker: str,
        new_worker: str,
        *,
        generations: int = 0,
        crashes: int = 0,
    ) -> Moved | None:
        allowed = [now.value for now, moves in SESSION_MOVES.items() if state in moves]
        args: list[str | int] = [worker, state.value, new_worker, generations, crashes, *allowed]
        moved = self._move(keys=[keys.session(session_id), keys.session_lock(session_id)], args=args)
        return Moved(*cast("list[int]", moved)) if moved else None
