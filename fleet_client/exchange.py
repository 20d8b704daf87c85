"""What a call consists of, without I/O: requests that it sends one after the other, and the replies it is given.

A call is a generator. It yields a `Send`; whoever runs it waits, sends, and hands back the `Reply`, or throws
ConnectionFailed into it. So both clients run the same calls.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar

from fleet_client.errors import FleetApiError, NotTheApi, error_class

Result = TypeVar("Result")


class Sink(Protocol):
    """Where the body of a download goes."""

    def restart(self) -> None: ...

    def write(self, piece: bytes) -> None: ...


@dataclass(frozen=True)
class Request:
    """`repeatable`: sending it twice does no more than sending it once."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    repeatable: bool = True
    # Beyond the usual, for requests that are answered when something has come about.
    wait_seconds: float = 0

    def waiting(self, seconds: float) -> "Request":
        return replace(self, query={**self.query, "wait": f"{seconds:.1f}"}, wait_seconds=seconds)


@dataclass(frozen=True)
class Send:
    """`sink`: takes the body, if the answer is a good one."""

    request: Request
    after_seconds: float = 0
    sink: Sink | None = None


@dataclass(frozen=True)
class Reply:
    """`headers` by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-request-id")

    def json(self) -> dict[str, Any]:
        """Raises NotTheApi."""
        try:
            parsed = json.loads(self.body)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise NotTheApi(f"The answer ({self.status}) is no JSON object, so it is not from a fleet's API.")
        return parsed

    def error(self) -> FleetApiError | None:
        """None: a good one. Raises NotTheApi."""
        if self.is_good:
            return None
        told = self.json().get("error")
        if not isinstance(told, dict) or "code" not in told:
            raise NotTheApi(f"The answer ({self.status}) does not have the shape of a fleet's error.")
        code = str(told["code"])
        return error_class(code, self.status)(
            code,
            str(told.get("message", "")),
            details=told.get("details"),
            request_id=told.get("request_id") or self.request_id,
            retry_after=self._retry_after(),
            status=self.status,
        )

    def _retry_after(self) -> float | None:
        """Seconds. A proxy may give a date instead."""
        given = self.headers.get("retry-after", "")
        if given.isdigit():
            return float(given)
        try:
            there = parsedate_to_datetime(given)
            here = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return None
        return max(0.0, (there - here).total_seconds())


Call = Generator[Send, Reply, Result]
