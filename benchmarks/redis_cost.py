"""What a piece of work costs Redis, as Redis itself counts it: none of these figures depends on who else uses the
machine, but for the microseconds.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fleet.store.connection import RedisClient

# Waiting for messages, asking for these figures, and seeing whether a connection still stands are nobody's work.
_NOT_WORK = {"cmdstat_brpop", "cmdstat_info", "cmdstat_ping"}


@dataclass
class Cost:
    """Of one operation. `commands`: also those within scripts. `redis_us`: Redis' time in commands. `cpu_ms`: of the
    calling thread.
    """

    commands: float = 0
    bytes_in: float = 0
    bytes_out: float = 0
    redis_us: float = 0
    cpu_ms: float = 0
    by_command: dict[str, float] = field(default_factory=dict)


@contextmanager
def cost_of(client: RedisClient, operations: int) -> Iterator[Cost]:
    """Filled in at the end, for each of so many operations."""
    cost = Cost()
    first, before, cpu = _read(client), _read(client), time.thread_time()
    yield cost
    cpu_seconds, after = time.thread_time() - cpu, _read(client)
    calls = {name: after.calls[name] - before.calls.get(name, 0) for name in after.calls}
    cost.by_command = {name.removeprefix("cmdstat_"): count / operations for name, count in calls.items() if count}
    cost.commands = sum(calls.values()) / operations
    cost.redis_us = (after.microseconds - before.microseconds) / operations
    # Less what the asking takes itself.
    cost.bytes_in = (after.bytes_in - 2 * before.bytes_in + first.bytes_in) / operations
    cost.bytes_out = (after.bytes_out - 2 * before.bytes_out + first.bytes_out) / operations
    cost.cpu_ms = cpu_seconds * 1000 / operations


@dataclass(frozen=True)
class _Counters:
    calls: dict[str, int]
    microseconds: int
    bytes_in: int
    bytes_out: int


def _read(client: RedisClient) -> _Counters:
    found: dict[str, Any] = client.info("stats", "commandstats")
    commands = {name: of for name, of in found.items() if name.startswith("cmdstat_") and name not in _NOT_WORK}
    return _Counters(
        calls={name: of["calls"] for name, of in commands.items()},
        microseconds=sum(of["usec"] for of in commands.values()),
        bytes_in=found["total_net_input_bytes"],
        bytes_out=found["total_net_output_bytes"],
    )
