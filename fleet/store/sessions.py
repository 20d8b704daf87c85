"""Sessions: the TTL of the key is the session's life. Every use renews it, here and nowhere else."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Any, cast

from redis.client import Pipeline

from fleet import keys
from fleet.clock import utc_now
from fleet.models.script import Script
from fleet.models.session import EndReason, Session, SessionEnd, SessionState
from fleet.store.connection import RedisClient, script
from fleet.store.index import Cursor, Page, read_page

# As the least life that a use leaves: a client's use must not shorten what a running job holds.
_AS_IT_HAS = -1


class SessionStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._create = script(client, "create_session")
        self._use = script(client, "use_session")
        self._end = script(client, "end_session")

    def create(  # noqa: PLR0913  # one record's worth of facts, all by name
        self,
        session_id: str,
        *,
        ttl: int,
        max_lifetime: int,
        metadata: dict[str, str],
        options_json: str,
        job_id: str,
        scripts: Sequence[Script] = (),
    ) -> None:
        """Keeps a pending session with its creation as the first job. `ttl`, `max_lifetime` in seconds."""
        now = _milliseconds(utc_now())
        args: list[str | int] = [
            session_id, now, ttl, max_lifetime, json.dumps(metadata), options_json, job_id, keys.GRAVE_SECONDS,
            *(script.model_dump_json() for script in scripts),
        ]  # fmt: skip
        self._create(
            keys=[
                keys.session(session_id),
                keys.session_options(session_id),
                keys.session_jobs(session_id),
                keys.session_grave(session_id),
                keys.session_scripts(session_id),
            ],
            args=args,
        )
        with self._client.pipeline(transaction=False) as batch:
            batch.zadd(keys.SESSION_INDEX, {session_id: now})
            batch.zremrangebyscore(keys.SESSION_INDEX, "-inf", now - keys.INDEX_SECONDS * 1000)
            batch.expire(keys.SESSION_INDEX, keys.INDEX_SECONDS)
            batch.execute()

    def get(self, session_id: str) -> Session | None:
        return self._get_many([session_id])[0]

    def options(self, session_id: str) -> str | None:
        return cast("str | None", self._client.get(keys.session_options(session_id)))

    def add_job(self, session_id: str, job_id: str) -> tuple[SessionState, str | None] | None:
        """Appends the job and renews the session in one step; None if the session has ended."""
        return self._renew(session_id, job_id=job_id, at_least_ms=_AS_IT_HAS)

    def hold(self, session_id: str, *, at_least_seconds: int, **fields: Any) -> bool:
        """A job starts: the session outlives it, but never its own max_lifetime."""
        return self._renew(session_id, at_least_ms=at_least_seconds * 1000, **fields) is not None

    def renew(self, session_id: str, **fields: Any) -> bool:
        """A job has ended: the idle time starts anew. `fields` become part of the record."""
        return self._renew(session_id, **fields) is not None

    def _renew(
        self, session_id: str, *, job_id: str = "", at_least_ms: int = 0, **fields: Any
    ) -> tuple[SessionState, str | None] | None:
        found = self._run_use(session_id, job_id=job_id, at_least_ms=at_least_ms, **fields)
        if not found:
            return None
        state, worker = found
        return SessionState(state), worker or None

    def use_in(self, batch: Pipeline, session_id: str) -> None:
        """Makes the batch a use of the session; its result there is false if the session has ended."""
        self._run_use(session_id, at_least_ms=_AS_IT_HAS, client=batch)

    def _run_use(
        self, session_id: str, *, job_id: str = "", at_least_ms: int = 0, client: Pipeline | None = None, **fields: Any
    ) -> Any:
        pairs = [part for name, value in fields.items() if value is not None for part in (name, value)]
        return self._use(
            keys=[
                keys.session(session_id),
                keys.session_options(session_id),
                keys.session_jobs(session_id),
                keys.session_grave(session_id),
                keys.session_scripts(session_id),
            ],
            args=[_milliseconds(utc_now()), keys.GRAVE_SECONDS, at_least_ms, job_id, *pairs],
            client=client,
        )

    def end(self, session_id: str, reason: EndReason) -> bool:
        """False if it had ended before."""
        ended = self._end(
            keys=[
                keys.session(session_id),
                keys.session_options(session_id),
                keys.session_grave(session_id),
                keys.session_scripts(session_id),
            ],
            args=[reason.value, _milliseconds(utc_now()), keys.GRAVE_SECONDS],
        )
        self._client.zrem(keys.SESSION_INDEX, session_id)
        return bool(ended)

    def ending(self, session_id: str) -> SessionEnd | None:
        """How and when a session ended; None if nothing is remembered of it."""
        grave = cast("dict[str, str]", self._client.hgetall(keys.session_grave(session_id)))
        if not grave:
            return None
        out_of_life = grave["expires_at"] == grave["dies_at"]
        by_ttl = EndReason.MAX_LIFETIME if out_of_life else EndReason.IDLE
        return SessionEnd(
            session_id=session_id,
            end_reason=EndReason(grave.get("end_reason", by_ttl)),
            ended_at=_moment(grave["expires_at"]),
        )

    def alive(self, session_ids: list[str]) -> set[str]:
        """Those of them that have not ended."""
        with self._client.pipeline(transaction=False) as batch:
            for session_id in session_ids:
                batch.exists(keys.session(session_id))
            return {session_id for session_id, exists in zip(session_ids, batch.execute(), strict=True) if exists}

    def newest(self, *, limit: int, cursor: Cursor | None) -> Page[Session]:
        return read_page(self._client, keys.SESSION_INDEX, self._get_many, limit=limit, cursor=cursor)

    def _get_many(self, session_ids: list[str]) -> list[Session | None]:
        with self._client.pipeline(transaction=False) as batch:
            for session_id in session_ids:
                batch.hgetall(keys.session(session_id))
                batch.pttl(keys.session(session_id))
                batch.llen(keys.session_scripts(session_id))
            answers = batch.execute()
        return [_session(*parts) for parts in zip(answers[::3], answers[1::3], answers[2::3], strict=True)]


def _session(fields: dict[str, str], ttl_ms: int, scripts: int) -> Session | None:
    if not fields or ttl_ms < 0:
        return None
    now = _milliseconds(utc_now())
    return Session(
        id=fields["id"],
        state=SessionState(fields["state"]),
        worker=fields.get("worker"),
        generation=int(fields["generation"]),
        created_at=_moment(fields["created_at"]),
        last_used_at=_moment(fields["last_used_at"]),
        expires_at=_moment(now + ttl_ms),
        ttl=ceil(ttl_ms / 1000),
        url=fields.get("url"),
        title=fields.get("title"),
        metadata=json.loads(fields["metadata"]),
        scripts=scripts,
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(milliseconds: str | float) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
