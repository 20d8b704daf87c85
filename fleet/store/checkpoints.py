"""The newest checkpoint of each session. It holds secrets, and lives exactly as long as its session."""

from typing import cast

from fleet import keys
from fleet.models.checkpoint import Checkpoint
from fleet.store.connection import RedisClient, script


class CheckpointStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._keep = script(client, "keep_checkpoint")

    def keep(self, session_id: str, worker: str, checkpoint: Checkpoint) -> bool:
        """False: the session has ended, or `worker` does not hold it any more."""
        names = [keys.session(session_id), keys.session_checkpoint(session_id)]
        return bool(self._keep(keys=names, args=[worker, checkpoint.model_dump_json()]))

    def get(self, session_id: str) -> Checkpoint | None:
        """None: nothing has been done in the session that is not in its options."""
        found = cast("str | None", self._client.get(keys.session_checkpoint(session_id)))
        return Checkpoint.model_validate_json(found) if found else None
