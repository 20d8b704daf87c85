"""A fleet of many workers in one process: Redis, store, queues, API, job runner, looks and sweeps are the product's
own; only processes and Chrome are missing.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast
from uuid import uuid4

from celery import Celery
from celery.utils.nodenames import worker_direct
from flask.testing import FlaskClient
from kombu import Consumer, Exchange, Queue

from app.factory import create_app
from fleet import keys
from fleet.artifacts.storage import ArtifactStorage, open_storage
from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.checkpoint import Checkpoint
from fleet.models.job import Job
from fleet.models.manifest import PageVisit, Timings
from fleet.models.worker import TOP_SESSIONS_MAX, TopSession, WorkerReport
from fleet.queues import CAPTURES_QUEUE, RESTORE_SESSION, RUN_CAPTURE, RUN_SESSION_JOB, SHARED_QUEUES, queue_for_all
from fleet.settings import Settings
from fleet.store import Store, open_store
from fleet.store.messages import Message
from fleet.store.notifications import Notifications
from workers import hooks
from workers.artifact_writer import ArtifactWriter
from workers.browser_host.session_news import SessionNews
from workers.browser_host.sessions import Sessions
from workers.browser_host.sweep import Sweep
from workers.capture_runner import CaptureRunner
from workers.creation_queue import CreationQueue
from workers.drain import Drain
from workers.job_runner import JobRunner
from workers.link.client import HostClient
from workers.lost_messages import LostMessages
from workers.lost_workers import LostWorkers
from workers.metrics import WorkerCounts
from workers.regular_look import RegularLook
from workers.session_runner import SessionRunner
from workers.session_work import SessionWork

SESSION_LIMIT = 12
_LOOKS: tuple[type[RegularLook], ...] = (CreationQueue, Drain, LostMessages, LostWorkers)
_PATIENCE_SECONDS = 60.0
_DRAIN_SECONDS = 0.02
# Whoever has heard it has heard all that was told before.
_MARK = "mark"
_LIFETIME = timedelta(hours=1)
_VISIT = PageVisit(url=None, final_url="http://a.example/", browser_version="1.0", timings=Timings()).model_dump_json()
_PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63000100000500010d0a2db40000000049454e44ae426082"
)
_OUTPUT = {"kind": "screenshot", "media_type": "image/png", "content": _PICTURE}


class _Counts(WorkerCounts):
    """Knows which jobs have ended, without a question to Redis."""

    def __init__(self) -> None:
        super().__init__()
        self.ended_jobs: set[str] = set()

    def job_ended(self, job: Job) -> None:
        super().job_ended(job)
        self.ended_jobs.add(job.id)


class HeldSessions:
    """What a host holds, without contexts: it stands for workers.browser_host.sessions.Sessions."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._held: set[str] = set()
        self._on_change = on_change

    @property
    def ids(self) -> list[str]:
        return list(self._held)

    def expect(self, session_id: str) -> None:
        self._held.add(session_id)
        self._on_change()

    def is_held(self, session_id: str) -> bool:
        return session_id in self._held

    def let_go(self, session_id: str) -> bool:
        found = session_id in self._held
        self._held.discard(session_id)
        self._on_change()
        return found


class SimulatedWorker:
    def __init__(self, name: str, fleet: "SimulatedFleet", *, sessions: int) -> None:
        self.name = name
        self._fleet = fleet
        self.store = open_store(fleet.settings, retries=0)
        self.held = HeldSessions(self._follow_news)
        # Messages from Redis, but for marks.
        self.listens, self.heard, self.marks = False, 0, 0
        self.ended: deque[str] = deque()
        host = cast("HostClient", SimpleNamespace(call=self._call))
        writer = ArtifactWriter(self.store.artifacts, fleet.storage, ttl=_LIFETIME)
        jobs = JobRunner(self.store, fleet.counts)
        self._captures = CaptureRunner(self.store, host, jobs, writer)
        self._sessions = SessionRunner(self.store, host, jobs, SessionWork(self.store, host, writer))
        self._sweep = Sweep(
            self.store,
            cast("Sessions", self.held),
            worker_name=name,
            close_ended=self._close_ended,
        )
        self._notifications = self._listen()
        self._consumer = self._consume()
        hooks._store = self.store  # noqa: SLF001  # where looks find that of their process
        self._looks = [look(self._parent()) for look in _LOOKS]
        self.renew_lease()
        self.keep_lease()
        for _ in range(sessions):
            self.hold_session()
        self._notifications.start()

    def _listen(self) -> Notifications:
        channels = [keys.JOB_CANCEL_CHANNEL, keys.worker_cancels(self.name)]
        notifications = Notifications(self.store.client, dict.fromkeys(channels, self._hear), on_gap=self._note_open)
        self._news = SessionNews(
            notifications,
            database=self.store.database,
            on_open=self._look_for_end,
            on_ended=self._hear_of_end,
            on_viewers=self._hear,
        )
        return notifications

    def _follow_news(self) -> None:
        self._news.follow(set(self.held.ids))

    def _note_open(self) -> None:
        self.listens = True

    def _hear(self, message: str) -> None:
        if message == _MARK:
            self.marks += 1
        else:
            self.heard += 1

    def _look_for_end(self, session_id: str) -> None:
        self.store.sessions.workers_of([session_id])

    def _hear_of_end(self, session_id: str) -> None:
        self._hear(session_id)
        self.ended.append(session_id)

    def _consume(self) -> Consumer:
        channel = self._fleet.connection.channel()
        channel.basic_qos(prefetch_count=1)
        queues = [*self._fleet.shared_queues, worker_direct(self.name)]
        consumer = Consumer(channel, queues=queues, callbacks=[self._take], accept=["json"])
        consumer.consume()
        return consumer

    def _parent(self) -> Any:
        """A Celery consumer, as far as looks know it."""
        return SimpleNamespace(
            app=self._fleet.celery,
            hostname=self.name,
            task_consumer=self._consumer,
            cancel_task_queue=self._consumer.cancel_by_queue,
            add_task_queue=self._add_queue,
        )

    def _add_queue(self, queue: str) -> None:
        self._consumer.add_queue(next(one for one in self._fleet.shared_queues if one.name == queue))
        self._consumer.consume()

    # --- A message, from its arrival to its end -----------------------------------------

    def _take(self, body: Any, message: Any) -> None:
        task, message_id, argument = message.headers["task"], message.headers["id"], body[0][0]
        queue = queue_for_all(message.delivery_info["routing_key"])
        self.store.messages.take(self.name, Message(id=message_id, queue=queue, task=task, argument=argument))
        wake = self._run(task, message_id, argument)
        if wake is not None:
            self._fleet.celery.send_task(RUN_SESSION_JOB, args=[argument], queue=worker_direct(wake))
        self.store.messages.drop(self.name, message_id)
        message.ack()

    def _run(self, task: str, message_id: str, argument: str) -> str | None:
        match task:
            case _ if task == RUN_CAPTURE:
                self._captures.run(argument, worker=self.name, redelivered=False)
                return None
            case _ if task == RESTORE_SESSION:
                return self._sessions.restore(argument, worker=self.name)
            case _:
                return self._sessions.run_job(argument, runner=message_id, worker=self.name)

    def _call(self, command: str, params: dict[str, Any], *, timeout_seconds: float) -> dict[str, Any]:  # noqa: ARG002
        session_id = params.get("session_id", "")
        match command:
            case "open_session":
                self.held.expect(session_id)
                return {"url": "http://a.example/", "title": "A page"}
            case "close_session":
                return {"closed": self.held.let_go(session_id)}
            case "session_capture":
                checkpoint = Checkpoint(taken_at=utc_now(), url="http://a.example/", storage_state={})
                self.store.checkpoints.keep(session_id, self.name, checkpoint)
        return {"visit": _VISIT, "outputs": [_OUTPUT]}

    # --- What it does by itself ----------------------------------------------------------

    def renew_lease(self) -> None:
        self.store.workers.renew(self._report())
        self.store.workers.is_asked_to_drain(self.name)

    def keep_lease(self) -> None:
        """For as long as the simulation may take."""
        self.store.client.expire(keys.worker(self.name), _LIFETIME)

    def _report(self) -> WorkerReport:
        return WorkerReport(
            name=self.name,
            started_at=utc_now(),
            # Nobody renews it while something else is measured.
            reported_at=utc_now() + _LIFETIME,
            sessions=len(self.held.ids),
            session_limit=SESSION_LIMIT,
            browser_version="1.0",
            top_sessions=[
                TopSession(id=one, memory_bytes=2**26, responses=0) for one in self.held.ids[:TOP_SESSIONS_MAX]
            ],
        )

    def take_in_hand(self, job_id: str) -> None:
        """A message that asks for that job."""
        self.store.messages.take(
            self.name, Message(id=str(uuid4()), queue=CAPTURES_QUEUE, task=RUN_CAPTURE, argument=job_id)
        )

    def look_at_sessions(self) -> None:
        """All that a host asks of the store every 5 s beside its lease."""
        self.store.responses.counts(self.held.ids)
        self.store.viewers.of_sessions(self.held.ids)
        self.store.sessions.remaining(self.held.ids)

    def look(self) -> None:
        for look in self._looks:
            look.look(self._parent())

    def sweep(self) -> None:
        asyncio.run(self._sweep.run())

    def close_ended(self) -> None:
        while self.ended:
            asyncio.run(self._close_ended(self.ended.popleft()))

    async def _close_ended(self, session_id: str) -> None:
        """As workers.browser_host.ended_sessions does."""
        if self.held.let_go(session_id):
            self.store.sessions.ending(session_id)
            self.store.sessions.workers_of([session_id])
            self.store.responses.clear(session_id)
        self.store.slots.release(self.name, session_id)

    def hold_session(self) -> str:
        """One that runs here, by the shortest way."""
        session_id, job_id = new_id("ses"), new_id("job")
        sessions = self.store.sessions
        sessions.create(
            session_id, ttl=600, max_lifetime=_LIFETIME.seconds, metadata={}, options_json="{}", job_id=job_id
        )
        self.store.session_jobs.release(session_id, "", job_id)
        self.store.session_moves.start(session_id, self.name)
        sessions.renew(session_id)
        self.store.slots.try_claim(self.name, session_id, utc_now() + _LIFETIME)
        self.held.expect(session_id)
        return session_id

    def begin_to_stop(self) -> None:
        self._notifications._stopping.set()  # noqa: SLF001  # many end at once, and none waits for another

    def stop(self) -> None:
        self._notifications.stop()
        self.store.client.close()


class SimulatedFleet:
    def __init__(self, redis_url: str, folder: Path, *, workers: int, sessions: int) -> None:
        """`sessions`: that each worker holds from the beginning."""
        self.settings = Settings(
            redis_url=redis_url,
            artifacts_url=f"file:{folder}",
            session_rate="1000000/second",
            sessions_per_worker=SESSION_LIMIT,
        )
        self.storage: ArtifactStorage = open_storage(self.settings.artifacts_url)
        self.counts = hooks._counts = _Counts()  # noqa: SLF001  # where looks find those of their process
        self.store: Store = open_store(self.settings, retries=0)
        self.celery = Celery("fleet", broker=redis_url)
        self.shared_queues = [Queue(name, Exchange(name), routing_key=name) for name in SHARED_QUEUES]
        self.celery.conf.update(
            task_serializer="json",
            task_ignore_result=True,
            task_send_sent_event=True,
            task_queues=self.shared_queues,
            # Neither time-outs of waiting nor looks for what others left: both are measured by themselves.
            broker_transport_options={"polling_interval": 3600, "unacked_restore_throttle": 10**9},
        )
        self.connection = self.celery.connection_for_read()
        self.app = create_app(self.settings)
        self.api: FlaskClient = self.app.test_client()
        self.store.sessions.ensure_expiry_is_told()
        self.workers = [SimulatedWorker(f"worker@{number}", self, sessions=sessions) for number in range(workers)]
        self.until(lambda: all(worker.listens for worker in self.workers))
        self.drain()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.begin_to_stop()
        for worker in self.workers:
            worker.stop()
        # Who waits for a message does not let itself be closed.
        for client in self.store.client.client_list():
            if "b" in client["flags"]:
                self.store.client.client_unblock(int(client["id"]))
        self.connection.close()
        self.store.client.close()

    @property
    def heard(self) -> int:
        return sum(worker.heard for worker in self.workers)

    def hear_all(self) -> None:
        """Until every worker has heard what was told so far."""
        wanted = [worker.marks + 1 for worker in self.workers]
        for worker in self.workers:
            self.store.client.publish(keys.worker_cancels(worker.name), _MARK)
        self.until(lambda: [worker.marks for worker in self.workers] == wanted)

    def drain(self) -> None:
        """Until no message comes."""
        with suppress(TimeoutError):
            while True:
                self.connection.drain_events(timeout=_DRAIN_SECONDS)

    def run_job(self, job_id: str) -> None:
        """Until it has ended."""
        self.until(lambda: job_id in self.counts.ended_jobs)

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError
            with suppress(TimeoutError):
                self.connection.drain_events(timeout=_DRAIN_SECONDS)
            for worker in self.workers:
                worker.close_ended()
