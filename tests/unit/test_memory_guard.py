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
        (799, Relief()),
        (800, Relief(drop_caches=True)),
        (949, Relief(drop_caches=True)),
        (950, Relief(end_largest=True)),
        (2000, Relief(end_largest=True)),
    ],
)
def test_each_share_has_its_relief(memory: int, relief: Relief) -> None:
    assert MemoryPressure().look(used(memory)) == relief


@pytest.mark.parametrize(
    ("memory", "relief"), [(899, Relief()), (900, Relief(park_bytes=100)), (949, Relief(park_bytes=149))]
)
def test_idle_sessions_are_parked_once_chrome_has_dropped_its_caches(memory: int, relief: Relief) -> None:
    pressure = MemoryPressure()
    pressure.look(used(memory))
    assert pressure.look(used(memory, measured_at=5)) == relief


def test_caches_are_dropped_again_after_a_minute() -> None:
    pressure = MemoryPressure()
    reliefs = [pressure.look(used(850, measured_at=at)) for at in (0, 59, 60)]
    assert reliefs == [Relief(drop_caches=True), Relief(), Relief(drop_caches=True)]


class Actions:
    """What the guard has asked for; each call lasts until `done` is set."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.done = asyncio.Event()
        self.error: Exception | None = None
        self.guard = MemoryGuard(
            MemoryPressure(), drop_caches=self._drop_caches, park_idle=self._park_idle, end_largest=self._end_largest
        )

    async def look(self, memory: int, *, measured_at: float) -> None:
        self.guard.look(used(memory, measured_at=measured_at))
        for _ in range(5):
            await asyncio.sleep(0)

    async def _drop_caches(self) -> None:
        await self._called("drop")

    async def _park_idle(self, bytes_wanted: int) -> None:
        await self._called(bytes_wanted)

    async def _end_largest(self) -> None:
        await self._called("end")

    async def _called(self, what: object) -> None:
        self.calls.append(what)
        if self.error:
            raise self.error
        await self.done.wait()


FAR = 3600


def asked_for(*looks: tuple[int, float], lasts: bool = False, error: Exception | None = None) -> list[object]:
    """What the guard asks for as it looks at memory, each measured that many seconds from now."""

    async def scenario() -> list[object]:
        actions = Actions()
        actions.error = error
        if not lasts:
            actions.done.set()
        for memory, seconds in looks:
            await actions.look(memory, measured_at=time.monotonic() + seconds)
        await actions.guard.stop()
        return actions.calls

    return asyncio.run(scenario())


def test_with_memory_to_spare_nothing_is_asked_for() -> None:
    assert asked_for((799, 0)) == []


def test_chrome_drops_its_caches_before_idle_sessions_are_parked() -> None:
    assert asked_for((920, 0), (920, 5)) == ["drop", 120]


def test_at_the_edge_the_largest_session_is_ended() -> None:
    assert asked_for((960, 0)) == ["end"]


def test_while_one_relief_lasts_there_is_no_other() -> None:
    assert asked_for((920, 0), (990, FAR), lasts=True) == ["drop"]


def test_a_measurement_that_does_not_know_of_the_last_relief_does_not_count() -> None:
    assert asked_for((960, 0), (960, 0)) == ["end"]


def test_a_measurement_that_knows_of_the_last_relief_brings_the_next() -> None:
    assert asked_for((960, 0), (960, 5)) == ["end", "end"]


def test_a_relief_that_fails_does_not_keep_the_next_from_being_tried() -> None:
    assert asked_for((920, 0), (960, 5), error=RuntimeError("made up")) == ["drop", "end"]
