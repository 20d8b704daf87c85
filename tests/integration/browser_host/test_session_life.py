"""The store ends a session, and the context follows: told at once, or found by the sweep."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fleet import keys
from fleet.clock import utc_now
from fleet.models.session import EndReason
from fleet.settings import Settings
from fleet.store import Store
from tests.integration.browser_host.browser import WORKER, comes_true
from tests.integration.browser_host.running_host import RunningHost, start_host

StartHost = Callable[[float], RunningHost]
NEVER = 3600.0
OFTEN = 0.2


@pytest.fixture
def start(runner: asyncio.Runner, settings: Settings, store: Store, tmp_path: Path) -> Iterator[StartHost]:
    """Starts a host that sweeps so often."""
    started: list[RunningHost] = []

    def start_one(sweep_seconds: float) -> RunningHost:
        host = runner.run(start_host(settings, store, tmp_path / "host.sock", sweep_seconds=sweep_seconds))
        started.append(host)
        return host

    yield start_one
    for host in started:
        runner.run(host.stop())


async def _is_gone(host: RunningHost, session_id: str) -> bool:
    return not await host.holds(session_id)


def test_a_context_is_closed_when_its_key_expires_though_nothing_sweeps(
    start: StartHost, runner: asyncio.Runner
) -> None:
    host = start(NEVER)
    session_id = runner.run(host.open_session(ttl=1))
    runner.run(comes_true(lambda: _is_gone(host, session_id)))
    ending = host.store.sessions.ending(session_id)
    assert ending is not None
    assert ending.end_reason is EndReason.IDLE


def test_a_session_that_has_lived_its_longest_ends_with_that_reason(start: StartHost, runner: asyncio.Runner) -> None:
    host = start(NEVER)
    session_id = runner.run(host.open_session(ttl=60, max_lifetime=1))
    runner.run(comes_true(lambda: _is_gone(host, session_id)))
    ending = host.store.sessions.ending(session_id)
    assert ending is not None
    assert ending.end_reason is EndReason.MAX_LIFETIME


def test_a_context_is_closed_by_the_sweep_when_redis_tells_nothing(start: StartHost, runner: asyncio.Runner) -> None:
    host = start(OFTEN)
    host.store.client.config_set("notify-keyspace-events", "")
    session_id = runner.run(host.open_session(ttl=1))
    runner.run(comes_true(lambda: _is_gone(host, session_id)))


def test_a_context_is_closed_when_another_program_ends_its_session(start: StartHost, runner: asyncio.Runner) -> None:
    host = start(NEVER)
    session_id = runner.run(host.open_session())
    host.store.sessions.end(session_id, EndReason.DELETED)
    runner.run(comes_true(lambda: _is_gone(host, session_id)))


def test_everything_of_an_expired_session_is_gone_but_its_grave(start: StartHost, runner: asyncio.Runner) -> None:
    host = start(NEVER)
    session_id = runner.run(host.open_session(ttl=1))
    host.store.session_jobs.release(session_id, "", host.store.session_jobs.claim(session_id, "") or "")
    runner.run(comes_true(lambda: _is_gone(host, session_id)))
    left = {str(key) for key in host.store.client.scan_iter(f"{keys.session(session_id)}*".replace("{", "[{]"))}
    assert left == {keys.session_grave(session_id)}


def test_the_slot_of_a_session_that_expires_is_free_again(start: StartHost, runner: asyncio.Runner) -> None:
    host = start(NEVER)
    session_id = runner.run(host.open_session(ttl=1))
    host.store.slots.try_claim(WORKER, session_id, utc_now() + timedelta(hours=1))
    runner.run(comes_true(lambda: host.store.slots.holders(WORKER) == []))


def test_a_slot_without_a_context_is_found_by_the_sweep(start: StartHost, runner: asyncio.Runner) -> None:
    host = start(OFTEN)
    host.store.slots.try_claim(WORKER, "ses_nobody_holds", utc_now() + timedelta(hours=1))
    runner.run(comes_true(lambda: host.store.slots.holders(WORKER) == []))


def test_a_slot_with_a_context_survives_the_sweep(start: StartHost, runner: asyncio.Runner) -> None:
    host = start(OFTEN)
    session_id = runner.run(host.open_session())
    host.store.slots.try_claim(WORKER, session_id, utc_now() + timedelta(hours=1))
    host.store.slots.try_claim(WORKER, "ses_nobody_holds", utc_now() + timedelta(hours=1))
    runner.run(comes_true(lambda: host.store.slots.holders(WORKER) == [session_id]))
    assert runner.run(host.holds(session_id))


def test_a_host_that_starts_clears_the_slots_of_its_earlier_life(start: StartHost, store: Store) -> None:
    store.slots.try_claim(WORKER, "ses_of_an_earlier_life", utc_now() + timedelta(hours=1))
    start(NEVER)
    assert store.slots.holders(WORKER) == []
