"""The Redis client, and the one seam where its exceptions become ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis import BlockingConnectionPool
from redis.backoff import ExponentialWithJitterBackoff
from redis.client import Pipeline
from redis.commands.core import Script
from redis.exceptions import (
    BusyLoadingError,
    ConnectionError,  # noqa: A004  # Redis's own, translated below
    OutOfMemoryError,
    ReadOnlyError,
    TimeoutError,  # noqa: A004  # Redis's own, translated below
)
from redis.retry import Retry

from fleet.errors import StoreUnavailable

_LUA = Path(__file__).with_name("lua")
_SOCKET_SECONDS = 5.0
_CONNECTIONS_MAX = 48
_BACKOFF_BASE_SECONDS = 0.05
_BACKOFF_CAP_SECONDS = 2.0


@contextmanager
def translated_errors() -> Iterator[None]:
    try:
        yield
    except OutOfMemoryError as error:
        message = "The store is full, so nothing new can be accepted. Try again later."
        raise StoreUnavailable(message) from error
    except (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError) as error:
        message = "The store does not answer. Try again in a few seconds."
        raise StoreUnavailable(message) from error


class _TranslatingPipeline(Pipeline):
    def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002  # redis-py's signature
        with translated_errors():
            return super().execute(raise_on_error)


class RedisClient(redis.Redis):
    """redis.Redis whose calls raise StoreUnavailable where redis-py's own errors would come."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with translated_errors():
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py's own gap

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:  # noqa: FBT001, FBT002
        return _TranslatingPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


def connect(url: str, *, retries: int) -> RedisClient:
    """A client with its own pool. Nothing is sent before the first command.

    `retries`: how often a command is tried again while Redis is away. An API request gives up at once and
    answers 503; a worker has work in hand and waits for a restart (14 retries: about 20 s).
    """
    backoff = ExponentialWithJitterBackoff(base=_BACKOFF_BASE_SECONDS, cap=_BACKOFF_CAP_SECONDS)
    # A blocking pool: hundreds of waiting clients that are woken at once share these connections in turn.
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS_MAX,
        timeout=_SOCKET_SECONDS,
        decode_responses=True,
        socket_timeout=_SOCKET_SECONDS,
        socket_connect_timeout=_SOCKET_SECONDS,
        health_check_interval=30,
        retry=Retry(backoff, retries=retries),
    )
    return RedisClient.from_pool(pool)  # type: ignore[return-value]  # typed as its base class


def script(client: RedisClient, name: str) -> Script:
    return client.register_script((_LUA / f"{name}.lua").read_text())
