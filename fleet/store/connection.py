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
from redis.sentinel import Sentinel, SentinelConnectionPoolProxy, SentinelManagedConnection

from fleet.errors import StoreUnavailable
from fleet.redis_address import RedisBySentinels

_LUA = Path(__file__).with_name("lua")
_SOCKET_SECONDS = 5.0
# The next one is asked after that.
_SENTINEL_SECONDS = 1.0
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


class _SentinelPool(BlockingConnectionPool):
    """Each new connection asks the sentinels where the master is; redis-py's own such pool does not block."""

    def __init__(self, known: RedisBySentinels, **options: Any) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # redis-py's own gap
            connection_class=SentinelManagedConnection,
            db=known.database,
            username=known.user,
            password=known.password,
            **options,
        )
        sentinels = Sentinel(
            known.sentinels, socket_timeout=_SENTINEL_SECONDS, socket_connect_timeout=_SENTINEL_SECONDS
        )
        self.connection_kwargs["connection_pool"] = SentinelConnectionPoolProxy(
            self, is_master=True, check_connection=False, service_name=known.master, sentinel_manager=sentinels
        )


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
    options: dict[str, Any] = _options(retries)
    known = RedisBySentinels.parse(url)
    pool = BlockingConnectionPool.from_url(url, **options) if known is None else _SentinelPool(known, **options)
    return RedisClient.from_pool(pool)  # type: ignore[return-value]  # typed as its base class


def _options(retries: int) -> dict[str, Any]:
    backoff = ExponentialWithJitterBackoff(base=_BACKOFF_BASE_SECONDS, cap=_BACKOFF_CAP_SECONDS)
    return {
        # A blocking pool: hundreds of waiting clients that are woken at once share these connections in turn.
        "max_connections": _CONNECTIONS_MAX,
        "timeout": _SOCKET_SECONDS,
        "decode_responses": True,
        "socket_timeout": _SOCKET_SECONDS,
        "socket_connect_timeout": _SOCKET_SECONDS,
        "health_check_interval": 30,
        "retry": Retry(backoff, retries=retries),
    }


def script(client: RedisClient, name: str) -> Script:
    return client.register_script((_LUA / f"{name}.lua").read_text())
