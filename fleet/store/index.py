"""Pages of an index: ids in a sorted set, newest first, below a cursor."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar, cast

from fleet.store.connection import RedisClient

T = TypeVar("T")

# Entries of one score (one microsecond) that a page's border may cut through; more would end a listing early.
_TIES_MAX = 100


@dataclass(frozen=True)
class Cursor:
    """The last entry of a page."""

    score: float
    member: str

    def __str__(self) -> str:
        return f"{self.score!r}:{self.member}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        score, _, member = text.partition(":")
        if not math.isfinite(float(score)) or not member:
            raise ValueError(text)
        return cls(float(score), member)

    def is_above(self, score: float, member: str) -> bool:
        """Whether that entry lies on a later page. Redis orders entries of one score by their text."""
        return (score, member) < (self.score, self.member)


@dataclass(frozen=True)
class Page(Generic[T]):
    """`next_cursor` None: this was the last."""

    entries: list[T]
    next_cursor: Cursor | None


def read_page(
    client: RedisClient,
    index: str,
    read: Callable[[list[str]], Sequence[T | None]],
    *,
    limit: int,
    cursor: Cursor | None,
) -> Page[T]:
    """At most `limit` entries. Those whose record has expired are left out, and taken off the index."""
    listed = _below(client, index, limit=limit, cursor=cursor)
    ids = [member for member, _ in listed]
    records = read(ids)
    expired = [member for member, record in zip(ids, records, strict=True) if record is None]
    if expired:
        client.zrem(index, *expired)
    return Page(
        entries=[record for record in records if record is not None],
        next_cursor=Cursor(listed[-1][1], listed[-1][0]) if len(listed) == limit else None,
    )


def _below(client: RedisClient, index: str, *, limit: int, cursor: Cursor | None) -> list[tuple[str, float]]:
    highest = repr(cursor.score) if cursor else "+inf"
    count = limit + _TIES_MAX if cursor else limit
    scored = cast(
        "list[tuple[str, float]]",
        client.zrevrangebyscore(index, highest, "-inf", start=0, num=count, withscores=True),
    )
    return [(member, score) for member, score in scored if cursor is None or cursor.is_above(score, member)][:limit]
