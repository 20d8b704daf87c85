"""Cursors as clients send them."""

import re

from fleet.errors import InvalidRequest
from fleet.store.index import Cursor


def parse_cursor(cursor: str | None) -> Cursor | None:
    """Raises InvalidRequest."""
    try:
        return Cursor.parse(cursor) if cursor else None
    except ValueError as error:
        raise _unusable() from error


def parse_index(cursor: str | None) -> int:
    """Of a list whose entries are numbered from 0. Raises InvalidRequest."""
    if cursor is not None and not re.fullmatch(r"[0-9]{1,9}", cursor):
        raise _unusable()
    return int(cursor or 0)


def _unusable() -> InvalidRequest:
    return InvalidRequest("cursor: give the next_cursor of the page before, unchanged.", field="cursor")
