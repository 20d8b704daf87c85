"""What is needed to rebuild a session elsewhere, beside its options and scripts."""

from datetime import datetime
from typing import Any

from fleet.models.base import Record


class Checkpoint(Record):
    """`storage_state` as Playwright's `context.storage_state()` gives it; None: see `failure`."""

    taken_at: datetime
    url: str | None = None
    storage_state: dict[str, Any] | None = None
    failure: str | None = None
