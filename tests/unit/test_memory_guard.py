"""What is done at which share of the memory, and how soon again."""

import asyncio
import time

import pytest

from workers.browser_host.memory_guard import MemoryGuard, MemoryPressure, Relief
from workers.browser_host.node_usage import NodeUsage

LIMIT = 1000


def used(memory: int, *, measured_at: float = 0) -> NodeUsage:
    return NodeUsage(
        measured_at=measured_at,
        memory_bytes=memory,
        memory_limit_bytes=LIMIT,
        memory_by_part={"chrome": memory},
        processes=1,
        file_descriptors=1,
        threads=1,
        temp_bytes=0,
    )


def admits_after(*measured: int) -> bool:
    pressure = MemoryPressure()
    for memory in measured:
        pressure.look(used(memory))
    return pressure.admits_sessions


@pytest.mark.parametrize("measured", [(0,), (799,), (799, 760), (900, 749), (800, 740, 790)])
def test_a_worker_with_memory_to_spare_admits_sessions(measured: tuple[int, ...]) -> None:
    assert admits_after(*measured)


@pytest.mark.parametrize("measured", [(800,), (1200,), (800, 799), (800, 750), (700, 850, 760)])
def test_a_worker_whose_memory_runs_short_admits_none_until_there_is_room_again(measured: tuple[int, ...]) -> None:
    assert not admits_after(*measured)


@pytest.mark.parametrize(
    ("memory", "relief"),
    [
        (899, Relief()),
        (900, Relief(park_bytes=100)),
        (949, Relief(park_bytes=149)),
        (950, Relief(end_largest=True)),
        (2000, Relief(end_largest=True)),
    ],
)
def test_each_share_has_its_relief(memory: int, relief: Relief) -> None:
    assert MemoryPressure().look(used(memory)) == relief


class Actions:
    """What the guard has asked for; each call lasts until `done` is set."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.done = asyncio.Event()
        self.error: Exception | None = None
        self.guard = MemoryGuard(MemoryPressure(), park_idle=self._park_idle, end_largest=self._end_largest)

    async def look(self, memory: int, *, measured_at: float | None = None) -> None:
        self.guard.look(used(memory, measured_at=time.monotonic() if measured_at is None else measured_at))
        for _ in range(5):
            await asyncio.sleep(0)

    async def _park_idle(self, bytes_wanted: int) -> None:
        await self._called(bytes_wanted)

    async def _end_largest(self) -> None:
        await self._called("end")

    async def _called(self, what: object) -> None:
        self.calls.append(what)
        if self.error:
            raise self.error
        await self.done.wait()


def test_idle_sessions_are_parked_for_the_bytes_that_are_wanted() -> None:
    async def scenario() -> list[object]:
        actions = Actions()
        await actions.look(920)
        await actions.guard.stop()
        return actions.calls

    assert asyncio.run(scenario()) == [120]


def test_at_the_edge_the_largest_session_is_ended() -> None:
    async def scenario() -> list[object]:
        actions = Actions()
        await actions.look(960)
        await actions.guard.stop()
        return actions.calls

    assert asyncio.run(scenario()) == ["end"]


def test_with_memory_to_spare_nothing_is_asked_for() -> None:
    async def scenario() -> list[object]:
        actions = Actions()
        await actions.look(899)
        return actions.calls

    assert asyncio.run(scenario()) == []


def test_while_one_relief_lasts_there_is_no_other() -> None:
    async def scenario() -> list[object]:
        actions = Actions()
        await actions.look(920)
        await actions.look(990)
        await actions.guard.stop()
        return actions.calls

    assert asyncio.run(scenario()) == [120]


def test_a_measurement_that_does_not_know_of_the_last_relief_does_not_count() -> None:
    async def scenario() -> list[object]:
        actions = Actions()
        actions.done.set()
        await actions.look(960)
        await actions.look(960)
        return actions.calls

    assert asyncio.run(scenario()) == ["end"]


def test_a_measurement_that_knows_of_the_last_relief_brings_the_next() -> None:
    async def scenario() -> list[object]:
        actions = Actions()
        actions.done.set()
        await actions.look(920)
        await actions.look(960, measured_at=time.monotonic() + 3600)
        return actions.calls

    assert asyncio.run(scenario()) == [120, "end"]


def test_a_relief_that_fails_does_not_keep_the_next_from_being_tried() -> None:
    async def scenario() -> list[object]:
        actions = Actions()
        actions.error = RuntimeError("made up")
        await actions.look(920)
        await actions.look(960, measured_at=time.monotonic() + 3600)
        return actions.calls

    assert asyncio.run(scenario()) == [120, "end"]
