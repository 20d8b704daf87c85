"""What a piece of work costs Redis, as Redis itself counts it: none of these figures depends on who else uses the
machine, but for the microseconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fleet.store.connection import RedisClient

# Waiting for messages, asking for these figures, and seeing whether a connection still stands are nobody's work.
_NOT_WORK = {"cmdstat_brpop", "cmdstat_info", "cmdstat_ping"}


@dataclass
class Cost:
    """Of one operation. `commands`: also those within scripts. `redis_us`: Redis' time in commands."""

    commands: float = 0
    bytes_in: float = 0
    bytes_out: float = 0
    redis_us: float = 0


@contextmanager
def cost_of(client: RedisClient, operations: int) -> Iterator[Cost]:
    """Filled in at the end, for each of so many operations."""
    cost = Cost()
    first, before = _read(client), _read(client)
    yield cost
    after = _read(client)
    cost.commands = (after.calls - before.calls) / operations
    cost.redis_us = (after.microseconds - before.microseconds) / operations
    # Less what the asking takes itself.
    cost.bytes_in = (after.bytes_in - 2 * before.bytes_in + first.bytes_in) / operations
    cost.bytes_out = (after.bytes_out - 2 * before.bytes_out + first.bytes_out) / operations


@dataclass(frozen=True)
class _Counters:
    calls: int
    microseconds: int
    bytes_in: int
    bytes_out: int


def _read(client: RedisClient) -> _Counters:
    found: dict[str, Any] = client.info("stats", "commandstats")
    commands = [of for name, of in found.items() if name.startswith("cmdstat_") and name not in _NOT_WORK]
    return _Counters(
        calls=sum(of["calls"] for of in commands),
        microseconds=sum(of["usec"] for of in commands),
        bytes_in=found["total_net_input_bytes"],
        bytes_out=found["total_net_output_bytes"],
    )
