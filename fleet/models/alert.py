"""An alert as it is kept and shown."""

from datetime import datetime
from enum import StrEnum

from fleet.models.base import Record


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Alert(Record):
    """`worker` and `session_id`: whom it is about; None, None: the fleet. `value` is beyond `threshold`, same unit."""

    name: str
    severity: Severity
    worker: str | None = None
    session_id: str | None = None
    value: float
    threshold: float
    since: datetime
    message: str
