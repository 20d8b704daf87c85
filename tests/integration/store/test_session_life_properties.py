"""Whatever happens in whatever order: no session is lost, none is on two workers, its jobs run, every key ends."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple, TypeVar

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fleet import keys
from fleet.artifacts.storage import ArtifactStorage, open_storage
from fleet.clock import utc_now
from fleet.models.checkpoint import Checkpoint
from fleet.models.job import JobKind
from fleet.models.session import SESSION_MOVES, EndReason, Session, SessionState
from fleet.queues import RESTORE_SESSION
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.factories import a_response, a_script
from tests.integration.store.actors import Actor, pause_before_each_command
from tests.integration.store.small_fleet import SmallFleet, SmallWorker
from tests.polling import eventually
from workers import job_runner

_SLOTS = 2
_WORKERS = ["one@here", "two@here"]
_SESSIONS_AT_ONCE = 6
_CHILDREN = 3
# The shortest life that an expiry by Redis' own clock takes no noticeable time for.
_MOMENT = timedelta(milliseconds=5)
# Times that one script sets may differ by what it takes to run; those of a defect differ by a minute and more.
_SAME_MOMENT_MS = 1_000
# What is left to do takes no more rounds than this.
_ROUNDS = 60

Found = TypeVar("Found")
Rule = TypeVar("Rule", bound=Callable[..., None])
places = st.integers(0, 9)
kinds = st.sampled_from([JobKind.CAPTURE, JobKind.CAPTURE, JobKind.SESSION_DELETE])


def at(found: list[Found], place: int) -> Found:
    return found[place % len(found)]


def needs(*conditions: Callable[["SessionLives"], Any]) -> Callable[[Rule], Rule]:
    """The rule runs only while all of them find something."""

    def decorate(function: Rule) -> Rule:
        decorated: Rule = precondition(lambda machine: all(condition(machine) for condition in conditions))(function)
        return decorated

    return decorate


class Place(NamedTuple):
    state: SessionState
    worker: str | None


class SessionLives(RuleBasedStateMachine):
    """Some sessions on two workers of two slots. What a worker does is begun here and goes on step by step."""

    store: ClassVar[Store]
    storage: ClassVar[ArtifactStorage]

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Session] = {}
        self.store.client.flushdb()
        self.fleet = SmallFleet(self.store, self.storage, _WORKERS, limit=_SLOTS)
        self.generations: dict[str, int] = {}
        # Of each session, as last seen: its state and worker, and its checkpoint.
        self.places: dict[str, Place] = {}
        self.checkpoints: dict[str, str] = {}
        Actor.watch = self.what_holds_after_each_command
        for worker in self.fleet.workers:
            worker.start()
            self.finish(worker)

    # --- What there is ---------------------------------------------------------------

    def look(self) -> dict[str, Session]:
        return {session.id: session for session in self.store.sessions.newest(limit=100, cursor=None).entries}

    def alive(self) -> list[str]:
        return [session for session in self.fleet.sessions if session in self.found]

    def running(self) -> list[str]:
        return [session for session in self.alive() if self.found[session].state is SessionState.RUNNING]

    def has_few(self) -> bool:
        return len(self.found) < _SESSIONS_AT_ONCE

    def up(self) -> list[SmallWorker]:
        return [worker for worker in self.fleet.workers if worker.is_up and not worker.is_paused]

    def serving(self) -> list[SmallWorker]:
        return [worker for worker in self.up() if not worker.is_starting and not worker.is_stopping]

    def hosting(self) -> list[SmallWorker]:
        return [worker for worker in self.serving() if worker.host.is_up]

    def idle(self) -> list[SmallWorker]:
        return [worker for worker in self.serving() if len(worker.children) < _CHILDREN]

    def woken(self) -> list[SmallWorker]:
        return [worker for worker in self.idle() if worker.queue]

    def busy(self) -> list[SmallWorker]:
        return [worker for worker in self.serving() if any(not child.dead for child in worker.children)]

    def paused(self) -> list[SmallWorker]:
        return [worker for worker in self.fleet.workers if worker.is_paused]

    def down(self) -> list[SmallWorker]:
        return [worker for worker in self.fleet.workers if not worker.is_up]

    def without_host(self) -> list[SmallWorker]:
        return [worker for worker in self.serving() if not worker.host.is_up]

    def actors(self) -> list[Actor]:
        return [actor for worker in self.up() for actor in worker.actors()]

    def finish(self, worker: SmallWorker) -> None:
        while actors := worker.actors():
            for actor in actors:
                actor.go()

    # --- Clients -----------------------------------------------------------------------

    @needs(has_few)
    @rule(scripts=st.integers(0, 2))
    def a_session_is_created(self, scripts: int) -> None:
        self.fleet.create(scripts=scripts)

    @needs(alive)
    @rule(place=places, kind=kinds, acts=st.booleans())
    def a_job_is_accepted(self, place: int, kind: JobKind, acts: bool) -> None:
        self.fleet.submit(at(self.alive(), place), kind, acts=acts)

    @needs(alive)
    @rule(place=places, ttl=st.sampled_from([None, 60, 300]))
    def a_session_is_used(self, place: int, ttl: int | None) -> None:
        session = at(self.alive(), place)
        self.store.sessions.use(session, ttl=ttl)
        self.store.scripts.add(session, a_script())
        self.store.responses.add(session, [a_response(), a_response(b"")])

    @needs(alive)
    @rule(place=places)
    def a_session_is_ended_at_once(self, place: int) -> None:
        self.store.sessions.end(at(self.alive(), place), EndReason.DELETED)

    # --- Time ----------------------------------------------------------------------------

    @needs(alive)
    @rule(place=places)
    def a_session_has_lived_its_longest(self, place: int) -> None:
        session = at(self.alive(), place)
        # Again if the moment was over before the use began.
        eventually(lambda: self._is_used_at_the_end_of_its_life(session))
        eventually(lambda: not self.store.client.exists(keys.session(session)))

    def _is_used_at_the_end_of_its_life(self, session: str) -> bool:
        end = int((utc_now() + _MOMENT).timestamp() * 1000)
        self.store.client.hset(keys.session(session), "dies_at", end)
        return self.store.sessions.use(session)

    @needs(alive)
    @rule(who=places)
    def a_lease_runs_out(self, who: int) -> None:
        """As does the claim of whoever was to hand over the estate."""
        self.fleet.let_lease_run_out(at(self.fleet.workers, who))

    @needs(lambda self: self.fleet.broker.unacknowledged)
    @rule()
    def the_broker_brings_back_what_nobody_acknowledged(self) -> None:
        self.fleet.broker.bring_back()

    # --- Whoever is at work ------------------------------------------------------------------

    @needs(actors)
    @rule(place=st.integers(0, 20), commands=st.integers(1, 12))
    def one_goes_on(self, place: int, commands: int) -> None:
        at(self.actors(), place).go(commands)

    @needs(actors)
    @rule(place=st.integers(0, 20))
    def one_makes_one_step(self, place: int) -> None:
        at(self.actors(), place).go(1)

    @needs(actors)
    @rule(place=st.integers(0, 20))
    def one_comes_to_its_end(self, place: int) -> None:
        at(self.actors(), place).go()

    @needs(up)
    @rule(who=places)
    def all_of_a_worker_come_to_their_ends(self, who: int) -> None:
        self.finish(at(self.up(), who))

    # --- Pool children -------------------------------------------------------------------

    @needs(idle, lambda self: self.fleet.broker.shared)
    @rule(who=places, place=places, commands=st.integers(0, 12))
    def a_child_takes_from_the_shared_queue(self, who: int, place: int, commands: int) -> None:
        at(self.idle(), who).take(self.fleet.broker.shared, place).go(commands)

    @needs(woken)
    @rule(who=places, place=places, commands=st.integers(0, 12))
    def a_child_takes_a_wake_up(self, who: int, place: int, commands: int) -> None:
        worker = at(self.woken(), who)
        worker.take(worker.queue, place).go(commands)

    @needs(busy)
    @rule(who=places, place=places)
    def a_child_dies(self, who: int, place: int) -> None:
        worker = at(self.busy(), who)
        worker.lose_child(at([child for child in worker.children if not child.dead], place))

    # The next ones are often needed before anything else can happen.

    @initialize(who=places)
    def some_sessions_run(self, who: int) -> None:
        self.sessions_come_to_run_if_there_is_room(who, _SLOTS)

    @needs(has_few, idle)
    @rule(who=places, count=st.integers(1, _SLOTS))
    def sessions_come_to_run_if_there_is_room(self, who: int, count: int) -> None:
        worker = at(self.idle(), who)
        for _ in range(count):
            self.fleet.create(scripts=1)
            worker.take(self.fleet.broker.shared, -1).go()
        for held in worker.host.contexts():
            held.checkpoint_is_due = True

    @needs(running, idle)
    @rule(place=places, kind=kinds, acts=st.booleans(), commands=st.integers(0, 16))
    def a_job_is_in_hand(self, place: int, kind: JobKind, acts: bool, commands: int) -> None:
        self.fleet.submit(at(self.running(), place), kind, acts=acts)
        for worker in self.woken():
            worker.take(worker.queue, -1).go(commands)

    @needs(lambda self: len(self.serving()) == len(_WORKERS))
    @rule(who=places, is_killed=st.booleans(), commands=st.integers(0, 60), then=st.integers(0, 40))
    def a_worker_is_taken_for_lost(self, who: int, is_killed: bool, commands: int, then: int) -> None:
        lost, other = at(self.fleet.workers, who), at(self.fleet.workers, who + 1)
        if is_killed:
            lost.kill()
        lost.is_paused = not is_killed
        self.fleet.let_lease_run_out(lost)
        other.look_for_lost().go(commands)
        for letter in list(self.fleet.broker.shared):
            if letter.task == RESTORE_SESSION:
                other.take(self.fleet.broker.shared, self.fleet.broker.shared.index(letter)).go(then)
        other.host.take_checkpoints()

    # --- Hosts and workers -----------------------------------------------------------------

    @needs(hosting)
    @rule(who=places)
    def a_host_hears_of_ended_sessions(self, who: int) -> None:
        at(self.hosting(), who).host.hear()

    @needs(hosting)
    @rule(who=places)
    def a_host_takes_checkpoints(self, who: int) -> None:
        at(self.hosting(), who).host.take_checkpoints()

    @needs(hosting)
    @rule(who=places, commands=st.integers(0, 12))
    def a_host_sweeps(self, who: int, commands: int) -> None:
        at(self.hosting(), who).host.sweep().go(commands)

    @needs(hosting)
    @rule(who=places, commands=st.integers(0, 12))
    def a_lease_is_renewed(self, who: int, commands: int) -> None:
        at(self.hosting(), who).host.renew_lease().go(commands)

    @needs(hosting)
    @rule(who=places)
    def a_chrome_dies(self, who: int) -> None:
        at(self.hosting(), who).host.lose_chrome()

    @needs(hosting)
    @rule(who=places)
    def a_host_dies(self, who: int) -> None:
        at(self.hosting(), who).host.kill()

    @needs(without_host)
    @rule(who=places)
    def a_host_is_started(self, who: int) -> None:
        at(self.without_host(), who).host.start()

    @needs(lambda self: [worker for worker in self.fleet.workers if worker.is_up])
    @rule(who=places)
    def a_worker_is_killed(self, who: int) -> None:
        at([worker for worker in self.fleet.workers if worker.is_up], who).kill()

    @needs(down)
    @rule(who=places, commands=st.integers(0, 12))
    def a_worker_comes_back(self, who: int, commands: int) -> None:
        at(self.down(), who).start().go(commands)

    @needs(serving)
    @rule(who=places)
    def a_worker_is_paused(self, who: int) -> None:
        at(self.serving(), who).is_paused = True

    @needs(paused)
    @rule(who=places, its_chrome_dies=st.booleans(), commands=st.integers(0, 12))
    def a_paused_worker_goes_on(self, who: int, its_chrome_dies: bool, commands: int) -> None:
        """It believes that it holds what it held."""
        worker = at(self.paused(), who)
        worker.is_paused = False
        worker.host.take_checkpoints()
        if its_chrome_dies:
            worker.host.lose_chrome()
        for actor in worker.actors():
            actor.go(commands)

    @needs(hosting)
    @rule(who=places, commands=st.integers(0, 12))
    def a_worker_is_stopped(self, who: int, commands: int) -> None:
        at(self.hosting(), who).stop().go(commands)

    @needs(hosting)
    @rule(who=places)
    def a_worker_is_asked_to_drain(self, who: int) -> None:
        worker = at(self.hosting(), who)
        self.store.workers.ask_to_drain(worker.name)
        worker.host.renew_lease()

    @needs(serving)
    @rule(who=places, commands=st.integers(0, 12))
    def a_worker_hands_over_what_it_has_drained(self, who: int, commands: int) -> None:
        at(self.serving(), who).hand_over_drained().go(commands)

    @needs(serving)
    @rule(who=places, commands=st.integers(0, 12))
    def a_worker_looks_for_lost_ones(self, who: int, commands: int) -> None:
        at(self.serving(), who).look_for_lost().go(commands)

    # --- What holds after each command ------------------------------------------------------

    def what_holds_after_each_command(self) -> None:
        with self.store.client.pipeline() as batch:
            for session in self.fleet.sessions:
                batch.hmget(keys.session(session), "state", "worker", "generation")
                batch.get(keys.session_checkpoint(session))
            answers = batch.execute()
        for session, (state, worker, generation), checkpoint in zip(
            self.fleet.sessions, answers[::2], answers[1::2], strict=True
        ):
            if state is not None:
                self.it_moves_only_as_it_may(session, Place(SessionState(state), worker))
            if checkpoint is not None and checkpoint != self.checkpoints.get(session):
                self.checkpoints[session] = checkpoint
                assert Checkpoint.model_validate_json(checkpoint).url == f"{worker}/{generation}"

    def it_moves_only_as_it_may(self, session: str, place: Place) -> None:
        before = self.places.get(session, Place(SessionState.PENDING, None))
        self.places[session] = place
        if place != before:
            assert place.state in SESSION_MOVES[before.state]
            # From one worker to another only by way of none.
            assert before.worker is None or place.worker in {None, before.worker}

    # --- What holds after each step ---------------------------------------------------------

    @invariant()
    def what_holds_after_each_step(self) -> None:
        self.found = self.look()
        self.every_key_ends_by_itself()
        self.no_worker_gives_more_slots_than_it_has()
        self.options_scripts_and_checkpoint_live_exactly_as_long_as_their_session()
        self.an_ended_session_has_its_reason_and_its_responses_are_gone_or_go_in_their_own_time()
        self.a_generation_never_goes_down()
        self.jobs_leave_their_list_in_the_order_in_which_they_were_accepted_and_only_once()

    def every_key_ends_by_itself(self) -> None:
        names = [str(key) for key in self.store.client.scan_iter("fleet:*", count=1000)]
        # -2: it has ended since it was listed.
        assert [name for name, ttl in zip(names, self.ttls(names), strict=True) if ttl == -1] == []

    def no_worker_gives_more_slots_than_it_has(self) -> None:
        for worker in self.fleet.workers:
            assert len(self.store.slots.holders(worker.name)) <= _SLOTS

    def options_scripts_and_checkpoint_live_exactly_as_long_as_their_session(self) -> None:
        sessions = self.fleet.sessions
        lives = self.ttls([keys.session(one) for one in sessions])
        options = self.ttls([keys.session_options(one) for one in sessions])
        assert all(abs(max(life, 0) - max(its, 0)) <= _SAME_MOMENT_MS for life, its in zip(lives, options, strict=True))
        for name in (keys.session_scripts, keys.session_checkpoint):
            for life, its in zip(lives, self.ttls([name(one) for one in sessions]), strict=True):
                assert its == -2 or abs(max(life, 0) - its) <= _SAME_MOMENT_MS

    def an_ended_session_has_its_reason_and_its_responses_are_gone_or_go_in_their_own_time(self) -> None:
        for session in set(self.fleet.sessions) - self.found.keys():
            ending = self.store.sessions.ending(session)
            assert ending
            assert ending.end_reason is not EndReason.CRASHED or session in self.given_up()
            by_itself = ending.end_reason in (EndReason.IDLE, EndReason.MAX_LIFETIME)
            assert by_itself or not self.store.client.exists(keys.session_responses(session))

    def a_generation_never_goes_down(self) -> None:
        for session in self.found.values():
            assert session.generation >= self.generations.get(session.id, 1)
            self.generations[session.id] = session.generation

    def jobs_leave_their_list_in_the_order_in_which_they_were_accepted_and_only_once(self) -> None:
        with self.store.client.pipeline() as batch:
            for session in self.fleet.sessions:
                batch.lrange(keys.session_jobs(session), 0, -1)
            answers = batch.execute()
        for session, waiting in zip(self.fleet.sessions, answers, strict=True):
            accepted = self.fleet.accepted[session]
            assert waiting == accepted[len(accepted) - len(waiting) :]
            assert len(waiting) <= len(accepted)

    def given_up(self) -> set[str]:
        return set().union(*(worker.host.gave_up for worker in self.fleet.workers))

    def ttls(self, names: list[str]) -> list[int]:
        with self.store.client.pipeline() as batch:
            for name in names:
                batch.pttl(name)
            return list(batch.execute())

    # --- What holds in the end ----------------------------------------------------------------

    def teardown(self) -> None:
        """Nobody dies any more, and nobody is away."""
        self.fleet.let_claims_run_out()
        for worker in self.fleet.workers:
            worker.is_paused = False
            self.finish(worker)
            self._bring_back(worker)
        self._settle()
        self.every_session_is_where_the_store_says_or_waits_for_room()
        while self.look():
            for session in self.running():
                self.store.sessions.end(session, EndReason.DELETED)
            self._settle()
            self.every_session_is_where_the_store_says_or_waits_for_room()
        self.every_job_has_ended()
        for worker in self.fleet.workers:
            assert self.store.slots.holders(worker.name) == []

    def _bring_back(self, worker: SmallWorker) -> None:
        if worker.host.is_up and worker.host.is_draining:
            self._drain(worker)
        if self.store.workers.is_asked_to_drain(worker.name):
            worker.stop()
            self.finish(worker)
        if not worker.is_up:
            worker.start()
        elif not worker.host.is_up:
            worker.host.start()

    def _drain(self, worker: SmallWorker) -> None:
        worker.host.renew_lease()
        self.finish(worker)
        worker.hand_over_drained().go()
        assert worker.name not in {session.worker for session in self.look().values()}

    def _settle(self) -> None:
        for _ in range(_ROUNDS):
            before = self._situation()
            self._work_off()
            if self._situation() == before:
                return
        raise AssertionError("it goes on for ever")

    def _situation(self) -> Any:
        shared = sorted(letter.argument for letter in self.fleet.broker.shared)
        held = [(sorted(worker.host.held), len(worker.queue)) for worker in self.fleet.workers]
        sessions = [(session.id, session.state, session.worker) for session in self.look().values()]
        jobs = [self.store.client.llen(keys.session_jobs(session)) for session in self.fleet.sessions]
        return sessions, jobs, shared, held, [self.store.slots.holders(worker.name) for worker in self.fleet.workers]

    def _work_off(self) -> None:
        for worker in self.fleet.workers:
            worker.host.renew_lease()
            self.finish(worker)
            worker.look_for_lost()
            worker.host.hear()
            worker.host.sweep()
            self.finish(worker)
            for queue in (worker.queue, self.fleet.broker.shared):
                for _ in range(len(queue)):
                    worker.take(queue, 0).go()
            self.finish(worker)
        self.found = self.look()

    def every_session_is_where_the_store_says_or_waits_for_room(self) -> None:
        sessions = self.look()
        for worker in self.fleet.workers:
            here = {session.id for session in sessions.values() if session.worker == worker.name}
            assert set(worker.host.held) == here
            assert set(self.store.slots.holders(worker.name)) == here
            running_here = {one for one in here if sessions[one].state is SessionState.RUNNING}
            assert {held.id for held in worker.host.contexts()} == running_here
            assert not any(self.store.client.llen(keys.session_jobs(one)) for one in here)
        nowhere = {session.id for session in sessions.values() if session.worker is None}
        assert nowhere == {letter.argument for letter in self.fleet.broker.shared} & sessions.keys()

    def every_job_has_ended(self) -> None:
        for session in self.fleet.sessions:
            assert self.store.client.llen(keys.session_jobs(session)) == 0
            for job_id in self.fleet.accepted[session]:
                job = self.store.jobs.get(job_id)
                assert job is not None
                assert job.is_finished


@pytest.fixture
def pausing_store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.model_copy(update={"sessions_per_worker": _SLOTS}), retries=0)
    pause_before_each_command(opened)
    yield opened
    opened.client.close()


def test_whatever_the_order_no_session_is_lost_none_is_on_two_workers_and_every_job_ends(
    pausing_store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lives(SessionLives):
        pass

    # A job that is run again waits for nobody here.
    monkeypatch.setattr(job_runner, "_AGAIN_SECONDS", 0)
    # Each run sets its own.
    monkeypatch.setattr(Actor, "watch", Actor.watch)
    Lives.store, Lives.storage = pausing_store, open_storage(settings.artifacts_url)
    run_state_machine_as_test(
        Lives,
        settings=hypothesis_settings(
            max_examples=35,
            stateful_step_count=40,
            deadline=None,
            derandomize="CI" in os.environ,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
