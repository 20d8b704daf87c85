"""Storage states on their way from a worker to the request that asked: secrets, read once, gone within a minute."""

from typing import cast

from fleet import keys
from fleet.store.connection import RedisClient


class StorageStateStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def hand_over(self, job_id: str, state_json: str) -> None:
        self._client.set(keys.job_storage_state(job_id), state_json, ex=keys.STORAGE_STATE_SECONDS)

    def take(self, job_id: str) -> str | None:
        """The state, which nobody can read again; None: it was not fetched in time."""
        return cast("str | None", self._client.getdel(keys.job_storage_state(job_id)))
