"""The result of a capture: what was visited, what it yielded, and how long each step took."""

from fleet.models.artifact import Artifact
from fleet.models.base import Record


class Timings(Record):
    """Milliseconds. `queue`: accepted to started; `settle`: the waits and actions after it."""

    queue: float = 0
    navigate: float = 0
    settle: float = 0
    capture: float = 0
    store: float = 0


class Redirect(Record):
    url: str
    status: int | None


class ConsoleError(Record):
    """`script_id`: of the session's script that it comes from, which has no `url`. `line` counts from 1."""

    text: str
    url: str | None = None
    line: int | None = None
    script_id: str | None = None


class FailedRequest(Record):
    url: str
    method: str
    resource_type: str
    failure: str


class PageVisit(Record):
    """What the browser host saw of the page, before anything is stored."""

    url: str | None
    final_url: str
    redirects: list[Redirect] = []
    status: int | None = None
    title: str = ""
    console_errors: list[ConsoleError] = []
    failed_requests: list[FailedRequest] = []
    blocked_requests: list[FailedRequest] = []
    warnings: list[str] = []
    browser_version: str
    timings: Timings


class Manifest(PageVisit):
    artifacts: list[Artifact]
