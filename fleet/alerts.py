"""Which alerts there are: when each is raised, when it clears, and what to do about it.

deploy/prometheus has the same names and numbers for those who watch with Prometheus.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fleet.models.alert import Severity

# How long after the end of its cause an alert stays that would be gone before anybody has looked.
CHROME_DOWN_STAYS: Final = timedelta(seconds=60)
WORKER_LOST_STAYS: Final = timedelta(seconds=120)


@dataclass(frozen=True)
class Rule:
    name: str
    severity: Severity
    # With the numbers and names that `message` is given.
    sentence: str

    def message(self, **facts: object) -> str:
        return self.sentence.format(**facts)


@dataclass(frozen=True)
class LimitRule(Rule):
    """Raised above one share of a limit, clear at or below a lower one, so that it does not come and go."""

    raise_percent: int
    clear_percent: int

    def threshold(self, limit: int) -> float:
        return limit * self.raise_percent / 100

    def holds(self, value: int, limit: int, *, is_raised: bool) -> bool:
        percent = self.clear_percent if is_raised else self.raise_percent
        return value * 100 > limit * percent


MEMORY_HIGH: Final = LimitRule(
    name="memory_high",
    severity=Severity.WARNING,
    sentence="{worker} uses {used} of {limit} MiB and admits no sessions. Add a worker, raise FLEET_MEMORY_LIMIT_MB, "
    "or end what it takes most: GET /api/status lists its top_sessions.",
    raise_percent=80,
    clear_percent=75,
)
SESSIONS_HIGH: Final = LimitRule(
    name="sessions_high",
    severity=Severity.WARNING,
    sentence="{worker} holds {used} of {limit} sessions. Add a worker, or delete sessions that nobody needs.",
    raise_percent=80,
    clear_percent=70,
)
RESPONSES_HIGH: Final = LimitRule(
    name="responses_high",
    severity=Severity.INFO,
    sentence="{session_id} has {used} of {limit} captured responses; beyond the limit the oldest go. Fetch them, then "
    "DELETE /api/sessions/{session_id}/responses, or raise FLEET_RESPONSE_LIMIT.",
    raise_percent=80,
    clear_percent=70,
)
CHROME_DOWN: Final = Rule(
    name="chrome_down",
    severity=Severity.CRITICAL,
    sentence="Chrome of {worker} {what}. It is started anew and its sessions are restored by themselves. If this comes "
    "back, look at the worker's log for 'chrome lost', and at its memory.",
)
STORAGE_DOWN: Final = Rule(
    name="storage_down",
    severity=Severity.CRITICAL,
    sentence="{worker} cannot write artifacts ({what}), so its captures fail. Make room on the disk, or look at the "
    "object store and at the worker's AWS_ variables.",
)
NO_WORKERS: Final = Rule(
    name="no_workers",
    severity=Severity.CRITICAL,
    sentence="No worker takes work; jobs wait. Start one, or look at the log of the one that should run.",
)
WORKER_LOST: Final = Rule(
    name="worker_lost",
    severity=Severity.CRITICAL,
    sentence="{worker} does not renew its lease any more; {what}. Look at its last log lines (killed for its memory?) "
    "and start it anew.",
)
QUEUE_HIGH: Final = LimitRule(
    name="queue_high",
    severity=Severity.WARNING,
    sentence="{used} of {limit} jobs wait in the queue {queue}; at the limit new ones are refused with 429. Add "
    "workers, or send fewer jobs.",
    raise_percent=80,
    clear_percent=70,
)

RULES: Final[tuple[Rule, ...]] = (
    MEMORY_HIGH,
    SESSIONS_HIGH,
    RESPONSES_HIGH,
    CHROME_DOWN,
    STORAGE_DOWN,
    NO_WORKERS,
    WORKER_LOST,
    QUEUE_HIGH,
)
