"""Cursors as clients send them."""

from fleet.errors import InvalidRequest
from fleet.store.index import Cursor


def parse_cursor(cursor: str | None) -> Cursor | None:
    """Raises InvalidRequest."""
    try:
        return Cursor.parse(cursor) if cursor else None
    except ValueError as error:
        message = "cursor: give the next_cursor of the page before, unchanged."
        raise InvalidRequest(message, field="cursor") from error
