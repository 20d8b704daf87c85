import pytest

from fleet.models.job import JOB_MOVES, JobState

_FINAL = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


def test_every_state_of_a_job_has_its_moves() -> None:
    assert set(JOB_MOVES) == set(JobState)


def test_a_job_moves_to_known_states_only() -> None:
    assert frozenset().union(*JOB_MOVES.values()) <= set(JobState)


@pytest.mark.parametrize("state", JobState)
def test_the_final_states_and_no_others_have_no_way_out(state: JobState) -> None:
    assert state.is_final == (state in _FINAL)


@pytest.mark.parametrize("state", set(JobState) - _FINAL)
def test_every_unfinished_job_can_still_fail_and_be_cancelled(state: JobState) -> None:
    assert {JobState.FAILED, JobState.CANCELLED} <= JOB_MOVES[state]


def test_a_job_succeeds_only_after_it_ran() -> None:
    before = {state for state, moves in JOB_MOVES.items() if JobState.SUCCEEDED in moves}

    assert before == {JobState.RUNNING}


def test_only_a_running_job_is_handed_back_into_the_queue() -> None:
    assert [state for state, moves in JOB_MOVES.items() if JobState.QUEUED in moves] == [JobState.RUNNING]


def test_a_running_job_may_be_started_again() -> None:
    assert JobState.RUNNING in JOB_MOVES[JobState.RUNNING]
