"""How numbers, ids and states are written for people."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from fleet.models.job import Job

_ID_SHOWN = 10
# What is not known, or is not there.
_NONE = "\N{EN DASH}"
_SECOND_MS = 1000


def short_id(identifier: str) -> str:
    """`ses_k3b7xq…`: enough to tell neighbours apart."""
    return f"{identifier[:_ID_SHOWN]}…" if len(identifier) > _ID_SHOWN else identifier


def size(number: float | None) -> str:
    if number is None:
        return _NONE
    for unit in ("B", "KB", "MB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"


def milliseconds(number: float | None) -> str:
    if number is None:
        return _NONE
    return f"{number:.0f} ms" if number < _SECOND_MS else f"{number / _SECOND_MS:.1f} s"


def took(job: Job) -> str:
    """From its start to its end."""
    if job.started_at is None or job.finished_at is None:
        return _NONE
    return milliseconds((job.finished_at - job.started_at).total_seconds() * _SECOND_MS)


def absolute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(moment: datetime) -> str:
    """To the second: an end that is computed from what is left of a life differs by a millisecond each time."""
    return moment.isoformat(timespec="seconds")


def is_link(url: str | None) -> bool:
    """Whether it is safe to be clicked on: a page's own word for its address may be anything."""
    return url is not None and url.lower().startswith(("http://", "https://"))


def count(number: float) -> str:
    return f"{number:,}"


def percent(value: float, limit: float) -> int:
    return round(100 * value / limit) if limit else 0


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "short_id": short_id,
    "size": size,
    "milliseconds": milliseconds,
    "took": took,
    "absolute": absolute,
    "iso": iso,
    "is_link": is_link,
    "count": count,
    "percent": percent,
}
