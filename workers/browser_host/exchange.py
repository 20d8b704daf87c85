"""One request of a page and what came back for it, told as a captured response."""

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Request, ResourceTiming, Response

from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.response import (
    CapturedResponse,
    Content,
    Header,
    RequestSent,
    ResponseReceived,
    ResponseTimings,
)

# Chrome answers from memory; a page that hangs or goes away may never answer.
_DETAILS_SECONDS = 5
_BODY_SECONDS = 5
# Larger ones are not read: Chrome hands over a body whole, however little of it is kept.
_READ_BYTES_MAX = 4 * 1024 * 1024
# Bounds of a record: what lies beyond is left out.
_URL_MAX = 16_384
_HEADERS_CHARACTERS_MAX = 65_536


@dataclass(frozen=True)
class Body:
    """`content`: what is kept of it. `size`: of the whole, decoded; None if it was not read."""

    content: bytes = b""
    size: int | None = None
    truncated: bool = False
    evicted: bool = False


@dataclass(frozen=True)
class _Details:
    """What only Chrome knows. `encoded_bytes`: of the body; below 0: nothing came over the wire; None: not known."""

    sent: list[Header]
    received: list[Header]
    encoded_bytes: int | None

    @property
    def wire_bytes(self) -> int:
        return max(0, self.encoded_bytes or 0)


class Exchange:
    def __init__(self, request: Request) -> None:
        """As it has ended now, finished or failed."""
        self._request = request
        self._response: Response | None = request.existing_response
        self.ended_at = utc_now()

    @property
    def url(self) -> str:
        return self._request.url

    @property
    def resource_type(self) -> str:
        return self._request.resource_type

    @property
    def mime_type(self) -> str:
        """As the header has it; empty if there is none."""
        return self._response.headers.get("content-type", "") if self._response else ""

    async def captured(
        self, *, body_limit: int, expires_at: datetime, reading: asyncio.Semaphore
    ) -> tuple[CapturedResponse, bytes]:
        """The record, and the bytes that are kept of the body. `reading`: held while Chrome hands over a body."""
        details = await self._details()
        async with reading:
            body = await self._body(details, body_limit)
        return self._record(details, body, expires_at), body.content

    async def _details(self) -> _Details:
        try:
            async with asyncio.timeout(_DETAILS_SECONDS):
                sent = await self._request.headers_array()
                if self._response is None:
                    return _Details(_headers(sent), [], 0)
                received = await self._response.headers_array()
                sizes = await self._request.sizes()
                return _Details(_headers(sent), _headers(received), sizes["responseBodySize"])
        except (PlaywrightError, TimeoutError):
            return self._details_at_hand()

    def _details_at_hand(self) -> _Details:
        """Its page is gone: Playwright itself has all but the headers that Chrome added last."""
        received = _pairs(self._response.headers) if self._response else []
        return _Details(_headers(_pairs(self._request.headers)), _headers(received), None)

    def _has_body(self, details: _Details) -> bool:
        response = self._response
        if response is None or self._request.failure is not None or self._request.method == "HEAD":
            return False
        return details.encoded_bytes != 0 and not 300 <= response.status <= 399

    async def _body(self, details: _Details, limit: int) -> Body:
        if self._response is None or limit == 0 or not self._has_body(details):
            return Body()
        if details.wire_bytes > _READ_BYTES_MAX:
            return Body(truncated=True)
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                whole = await self._response.body()
        except (PlaywrightError, TimeoutError):
            # "No resource with given identifier" and its like: Chrome keeps bodies for a while only.
            return Body(evicted=True)
        return Body(whole[:limit], size=len(whole), truncated=len(whole) > limit)

    def _record(self, details: _Details, body: Body, expires_at: datetime) -> CapturedResponse:
        request, response = self._request, self._response
        from_service_worker = bool(response and response.from_service_worker)
        return CapturedResponse(
            id=new_id("rsp"),
            started_date_time=self._started_at(),
            expires_at=expires_at,
            time=max(0, _round(request.timing["responseEnd"])),
            request=RequestSent(
                method=request.method,
                url=request.url[:_URL_MAX],
                headers=details.sent,
                body_size=len(request.post_data_buffer or b""),
            ),
            response=self._received(details, body),
            timings=timings(request.timing),
            resource_type=request.resource_type,
            from_cache=(details.encoded_bytes or 0) < 0 and not from_service_worker and request.url.startswith("http"),
            from_service_worker=from_service_worker,
            body_bytes=len(body.content),
            body_truncated=body.truncated,
            body_evicted=body.evicted,
            body_sha256=hashlib.sha256(body.content).hexdigest() if body.content else None,
            failure=request.failure,
        )

    def _received(self, details: _Details, body: Body) -> ResponseReceived:
        location = (header.value for header in details.received if header.name.lower() == "location")
        return ResponseReceived(
            status=self._response.status if self._response else 0,
            status_text=self._response.status_text if self._response else "",
            headers=details.received,
            content=Content(size=details.wire_bytes if body.size is None else body.size, mime_type=self.mime_type),
            redirect_url=next(location, ""),
        )

    def _started_at(self) -> datetime:
        """Of a request without an answer Playwright knows only when it ended."""
        started_ms = self._request.timing["startTime"]
        return datetime.fromtimestamp(started_ms / 1000, UTC) if started_ms > 0 else self.ended_at


def timings(timing: ResourceTiming) -> ResponseTimings:
    """From Playwright's moments in ms since the start, where -1 stands for what did not happen."""
    first_steps = (timing["domainLookupStart"], timing["connectStart"], timing["requestStart"])
    return ResponseTimings(
        blocked=_round(min((moment for moment in first_steps if moment >= 0), default=-1)),
        dns=_between(timing["domainLookupStart"], timing["domainLookupEnd"]),
        connect=_between(timing["connectStart"], timing["connectEnd"]),
        ssl=_between(timing["secureConnectionStart"], timing["connectEnd"]),
        wait=_between(timing["requestStart"], timing["responseStart"]),
        receive=_between(timing["responseStart"], timing["responseEnd"]),
    )


def _between(start: float, end: float) -> float:
    return _round(end - start) if 0 <= start <= end else -1


def _round(milliseconds: float) -> float:
    return round(milliseconds, 1)


def _pairs(headers: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]


def _headers(given: Iterable[Any]) -> list[Header]:
    kept: list[Header] = []
    left = _HEADERS_CHARACTERS_MAX
    for header in given:
        left -= len(header["name"]) + len(header["value"])
        if left < 0:
            break
        kept.append(Header(name=header["name"], value=header["value"]))
    return kept
