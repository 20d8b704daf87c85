"""The size of a fleet costs nobody more: of each operation, what Redis does, in a fleet of one worker and of thirty."""

from pathlib import Path

import pytest

from benchmarks.fleet_operations import OPERATIONS, Measured, measure_all
from benchmarks.fleet_without_chrome import SimulatedFleet
from tests.integration.conftest import missing
from tests.integration.redis_server import RedisServer

_SMALL, _LARGE, _SESSIONS = 1, 30, 2
# They tell of every worker, or of as many sessions as a page of a list has.
_TELL_OF_ALL = {"GET /api/status", "GET /metrics", "GET /api/workers", "GET /api/sessions"}
_COST_ONE_MORE = 1.1


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Measured]]:
    return {size: _measure(tmp_path_factory.mktemp("fleet"), size) for size in (_SMALL, _LARGE)}


def _measure(folder: Path, workers: int) -> dict[str, Measured]:
    redis = RedisServer(folder)
    try:
        redis.start()
    except FileNotFoundError:
        missing("redis-server")
    try:
        with SimulatedFleet(redis.url, folder / "artifacts", workers=workers, sessions=_SESSIONS) as fleet:
            return {one.operation: one for one in measure_all(fleet)}
    finally:
        redis.stop()


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one not in _TELL_OF_ALL])
def test_the_commands_of_an_operation_do_not_grow_with_the_fleet(
    measured: dict[int, dict[str, Measured]], operation: str
) -> None:
    small, large = (measured[size][operation].cost.commands for size in (_SMALL, _LARGE))
    assert large <= _COST_ONE_MORE * small + 1


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_host_hears_of_what_is_not_its_own(measured: dict[int, dict[str, Measured]], operation: str) -> None:
    assert measured[_LARGE][operation].heard == measured[_SMALL][operation].heard


@pytest.mark.parametrize("operation", sorted(_TELL_OF_ALL))
def test_what_tells_of_all_costs_the_same_for_each(measured: dict[int, dict[str, Measured]], operation: str) -> None:
    small, large = (measured[size][operation].cost.commands for size in (_SMALL, _LARGE))
    assert large <= _LARGE * small


def test_a_look_for_a_lost_message_costs_one_worker_of_all(measured: dict[int, dict[str, Measured]]) -> None:
    operation = "looks, a message missing"
    assert measured[_LARGE][operation].cost.commands <= 2 * measured[_SMALL][operation].cost.commands
