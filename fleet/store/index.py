"""Pages of an index: ids in a sorted set, newest first, below a cursor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from fleet.store.connection import RedisClient

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """`next_cursor`: the score below which the next page begins; None: this was the last."""

    entries: list[T]
    next_cursor: float | None


def read_page(
    client: RedisClient,
    index: str,
    read: Callable[[list[str]], Sequence[T | None]],
    *,
    limit: int,
    cursor: float | None,
) -> Page[T]:
    """At most `limit` entries. Those whose record has expired are left out, and taken off the index."""
    highest = f"({cursor!r}" if cursor is not None else "+inf"
    scored = cast(
        "list[tuple[str, float]]",
        client.zrevrangebyscore(index, highest, "-inf", start=0, num=limit, withscores=True),
    )
    ids = [member for member, _ in scored]
    records = read(ids)
    expired = [member for member, record in zip(ids, records, strict=True) if record is None]
    if expired:
        client.zrem(index, *expired)
    return Page(
        entries=[record for record in records if record is not None],
        next_cursor=scored[-1][1] if len(scored) == limit else None,
    )
