"""The newest captured responses of each session, each for a while: an index, and a record and a body of each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from redis.client import NEVER_DECODE

from fleet import keys
from fleet.clock import utc_now
from fleet.models.response import CapturedResponse
from fleet.store.connection import RedisClient, script
from fleet.store.index import Cursor, Page, read_page


@dataclass(frozen=True)
class ResponseWithBody:
    """`body` empty: none was kept."""

    response: CapturedResponse
    body: bytes


class ResponseStore:
    def __init__(self, client: RedisClient, *, limit: int, ttl_seconds: int) -> None:
        self._client = client
        self.limit = limit
        self.ttl = timedelta(seconds=ttl_seconds)
        self._add = script(client, "add_responses")
        self._clear = script(client, "clear_responses")

    def add(self, session_id: str, captured: list[ResponseWithBody]) -> bool:
        """Keeps them until their `expires_at`, and of the session's only the newest. False if it has ended."""
        names = [keys.session(session_id), keys.session_responses(session_id)]
        args: list[str | int | bytes] = [self.limit, microseconds(utc_now())]
        for one in captured:
            response = one.response
            names += [
                keys.session_response(session_id, response.id),
                keys.session_response_body(session_id, response.id),
            ]
            args += [response.id, microseconds(response.expires_at), response.model_dump_json(), one.body]
        return self._add(keys=names, args=args) is not None

    def newest(
        self, session_id: str, wanted: Callable[[CapturedResponse], bool], *, limit: int, cursor: Cursor | None
    ) -> Page[CapturedResponse]:
        """At most `limit` of those that are wanted."""
        found = read_page(
            self._client,
            keys.session_responses(session_id),
            lambda ids: self._get_many(session_id, ids),
            limit=self.limit,
            cursor=cursor,
        )
        entries = [response for response in found.entries if wanted(response)]
        return Page(entries[:limit], _cursor(entries[limit - 1]) if len(entries) > limit else None)

    def get(self, session_id: str, response_id: str) -> CapturedResponse | None:
        return self._get_many(session_id, [response_id])[0]

    def body(self, session_id: str, response_id: str) -> bytes | None:
        key = keys.session_response_body(session_id, response_id)
        return cast("bytes | None", self._client.execute_command("GET", key, **{NEVER_DECODE: True}))

    def counts(self, session_ids: list[str]) -> dict[str, int]:
        with self._client.pipeline(transaction=False) as batch:
            for session_id in session_ids:
                batch.zcount(keys.session_responses(session_id), microseconds(utc_now()), "+inf")
            return dict(zip(session_ids, batch.execute(), strict=True))

    def clear(self, session_id: str) -> int:
        """How many there were."""
        return int(self._clear(keys=[keys.session_responses(session_id)], args=[microseconds(utc_now())]))

    def _get_many(self, session_id: str, response_ids: list[str]) -> list[CapturedResponse | None]:
        with self._client.pipeline(transaction=False) as batch:
            for response_id in response_ids:
                batch.get(keys.session_response(session_id, response_id))
            return [CapturedResponse.model_validate_json(record) if record else None for record in batch.execute()]


def microseconds(moment: datetime) -> int:
    """The scores of the index: when a response ends."""
    return round(moment.timestamp() * 1_000_000)


def _cursor(response: CapturedResponse) -> Cursor:
    return Cursor(float(microseconds(response.expires_at)), response.id)
