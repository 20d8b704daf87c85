"""A browser host in small: the commands to the store that workers/browser_host sends, in its order, without Chrome."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fleet.clock import utc_now
from fleet.errors import BrowserUnavailable, FleetError, SessionEnded, WorkerFull, WorkerStopping
from fleet.models.checkpoint import Checkpoint
from fleet.models.manifest import PageVisit, Timings
from fleet.models.session import EndReason, SessionState
from fleet.store import Store
from tests.factories import a_worker_report
from tests.integration.store.actors import Actor, current, pause, wait_for

_CRASHES_MAX = 3
_VISIT = PageVisit(url=None, final_url="http://a.example/", browser_version="156.0", timings=Timings())

Answer = dict[str, Any]


@dataclass(eq=False)
class Held:
    id: str
    has_context: bool = False
    in_use: bool = False
    crashed: bool = False
    busy: Actor | None = None
    checkpoint_is_due: bool = False
    # Of the context.
    generation: int = 1


class SmallHost:
    """One after the other that a worker starts; each begins with nothing in memory."""

    def __init__(self, store: Store, name: str, *, limit: int, coming: Callable[[], set[str]]) -> None:
        """`coming`: the sessions whose slots are not to be swept, because a child works on them."""
        self._store = store
        self._name = name
        self._limit = limit
        self._coming = coming
        self.is_up = False
        self.is_stopping = False
        self.is_draining = False
        self._has_lease = False
        self._chromes = 0
        self.held: dict[str, Held] = {}
        self.tasks: list[Actor] = []
        # Sessions whose Chrome died too often.
        self.gave_up: set[str] = set()

    # --- Life ----------------------------------------------------------------------

    def start(self) -> None:
        self.is_up, self.is_stopping, self.is_draining, self._has_lease = True, False, False, False
        self.begin(self._take_up_sessions)
        self.begin(self._renew_lease)

    def _take_up_sessions(self) -> None:
        held = self._store.slots.holders(self._name)
        for session, worker in self._store.sessions.workers_of(held).items():
            if worker == self._name:
                self.held.setdefault(session, Held(session))
        for session in list(self.held):
            self.begin(partial(self._ensure_open, session))

    def kill(self) -> None:
        """With it go its contexts."""
        for task in self.tasks:
            task.kill()
        self.tasks.clear()
        self.held.clear()
        self.is_up = False

    def stop(self) -> None:
        self._store.workers.leave(self._name)
        self.is_stopping = True
        for task in self.tasks:
            task.kill()
        for held in self.contexts():
            self._checkpoint(held)
        self.held.clear()

    def begin(self, work: Callable[[], Any]) -> Actor:
        task = Actor(work)
        self.tasks.append(task)
        return task

    def contexts(self) -> list[Held]:
        return [held for held in self.held.values() if held.has_context]

    # --- What a child may ask ----------------------------------------------------------

    def call(self, command: str, params: dict[str, Any], *, timeout_seconds: float) -> Answer:  # noqa: ARG002
        """As workers.link.client.HostClient."""
        pause()
        self._raise_if_away()
        outcomes: list[Answer | FleetError] = []
        task = self.begin(lambda: outcomes.append(self._outcome(command, params)))
        try:
            while not task.dead:
                wait_for(task)
        finally:
            task.kill()
        if not outcomes:
            self._raise_if_away()
            raise BrowserUnavailable("another host by now")
        if isinstance(outcomes[0], FleetError):
            raise outcomes[0]
        return outcomes[0]

    def _raise_if_away(self) -> None:
        if self.is_stopping:
            raise WorkerStopping("stops")
        if not self.is_up:
            raise BrowserUnavailable("away")

    def _outcome(self, command: str, params: dict[str, Any]) -> Answer | FleetError:
        commands = {
            "open_session": self._open,
            "session_capture": self._capture,
            "close_session": self._close,
            "restore_session": self._restore,
        }
        try:
            return commands[command](params["session_id"])
        except FleetError as error:
            return error

    def _open(self, session: str) -> Answer:
        self.held.pop(session, None)
        if len(self.held) >= self._limit:
            raise WorkerFull("full")
        held = self.held[session] = Held(session)
        try:
            with self._working_on(held):
                self._in_chrome()
                self._give(held)
                self._in_chrome()
        except BaseException:
            self._close(session)
            raise
        return {"url": "http://a.example/", "title": "A page"}

    def _capture(self, session: str) -> Answer:
        with self._using(session):
            try:
                self._in_chrome()
            except BrowserUnavailable as error:
                if session not in self.held:
                    raise SessionEnded("ended during the job", end_reason="unknown") from error
                raise
        return {"visit": _VISIT.model_dump_json(), "outputs": []}

    def _restore(self, session: str) -> Answer:
        held = self.held.setdefault(session, Held(session))
        with self._working_on(held):
            if held.has_context and not self._readopt(held):
                held.has_context = False
            self._ensure_context(held)
        return {}

    def _readopt(self, held: Held) -> bool:
        session = self._store.sessions.get(held.id)
        if session is None or (session.worker, session.generation) != (self._name, held.generation):
            return False
        return session.state is SessionState.RUNNING or self._store.session_moves.start(held.id, self._name)

    def _close(self, session: str) -> Answer:
        held = self.held.pop(session, None)
        if held is not None:
            held.has_context = False
        return {"closed": held is not None}

    # --- Contexts ------------------------------------------------------------------------

    @contextmanager
    def _using(self, session: str) -> Iterator[None]:
        held = self.held.setdefault(session, Held(session))
        with self._working_on(held):
            self._ensure_context(held)
            try:
                yield
            finally:
                held.checkpoint_is_due = True

    def _ensure_context(self, held: Held) -> None:
        if held.has_context:
            return
        try:
            self._rebuild(held)
        except SessionEnded:
            if self.held.get(held.id) is held:
                del self.held[held.id]
            raise

    @contextmanager
    def _working_on(self, held: Held) -> Iterator[None]:
        while held.busy is not None and not held.busy.dead:
            wait_for(held.busy)
        held.busy, held.in_use = current(), True
        try:
            yield
        finally:
            held.busy, held.in_use = None, False

    def _in_chrome(self) -> None:
        """Something that takes Chrome a while."""
        chrome = self._chromes
        pause()
        if chrome != self._chromes:
            raise BrowserUnavailable("Chrome died")

    def _give(self, held: Held) -> None:
        if self.held.get(held.id) is not held:
            raise SessionEnded("ended while its context was opened", end_reason="deleted")
        held.has_context = True

    def _rebuild(self, held: Held) -> None:
        moved = self._store.session_moves.lose_context(held.id, self._name, crashed=held.crashed)
        held.crashed = False
        if moved is None or self._store.sessions.options(held.id) is None:
            raise SessionEnded("not here any more", end_reason="unknown")
        self._store.checkpoints.get(held.id)
        if moved.crashes >= _CRASHES_MAX:
            self.gave_up.add(held.id)
            self._store.sessions.end(held.id, EndReason.CRASHED)
            self._store.slots.release(self._name, held.id)
            raise SessionEnded("crashed", end_reason="crashed")
        self._in_chrome()
        restored = self._store.session_moves.restored(held.id, self._name)
        if restored is None:
            raise SessionEnded("ended while it was being restored", end_reason="unknown")
        held.generation = restored.generation
        self._give(held)

    def _ensure_open(self, session: str) -> None:
        with contextlib.suppress(FleetError), self._using(session):
            pass

    def lose_chrome(self) -> None:
        self._chromes += 1
        for held in list(self.held.values()):
            if held.has_context or held.in_use:
                held.crashed, held.has_context = held.in_use, False
                self.begin(partial(self._ensure_open, held.id))

    # --- Duties ----------------------------------------------------------------------------

    def renew_lease(self) -> Actor:
        return self.begin(self._renew_lease)

    def _renew_lease(self) -> None:
        report = a_worker_report(name=self._name, reported_at=utc_now(), admits_sessions=not self.is_draining)
        in_time = self._store.workers.renew(report)
        if self._has_lease and not in_time:
            self.sweep()
        self._has_lease = True
        if self.is_draining or self._store.workers.is_asked_to_drain(self._name):
            self.is_draining = True
            for held in list(self.held.values()):
                self.begin(partial(self._drain, held))

    def _drain(self, held: Held) -> None:
        with self._working_on(held):
            self._checkpoint(held)
            self._store.session_moves.drain(held.id, self._name)
            self._close(held.id)

    def take_checkpoints(self) -> None:
        for held in self.contexts():
            if held.checkpoint_is_due:
                self.begin(partial(self._take_checkpoint, held))

    def _take_checkpoint(self, held: Held) -> None:
        with self._working_on(held):
            held.checkpoint_is_due = False
            self._checkpoint(held)

    def _checkpoint(self, held: Held) -> None:
        if held.has_context:
            url = f"{self._name}/{held.generation}"
            checkpoint = Checkpoint(taken_at=utc_now(), url=url, storage_state={})
            self._store.checkpoints.keep(held.id, self._name, checkpoint)

    def hear(self) -> None:
        """Redis told at once which sessions have ended."""
        for session in self.held.keys() - self._store.sessions.remaining(sorted(self.held)).keys():
            self.begin(partial(self._close_ended, session))

    def _close_ended(self, session: str) -> None:
        self._close(session)
        self._store.slots.release(self._name, session)

    def sweep(self) -> Actor:
        return self.begin(self._sweep)

    def _sweep(self) -> None:
        held = list(self.held)
        workers = self._store.sessions.workers_of(held)
        for session in held:
            if session not in workers or workers[session] not in {None, self._name}:
                self._close_ended(session)
        for session in self._sweep_slots(set(self.held)):
            self.held.setdefault(session, Held(session))

    def _sweep_slots(self, held: set[str]) -> list[str]:
        unheld = set(self._store.slots.holders(self._name)) - held
        workers = self._store.sessions.workers_of(sorted(unheld))
        mine = [session for session, worker in workers.items() if worker == self._name]
        coming = {session for session, worker in workers.items() if worker is None and session in self._coming()}
        for session in unheld.difference(mine, coming):
            self._store.slots.release(self._name, session)
        return mine
