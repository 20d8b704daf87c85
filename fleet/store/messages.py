"""The messages that a worker has in hand: what others must send again if it is lost.

A message that its worker took with it would come back by itself only after the broker's visibility timeout.
"""

import json
from dataclasses import dataclass
from typing import cast

from fleet import keys
from fleet.store.connection import RedisClient


@dataclass(frozen=True)
class Message:
    """`id`: the same whenever it is sent again, which is what makes a second copy harmless. `queue`: then."""

    id: str
    queue: str
    task: str
    argument: str


class MessageStore:
    def __init__(self, client: RedisClient, *, ttl_seconds: int) -> None:
        """`ttl_seconds`: as long as the broker takes to bring a message back by itself."""
        self._client = client
        self._ttl_seconds = ttl_seconds

    def take(self, worker: str, message: Message) -> None:
        with self._client.pipeline(transaction=False) as batch:
            parts = json.dumps([message.queue, message.task, message.argument])
            batch.hset(keys.worker_messages(worker), message.id, parts)
            batch.expire(keys.worker_messages(worker), self._ttl_seconds)
            batch.execute()

    def drop(self, worker: str, message_id: str) -> None:
        self._client.hdel(keys.worker_messages(worker), message_id)

    def in_hand(self, *workers: str) -> list[Message]:
        """Of all of them."""
        with self._client.pipeline(transaction=False) as batch:
            for worker in workers:
                batch.hgetall(keys.worker_messages(worker))
            held = cast("list[dict[str, str]]", batch.execute())
        return [Message(message_id, *json.loads(parts)) for of_one in held for message_id, parts in of_one.items()]
