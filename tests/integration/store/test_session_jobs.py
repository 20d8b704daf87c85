"""One at a time, in the order of acceptance, none lost: also when runners die and their messages come back."""

from typing import ClassVar

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from fleet.ids import new_id
from fleet.store import Store


@pytest.fixture
def session_id(store: Store) -> str:
    """A session with one job: its creation."""
    return a_session(store)


def a_session(store: Store, first_job: str = "job_0") -> str:
    session_id = new_id("ses")
    store.sessions.create(session_id, ttl=600, max_lifetime=600, metadata={}, options_json="{}", job_id=first_job)
    return session_id


def test_a_runner_gets_the_job_that_was_accepted_first(store: Store, session_id: str) -> None:
    store.sessions.add_job(session_id, "job_1")

    assert store.session_jobs.claim(session_id, "a") == "job_0"


def test_another_runner_gets_nothing_while_a_job_runs(store: Store, session_id: str) -> None:
    store.sessions.add_job(session_id, "job_1")
    store.session_jobs.claim(session_id, "a")

    assert store.session_jobs.claim(session_id, "b") is None


def test_a_runner_that_comes_back_gets_its_job_again(store: Store, session_id: str) -> None:
    store.session_jobs.claim(session_id, "a")

    assert store.session_jobs.claim(session_id, "a") == "job_0"


def test_after_a_release_the_next_job_is_first(store: Store, session_id: str) -> None:
    store.sessions.add_job(session_id, "job_1")
    store.session_jobs.claim(session_id, "a")

    assert store.session_jobs.release(session_id, "a", "job_0") == 1
    assert store.session_jobs.claim(session_id, "b") == "job_1"


def test_after_the_last_job_there_is_nothing_to_do(store: Store, session_id: str) -> None:
    store.session_jobs.claim(session_id, "a")

    assert store.session_jobs.release(session_id, "a", "job_0") == 0
    assert store.session_jobs.claim(session_id, "a") is None


def test_finding_nothing_to_do_locks_nothing(store: Store, session_id: str) -> None:
    store.session_jobs.claim(session_id, "a")
    store.session_jobs.release(session_id, "a", "job_0")
    store.session_jobs.claim(session_id, "b")
    store.sessions.add_job(session_id, "job_1")

    assert store.session_jobs.claim(session_id, "c") == "job_1"


def test_a_runner_does_not_open_the_lock_of_another(store: Store, session_id: str) -> None:
    store.session_jobs.claim(session_id, "a")
    store.session_jobs.release(session_id, "b", "job_x")

    assert store.session_jobs.claim(session_id, "c") is None


def test_the_lock_of_a_runner_that_never_comes_back_ends(store: Store, session_id: str) -> None:
    store.session_jobs.claim(session_id, "a")
    (lock,) = store.client.keys(f"*{session_id}*:lock")
    assert 0 < store.client.ttl(lock) <= 600
    store.client.delete(lock)

    assert store.session_jobs.claim(session_id, "b") == "job_0"


def test_the_late_release_of_a_lost_lock_does_not_open_the_next_one(store: Store, session_id: str) -> None:
    store.session_jobs.claim(session_id, "a")
    store.client.delete(*store.client.keys(f"*{session_id}*:lock"))
    store.session_jobs.claim(session_id, "b")
    store.session_jobs.release(session_id, "a", "job_0")

    assert store.session_jobs.claim(session_id, "c") is None


def test_the_late_release_of_a_lost_lock_takes_no_other_job_off_the_list(store: Store, session_id: str) -> None:
    store.sessions.add_job(session_id, "job_1")
    store.session_jobs.claim(session_id, "a")
    store.client.delete(*store.client.keys(f"*{session_id}*:lock"))
    store.session_jobs.claim(session_id, "b")
    store.session_jobs.release(session_id, "b", "job_0")
    store.session_jobs.release(session_id, "a", "job_0")

    assert store.session_jobs.claim(session_id, "c") == "job_1"


def test_sessions_do_not_wait_for_each_other(store: Store, session_id: str) -> None:
    other = a_session(store, "job_of_other")
    store.session_jobs.claim(session_id, "a")

    assert store.session_jobs.claim(other, "b") == "job_of_other"


def test_a_position_counts_the_running_job(store: Store, session_id: str) -> None:
    store.sessions.add_job(session_id, "job_1")
    store.session_jobs.claim(session_id, "a")

    assert [store.session_jobs.position(session_id, job) for job in ("job_0", "job_1", "job_2")] == [1, 2, None]


class SessionLife(RuleBasedStateMachine):
    """One session, its messages in the queue, and the children that take them: workers.tasks.sessions in small.

    A message that was taken is acknowledged at the end. One whose child died comes back under the same id.
    """

    store: ClassVar[Store]

    def __init__(self) -> None:
        super().__init__()
        self._jobs = self.store.session_jobs
        self._accepted = ["job_0"]
        self._session = a_session(self.store, "job_0")
        self._queued = ["message_0"]
        self._messages = 1
        self._running: dict[str, str] = {}
        self._done: list[str] = []

    def _send(self) -> None:
        self._queued.append(f"message_{self._messages}")
        self._messages += 1

    def _take(self, place: int) -> str:
        return self._queued.pop(place % len(self._queued))

    def _run(self, message: str) -> None:
        """A child takes the message: it claims a job, or drops the message as there is nothing for it to do."""
        job = self._jobs.claim(self._session, message)
        if job is not None:
            self._running[message] = job

    def _finish(self, *, wakes: bool) -> str:
        message, job = self._running.popitem()
        self._done.append(job)
        if self._jobs.release(self._session, message, job) and wakes:
            self._send()
        return message

    def _accept(self) -> None:
        job = f"job_{len(self._accepted)}"
        self._accepted.append(job)
        assert self.store.sessions.add_job(self._session, job)

    @rule()
    def a_job_is_accepted(self) -> None:
        self._accept()
        self._send()

    @precondition(lambda self: self._running)
    @rule()
    def a_job_is_accepted_and_wakes_nobody(self) -> None:
        """As while the session is being created: there is no worker yet that could be woken."""
        self._accept()

    @precondition(lambda self: self._queued)
    @rule(place=st.integers(0, 9))
    def a_child_takes_a_message(self, place: int) -> None:
        self._run(self._take(place))

    @rule()
    def a_message_comes_from_nowhere(self) -> None:
        self._send()

    @precondition(lambda self: self._running)
    @rule()
    def the_running_job_ends(self) -> None:
        self._finish(wakes=True)

    @precondition(lambda self: self._running)
    @rule()
    def the_child_dies_while_its_job_runs(self) -> None:
        message, _ = self._running.popitem()
        self._queued.append(message)

    @precondition(lambda self: self._running)
    @rule()
    def the_child_dies_after_the_release_and_wakes_nobody(self) -> None:
        self._queued.append(self._finish(wakes=False))

    @precondition(lambda self: self._running)
    @rule()
    def the_child_dies_after_the_wake_up_and_before_its_message_is_acknowledged(self) -> None:
        self._queued.append(self._finish(wakes=True))

    @invariant()
    def at_most_one_job_runs(self) -> None:
        assert len(self._running) <= 1

    @invariant()
    def jobs_end_once_each_in_the_order_of_acceptance(self) -> None:
        assert self._done == self._accepted[: len(self._done)]

    def teardown(self) -> None:
        """Nobody dies any more: what is in the queue is enough to run every job that was accepted."""
        while self._queued or self._running:
            if self._running:
                self._finish(wakes=True)
            else:
                self._run(self._take(0))
        assert self._done == self._accepted


def test_whatever_happens_jobs_run_one_at_a_time_in_order_and_none_is_lost(store: Store) -> None:
    class Life(SessionLife):
        pass

    Life.store = store
    run_state_machine_as_test(
        Life, settings=hypothesis_settings(max_examples=150, stateful_step_count=30, deadline=None)
    )
