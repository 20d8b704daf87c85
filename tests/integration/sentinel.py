"""A master, a replica, and a sentinel that makes the one take over from the other."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from urllib.parse import quote

import redis

from tests.integration.redis_server import RedisServer, free_port
from tests.polling import eventually

MASTER = "fleet"


class WatchedRedis:
    def __init__(self, port: int, password: str) -> None:
        self._sentinel = redis.Redis(port=port, decode_responses=True)
        self.url = f"redis+sentinel://:{quote(password, safe='')}@127.0.0.1:{port}/{MASTER}/3"

    @property
    def master(self) -> tuple[str, int]:
        return cast("tuple[str, int]", self._sentinel.sentinel_get_master_addr_by_name(MASTER))

    def fail_over(self) -> None:
        """Returns when another one is the master."""
        before = self.master
        eventually(lambda: self._sentinel.sentinel_slaves(MASTER), seconds=30)
        eventually(self._has_begun, seconds=30)
        eventually(lambda: self.master != before, seconds=60)

    def _has_begun(self) -> bool:
        try:
            return bool(self._sentinel.sentinel_failover(MASTER))
        except redis.ResponseError:
            # The replica is not known for a good one yet.
            return False


@contextmanager
def watched_redis(folder: Path, password: str) -> Iterator[WatchedRedis]:
    servers = [RedisServer(folder / name) for name in ("a", "b")]
    sentinel: subprocess.Popen[bytes] | None = None
    try:
        for server, name in zip(servers, ("a", "b"), strict=True):
            (folder / name).mkdir()
            server.start()
            with redis.Redis(port=server.port) as one:
                one.config_set("masterauth", password)
                one.config_set("requirepass", password)
        with redis.Redis(port=servers[1].port, password=password) as replica:
            replica.replicaof("127.0.0.1", str(servers[0].port))
        port = free_port()
        config = folder / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor {MASTER} 127.0.0.1 {servers[0].port} 1\n"
            f"sentinel auth-pass {MASTER} {password}\nsentinel down-after-milliseconds {MASTER} 60000\n"
        )
        sentinel = subprocess.Popen(
            ["redis-server", config, "--sentinel"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with redis.Redis(port=port) as asked:
            eventually(lambda: _answers(asked), seconds=30)
        yield WatchedRedis(port, password)
    finally:
        if sentinel is not None:
            sentinel.terminate()
            sentinel.wait(10)
        for server in servers:
            server.stop()


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
