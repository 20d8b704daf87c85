"""The hour (UTC) in which bytes expire, and the location that it gives them: `2026-11-29T11/SHA256`."""

from datetime import UTC, datetime, timedelta

_HOUR = "%Y-%m-%dT%H"


def location(sha256: str, expires_at: datetime) -> str:
    return f"{hour_of(expires_at)}/{sha256}"


def hour_of(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_HOUR)


def has_passed(name: str, now: datetime) -> bool:
    """Whether it is the name of an hour, and that is over."""
    try:
        hour = datetime.strptime(name, _HOUR).replace(tzinfo=UTC)
    except ValueError:
        return False
    return hour.strftime(_HOUR) == name and hour + timedelta(hours=1) <= now
