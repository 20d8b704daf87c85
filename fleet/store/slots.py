"""Room for sessions on each worker, counted from leases that end by themselves: never from ++ and --."""

from datetime import datetime

from fleet import keys
from fleet.clock import utc_now
from fleet.store.connection import RedisClient, script


class SlotStore:
    def __init__(self, client: RedisClient, *, limit: int) -> None:
        """`limit`: sessions at once on one worker."""
        self._client = client
        self._limit = limit
        self._claim = script(client, "claim_lease")

    def try_claim(self, worker: str, session_id: str, until: datetime) -> bool:
        """Takes a slot, or renews the one that the session has. False: the worker is full."""
        args: list[str | int] = [_milliseconds(utc_now()), session_id, _milliseconds(until), self._limit]
        return bool(self._claim(keys=[keys.slots(worker)], args=args))

    def release(self, worker: str, session_id: str) -> None:
        self._client.zrem(keys.slots(worker), session_id)

    def holders(self, worker: str) -> list[str]:
        """Ids of the sessions that have a slot now."""
        now = _milliseconds(utc_now())
        return [str(holder) for holder in self._client.zrangebyscore(keys.slots(worker), f"({now}", "+inf")]

    def has_room(self, worker: str) -> bool:
        now = _milliseconds(utc_now())
        return int(self._client.zcount(keys.slots(worker), f"({now}", "+inf")) < self._limit


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
