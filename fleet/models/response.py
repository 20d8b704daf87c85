"""A captured network response, under HAR's names, and which responses a session records."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from fleet.models.base import Input, Record

BODY_LIMIT_DEFAULT = 256 * 1024
BODY_LIMIT_MAX = 1024 * 1024

# Playwright's names.
ResourceType = Literal[
    "document",
    "stylesheet",
    "image",
    "media",
    "font",
    "script",
    "texttrack",
    "xhr",
    "fetch",
    "eventsource",
    "websocket",
    "manifest",
    "ping",
    "cspreport",
    "other",
]
Glob = Annotated[str, Field(min_length=1, max_length=2048)]
Globs = Annotated[list[Glob], Field(min_length=1, max_length=32)]


class RecordResponses(Input):
    """Which responses are recorded: those that pass every filter. `body_limit` in bytes; 0: no bodies."""

    resource_types: Annotated[list[ResourceType], Field(min_length=1, max_length=32)] | None = None
    urls: Globs | None = None
    mime_types: Globs | None = None
    body_limit: Annotated[int, Field(ge=0, le=BODY_LIMIT_MAX)] = BODY_LIMIT_DEFAULT


def _from_boolean(given: Any) -> Any:
    if isinstance(given, bool):
        return RecordResponses() if given else None
    if given is None or isinstance(given, dict | RecordResponses):
        return given
    raise PydanticCustomError("record_responses", "must be true, false or an object of filters")


# Not a union, whose members' names would show up in the paths of errors.
RecordResponsesOption = Annotated[
    RecordResponses | None, BeforeValidator(_from_boolean, json_schema_input_type=bool | RecordResponses | None)
]


class Header(Record):
    name: str
    value: str


class RequestSent(Record):
    """`body_size`: bytes of the posted data."""

    method: str
    url: str
    headers: list[Header]
    body_size: int


class Content(Record):
    """`size`: bytes of the decoded body, or as they came over the wire if it was not read."""

    size: int
    mime_type: str


class ResponseReceived(Record):
    """`status` 0: none came. `redirect_url`: the Location header, or empty."""

    status: int
    status_text: str
    headers: list[Header]
    content: Content
    redirect_url: str


class ResponseTimings(Record):
    """Milliseconds; -1: did not happen, or is not known. `wait` includes the sending."""

    blocked: float = -1
    dns: float = -1
    connect: float = -1
    ssl: float = -1
    wait: float = -1
    receive: float = -1


class CapturedResponse(Record):
    """`body_bytes` and `body_sha256` are those of the bytes that were kept."""

    id: str
    started_date_time: datetime
    expires_at: datetime
    time: float
    request: RequestSent
    response: ResponseReceived
    timings: ResponseTimings
    resource_type: str
    from_cache: bool
    from_service_worker: bool
    body_bytes: int = 0
    body_truncated: bool = False
    body_evicted: bool = False
    body_sha256: str | None = None
    failure: str | None = None

    @property
    def mime_type(self) -> str:
        """Without parameters, in lower case."""
        return essence(self.response.content.mime_type)


def essence(mime_type: str) -> str:
    return mime_type.partition(";")[0].strip().lower()
