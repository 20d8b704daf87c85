"""Sessions: the TTL of the key is the session's life. Every use renews it, here and nowhere else."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any, cast

from redis.client import Pipeline
from redis.exceptions import ResponseError

from fleet import keys
from fleet.clock import utc_now
from fleet.errors import SessionBusy
from fleet.models.script import Script
from fleet.models.session import EndReason, Session, SessionEnd, SessionState
from fleet.store.connection import RedisClient, script
from fleet.store.index import Cursor, Page, read_page
from fleet.store.responses import microseconds

_EVENTS = "notify-keyspace-events"
_BUSY_RETRY_SECONDS = 2


@dataclass(frozen=True)
class _Use:
    """What comes with a use of a session, beside fields of its record."""

    job_id: str = ""
    # Jobs that are still on the list but will not run (any more).
    done_jobs: int = 0
    waiting_limit: int = 0


class SessionStore:
    def __init__(self, client: RedisClient, *, job_seconds: int, on_end: Callable[[EndReason], None]) -> None:
        """`job_seconds`: what one job may take; a session with jobs on its list is not idle for so long each."""
        self._client = client
        self._on_end = on_end
        self._job_ms = job_seconds * 1000
        self._create = script(client, "create_session")
        self._use = script(client, "use_session")
        self._end = script(client, "end_session")
        self._note_memory = script(client, "note_session_memory")

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

    def dies_at(self, session_id: str) -> datetime | None:
        """When max_lifetime ends the session at the latest; None if it has ended."""
        moment = cast("str | None", self._client.hget(keys.session(session_id), "dies_at"))
        return _moment(moment) if moment else None

    def options(self, session_id: str) -> str | None:
        return cast("str | None", self._client.get(keys.session_options(session_id)))

    def add_job(
        self, session_id: str, job_id: str, *, waiting_limit: int = 0
    ) -> tuple[SessionState, str | None] | None:
        """Appends the job and renews the session in one step; None if the session has ended.

        Raises SessionBusy if as many jobs wait as `waiting_limit` (0: any number) allows.
        """
        return self._renew(session_id, _Use(job_id=job_id, waiting_limit=waiting_limit))

    def hold(self, session_id: str) -> tuple[SessionState, str | None] | None:
        """A job starts: the session outlives it, but never its own max_lifetime. None: it has ended."""
        return self._renew(session_id, _Use())

    def renew(self, session_id: str, **fields: Any) -> bool:
        """A job ends: the idle time starts anew, unless more jobs wait. `fields` become part of the record.

        False: the session has ended.
        """
        return self._renew(session_id, _Use(done_jobs=1), **fields) is not None

    def use(self, session_id: str, **fields: Any) -> bool:
        """A client's use beside the jobs. `fields` as in `renew`."""
        return self._renew(session_id, _Use(), **fields) is not None

    def _renew(self, session_id: str, use: _Use, **fields: Any) -> tuple[SessionState, str | None] | None:
        found = self._run_use(session_id, use, **fields)
        if not found:
            return None
        if found == "busy":
            message = f"{use.waiting_limit} jobs of this session wait already. Try again when some are done."
            raise SessionBusy(message, retry_after=_BUSY_RETRY_SECONDS)
        state, worker = found
        return SessionState(state), worker or None

    def use_in(self, batch: Pipeline, session_id: str) -> None:
        """Makes the batch a use of the session; its result there is false if the session has ended."""
        self._run_use(session_id, _Use(), client=batch)

    def _run_use(self, session_id: str, use: _Use, *, client: Pipeline | None = None, **fields: Any) -> Any:
        pairs = [part for name, value in fields.items() if value is not None for part in (name, value)]
        return self._use(
            keys=[
                keys.session(session_id),
                keys.session_options(session_id),
                keys.session_jobs(session_id),
                keys.session_grave(session_id),
                keys.session_scripts(session_id),
                keys.session_checkpoint(session_id),
            ],
            args=[
                _milliseconds(utc_now()), keys.GRAVE_SECONDS, self._job_ms, use.done_jobs, use.job_id,
                use.waiting_limit, *pairs,
            ],
            client=client,
        )  # fmt: skip

    def note_memory(self, session_id: str, memory_bytes: int) -> bool:
        """Into its record, without being a use of the session. False: it has ended."""
        return bool(self._note_memory(keys=[keys.session(session_id)], args=[memory_bytes]))

    def end(self, session_id: str, reason: EndReason) -> bool:
        """False if it had ended before."""
        ended = self._end(
            keys=[
                keys.session(session_id),
                keys.session_options(session_id),
                keys.session_grave(session_id),
                keys.session_responses(session_id),
                keys.session_scripts(session_id),
                keys.session_checkpoint(session_id),
            ],
            args=[reason.value, _milliseconds(utc_now()), keys.GRAVE_SECONDS],
        )
        with self._client.pipeline(transaction=False) as batch:
            batch.zrem(keys.SESSION_INDEX, session_id)
            batch.publish(keys.session_news(session_id), keys.NEWS_ENDED)
            batch.zadd(keys.WEBHOOKS_EXPECTED, {session_id: 0}, xx=True)
            batch.execute()
        if ended:
            self._on_end(reason)
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

    def remaining(self, session_ids: list[str]) -> dict[str, float]:
        """Seconds that are left to those of them that have not ended."""
        with self._client.pipeline(transaction=False) as batch:
            for session_id in session_ids:
                batch.pttl(keys.session(session_id))
            answers = zip(session_ids, batch.execute(), strict=True)
            return {session_id: ttl_ms / 1000 for session_id, ttl_ms in answers if ttl_ms > 0}

    def workers_of(self, session_ids: list[str]) -> dict[str, str | None]:
        """Which worker holds each of them that has not ended; None: nobody, now."""
        with self._client.pipeline(transaction=False) as batch:
            for session_id in session_ids:
                batch.hmget(keys.session(session_id), "id", "worker")
            return {found[0]: found[1] for found in batch.execute() if found[0]}

    def ensure_expiry_is_told(self) -> bool:
        """Has Redis publish which keys expire. False: it does not let itself be configured; the sweep remains."""
        try:
            flags = str(self._client.config_get(_EVENTS)[_EVENTS])
            if not ({"K"} <= set(flags) and {"x", "A"} & set(flags)):
                self._client.config_set(_EVENTS, "".join(sorted({*flags, "K", "x"})))
        except ResponseError:
            return False
        return True

    def newest(self, *, limit: int, cursor: Cursor | None) -> Page[Session]:
        return read_page(self._client, keys.SESSION_INDEX, self._get_many, limit=limit, cursor=cursor)

    def _get_many(self, session_ids: list[str]) -> list[Session | None]:
        with self._client.pipeline(transaction=False) as batch:
            for session_id in session_ids:
                batch.hgetall(keys.session(session_id))
                batch.pttl(keys.session(session_id))
                batch.zcount(keys.session_responses(session_id), microseconds(utc_now()), "+inf")
                batch.llen(keys.session_scripts(session_id))
            answers = batch.execute()
        return [_session(*of_one) for of_one in zip(*(answers[part::4] for part in range(4)), strict=True)]


def _session(fields: dict[str, str], ttl_ms: int, responses: int, scripts: int) -> Session | None:
    if not fields or ttl_ms < 0:
        return None
    now = _milliseconds(utc_now())
    if fields["state"] == SessionState.PENDING:
        # Its idle time has not begun to run.
        ttl_ms = min(ttl_ms, int(fields["ttl"]) * 1000)
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
        responses=responses,
        scripts=scripts,
        memory_bytes=int(fields["memory_bytes"]) if "memory_bytes" in fields else None,
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(milliseconds: str | float) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
