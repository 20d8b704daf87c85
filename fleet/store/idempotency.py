"""First answers by `Idempotency-Key`, for a day."""

import json
from dataclasses import dataclass
from typing import Any, cast

from fleet import keys
from fleet.store.connection import RedisClient

# A request that died between claiming its key and being accepted blocks it for this long.
_CLAIM_SECONDS = 30


@dataclass(frozen=True)
class FirstAnswer:
    """`answer` is None while the first request is still being accepted."""

    request_sha256: str
    answer: dict[str, Any] | None


class IdempotencyStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def claim(self, key_sha256: str, request_sha256: str) -> FirstAnswer | None:
        """None: the key is new and now this request's. Else what is known of the first request."""
        key = keys.idempotency(key_sha256)
        claim = json.dumps({"request_sha256": request_sha256, "answer": None})
        first = cast("str | None", self._client.set(key, claim, nx=True, ex=_CLAIM_SECONDS, get=True))
        return FirstAnswer(**json.loads(first)) if first else None

    def keep(self, key_sha256: str, request_sha256: str, answer: dict[str, Any]) -> None:
        record = json.dumps({"request_sha256": request_sha256, "answer": answer})
        self._client.set(keys.idempotency(key_sha256), record, ex=keys.IDEMPOTENCY_SECONDS)

    def forget(self, key_sha256: str) -> None:
        """The first request was refused; the key may be used again."""
        self._client.delete(keys.idempotency(key_sha256))
