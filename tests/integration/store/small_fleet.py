"""A fleet in small: the store, the job runner and the handing over are the product's, broker and host stand for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from fleet import keys
from fleet.artifacts.storage import ArtifactStorage
from fleet.ids import new_id
from fleet.models.job import Job, JobKind
from fleet.models.session import EndReason
from fleet.queues import RESTORE_SESSION, RUN_SESSION_JOB, SESSIONS_QUEUE
from fleet.store import Store
from fleet.store.messages import Message
from tests.factories import a_job, a_script
from tests.integration.store.actors import Actor
from tests.integration.store.small_broker import Letter, SmallBroker, direct
from tests.integration.store.small_host import SmallHost
from workers.artifact_writer import ArtifactWriter
from workers.estate import Estate
from workers.interruptions import NoRoom, WorkerLeaves
from workers.job_runner import JobRunner
from workers.link.client import HostClient
from workers.metrics import WorkerCounts
from workers.session_runner import SessionRunner
from workers.session_work import SessionWork

_PAGE = '{"url": "http://a.example/"}'
_CLICK = '{"url": "http://a.example/", "actions": [{"type": "click", "selector": "a"}]}'


class Child(Actor):
    def __init__(self, letter: Letter, work: Callable[[], None]) -> None:
        super().__init__(work)
        self.letter = letter


class SmallWorker:
    def __init__(self, name: str, store: Store, storage: ArtifactStorage, broker: SmallBroker, *, limit: int) -> None:
        self.name = name
        self._store = store
        self._broker = broker
        self.host = SmallHost(store, name, limit=limit, coming=self._coming)
        host = cast("HostClient", self.host)
        writer = ArtifactWriter(store.artifacts, storage, ttl=timedelta(seconds=60))
        jobs = JobRunner(store, WorkerCounts())
        self._sessions = SessionRunner(store, host, jobs, SessionWork(store, host, writer))
        self.children: list[Child] = []
        # What its parent process does beside the pool.
        self.duties: list[Actor] = []
        self.is_up = False
        # Frozen, with all its processes, for longer than its lease.
        self.is_paused = False
        self.is_starting = False
        self.is_stopping = False

    @property
    def estate(self) -> Estate:
        return self._estate_of(self.name)

    def _estate_of(self, name: str) -> Estate:
        return Estate(self._broker, self._store, name)

    @property
    def queue(self) -> list[Letter]:
        return self._broker.queues[direct(self.name)]

    def actors(self) -> list[Actor]:
        self.children = [child for child in self.children if not child.dead]
        self.duties = [duty for duty in self.duties if not duty.dead]
        self.host.tasks = [task for task in self.host.tasks if not task.dead]
        return [*self.children, *self.duties, *self.host.tasks]

    # --- The pool --------------------------------------------------------------------

    def take(self, queue: list[Letter], place: int) -> Child:
        letter = queue.pop(place % len(queue))
        # At once: what is lost before it is noted comes back only after the broker's visibility timeout.
        self._store.messages.take(self.name, Message(letter.id, SESSIONS_QUEUE, letter.task, letter.argument))
        child = Child(letter, lambda: self._work(letter))
        self.children.append(child)
        return child

    def _work(self, letter: Letter) -> None:
        has_room = True
        try:
            woken = self._run(letter)
            if woken is not None:
                self._broker.send_task(RUN_SESSION_JOB, args=[letter.argument], queue=direct(woken))
        except WorkerLeaves:
            return
        except NoRoom:
            has_room = False
        self._store.messages.drop(self.name, letter.id)
        if not has_room:
            self._broker.give_back(letter)

    def _run(self, letter: Letter) -> str | None:
        if letter.task == RESTORE_SESSION:
            return self._sessions.restore(letter.argument, worker=self.name)
        return self._sessions.run_job(letter.argument, runner=letter.id, worker=self.name)

    def lose_child(self, child: Child) -> None:
        child.kill()
        self._broker.give_back(child.letter)

    def _coming(self) -> set[str]:
        return {child.letter.argument for child in self.children if not child.dead}

    # --- All of it -----------------------------------------------------------------------

    def start(self) -> Actor:
        """Takes no message before the returned work is done."""
        self.is_up, self.is_paused, self.is_starting, self.is_stopping = True, False, True, False
        return self._begin(self._start)

    def _start(self) -> None:
        self._store.workers.begin_anew(self.name)
        self.estate.send_messages_again()
        self.host.start()
        self.is_starting = False

    def look_for_lost(self) -> Actor:
        return self._begin(self._look_for_lost)

    def _look_for_lost(self) -> None:
        for name in self._store.workers.lost():
            if name != self.name and self._store.workers.claim_estate(name):
                self._estate_of(name).hand_over(EndReason.WORKER_LOST)

    def hand_over_drained(self) -> Actor:
        return self._begin(self.estate.hand_over_drained)

    def stop(self) -> Actor:
        """Its jobs are handed back at once; the returned work hands over the rest."""
        self.is_stopping = True
        self.host.stop()
        for child in self.children:
            child.go()
        return self._begin(self._leave)

    def _leave(self) -> None:
        self.estate.hand_over(EndReason.DRAINED)
        self.host.kill()
        self.is_up = False

    def _begin(self, work: Callable[[], Any]) -> Actor:
        duty = Actor(work)
        self.duties.append(duty)
        return duty

    def kill(self) -> None:
        """Nobody says a word, and the broker does not notice either."""
        self._broker.unacknowledged += [child.letter for child in self.children if not child.dead]
        for actor in [*self.children, *self.duties]:
            actor.kill()
        self.host.kill()
        self.is_up = False


class SmallFleet:
    def __init__(self, store: Store, storage: ArtifactStorage, names: list[str], *, limit: int) -> None:
        self._store = store
        self.broker = SmallBroker()
        self.workers = [SmallWorker(name, store, storage, self.broker, limit=limit) for name in names]
        self.sessions: list[str] = []
        # Of each session, in the order in which they were accepted.
        self.accepted: dict[str, list[str]] = {}

    # --- Clients -----------------------------------------------------------------------

    def create(self, *, scripts: int) -> str:
        session = new_id("ses")
        job = self._job(JobKind.SESSION_CREATE, session, "{}")
        self._store.sessions.create(
            session,
            ttl=60,
            max_lifetime=600,
            metadata={},
            options_json="{}",
            job_id=job.id,
            scripts=[a_script() for _ in range(scripts)],
        )
        self.sessions.append(session)
        self.accepted[session] = [job.id]
        self.broker.send_task(RUN_SESSION_JOB, args=[session], queue=SESSIONS_QUEUE)
        return session

    def submit(self, session: str, kind: JobKind, *, acts: bool = False) -> None:
        job = self._job(kind, session, _CLICK if acts else _PAGE)
        found = self._store.sessions.add_job(session, job.id)
        if found is None:
            self._store.jobs.try_discard(job.id)
            return
        self.accepted[session].append(job.id)
        if found[1] is not None:
            self.broker.send_task(RUN_SESSION_JOB, args=[session], queue=direct(found[1]))

    def _job(self, kind: JobKind, session: str, request: str) -> Job:
        job = a_job(kind=kind, session_id=session)
        self._store.jobs.create(job, request)
        return job

    # --- Time --------------------------------------------------------------------------

    def let_lease_run_out(self, worker: SmallWorker) -> None:
        self._store.client.delete(keys.worker(worker.name))
        self._store.client.zadd(keys.WORKER_INDEX, {worker.name: 1}, xx=True)
        self.let_claims_run_out()

    def let_claims_run_out(self) -> None:
        for worker in self.workers:
            self._store.client.delete(keys.worker_estate(worker.name))
