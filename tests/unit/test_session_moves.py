from fleet.models.session import SESSION_MOVES, SessionState


def test_every_state_of_a_session_has_its_moves() -> None:
    assert set(SESSION_MOVES) == set(SessionState)


def test_a_session_moves_to_known_states_only() -> None:
    assert frozenset().union(*SESSION_MOVES.values()) <= set(SessionState)


def test_no_session_becomes_pending_again() -> None:
    assert not any(SessionState.PENDING in moves for moves in SESSION_MOVES.values())


def test_every_session_can_reach_running() -> None:
    reached = {SessionState.RUNNING}
    for _ in SessionState:
        reached |= {state for state, moves in SESSION_MOVES.items() if moves & reached}

    assert reached == set(SessionState)
