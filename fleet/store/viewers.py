"""Who watches which session, over all replicas of the API: leases that end by themselves, never ++ and --."""

from collections.abc import Iterable
from datetime import timedelta

from redis.client import Pipeline

from fleet import keys
from fleet.clock import utc_now
from fleet.errors import ViewerLimitReached
from fleet.models.viewer import Viewer
from fleet.store.connection import RedisClient, script

_LEASE = timedelta(seconds=keys.VIEWER_LEASE_SECONDS)


class ViewerStore:
    def __init__(self, client: RedisClient, *, limit: int) -> None:
        """`limit`: of all sessions together."""
        self._client = client
        self.limit = limit
        self._claim = script(client, "claim_lease")

    def join(self, viewer: Viewer) -> None:
        """Raises ViewerLimitReached."""
        args: list[str | int] = [_now_ms(), viewer.id, _lease_end_ms(), self.limit]
        if not self._claim(keys=[keys.VIEWERS], args=args):
            raise self._full()
        with self._client.pipeline(transaction=False) as batch:
            self._keep_of_session(batch, viewer)
            batch.publish(keys.session_news(viewer.session_id), keys.NEWS_VIEWERS)
            batch.execute()

    def check_room(self) -> None:
        """Raises ViewerLimitReached if one more could not join."""
        if self.count() >= self.limit:
            raise self._full()

    def _full(self) -> ViewerLimitReached:
        message = f"{self.limit} viewers are watching, as many as may. Try again when one has left."
        return ViewerLimitReached(message, limit=self.limit)

    def renew(self, viewers: Iterable[Viewer]) -> None:
        """In time: within `keys.VIEWER_LEASE_SECONDS` of the last time."""
        with self._client.pipeline(transaction=False) as batch:
            for viewer in viewers:
                batch.zadd(keys.VIEWERS, {viewer.id: _lease_end_ms()})
                self._keep_of_session(batch, viewer)
            batch.expire(keys.VIEWERS, _LEASE)
            batch.execute()

    def leave(self, viewer: Viewer) -> None:
        with self._client.pipeline(transaction=False) as batch:
            batch.zrem(keys.VIEWERS, viewer.id)
            batch.zrem(keys.session_viewers(viewer.session_id), viewer.model_dump_json())
            batch.publish(keys.session_news(viewer.session_id), keys.NEWS_VIEWERS)
            batch.execute()

    def count(self) -> int:
        return int(self._client.zcount(keys.VIEWERS, f"({_now_ms()}", "+inf"))

    def count_of(self, session_id: str) -> int:
        return int(self._client.zcount(keys.session_viewers(session_id), f"({_now_ms()}", "+inf"))

    def of_sessions(self, session_ids: list[str]) -> dict[str, list[Viewer]]:
        """The viewers of each of them, an empty list if nobody watches."""
        with self._client.pipeline(transaction=False) as batch:
            for session_id in session_ids:
                batch.zrangebyscore(keys.session_viewers(session_id), f"({_now_ms()}", "+inf")
            found = zip(session_ids, batch.execute(), strict=True)
        return {session_id: [Viewer.model_validate_json(one) for one in viewers] for session_id, viewers in found}

    @staticmethod
    def _keep_of_session(batch: Pipeline, viewer: Viewer) -> None:
        key = keys.session_viewers(viewer.session_id)
        batch.zremrangebyscore(key, "-inf", _now_ms())
        batch.zadd(key, {viewer.model_dump_json(): _lease_end_ms()})
        batch.expire(key, _LEASE)


def _now_ms() -> int:
    return int(utc_now().timestamp() * 1000)


def _lease_end_ms() -> int:
    return int((utc_now() + _LEASE).timestamp() * 1000)
