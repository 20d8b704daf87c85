"""Artifact records: what `GET /api/artifacts/{id}` needs to find and describe the bytes; and who sweeps the bytes."""

from datetime import datetime, timedelta
from typing import cast

from fleet import keys
from fleet.clock import utc_now
from fleet.models.artifact import Artifact, StoredArtifact
from fleet.store.connection import RedisClient, script

_SWEEPERS = 1


class ArtifactRecordStore:
    def __init__(self, client: RedisClient, *, ttl_seconds: int) -> None:
        self._client = client
        self._ttl_seconds = ttl_seconds
        self._claim = script(client, "claim_lease")

    def put(self, stored: StoredArtifact) -> None:
        self._client.set(keys.artifact(stored.artifact.id), stored.model_dump_json(), ex=self._ttl_seconds)

    def get(self, artifact_id: str) -> StoredArtifact | None:
        record = cast("str | None", self._client.get(keys.artifact(artifact_id)))
        return StoredArtifact.model_validate_json(record) if record else None

    def get_many(self, artifact_ids: list[str]) -> dict[str, Artifact]:
        """By their ids, those that have not expired."""
        with self._client.pipeline(transaction=False) as batch:
            for artifact_id in artifact_ids:
                batch.get(keys.artifact(artifact_id))
            records = [StoredArtifact.model_validate_json(record) for record in batch.execute() if record]
        return {stored.artifact.id: stored.artifact for stored in records}

    def claim_sweep(self, worker: str) -> bool:
        """Whether this worker is the one that sweeps, for the next `keys.SWEEPER_LEASE_SECONDS`."""
        now = utc_now()
        lease_end = now + timedelta(seconds=keys.SWEEPER_LEASE_SECONDS)
        args: list[str | int] = [_as_ms(now), worker, _as_ms(lease_end), _SWEEPERS]
        return bool(self._claim(keys=[keys.ARTIFACT_SWEEPER], args=args))


def _as_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
