"""A big artifact through a real API: it passes through, and does not lie in the API's memory."""

import hashlib
from pathlib import Path

import httpx
import psutil
import pytest

from fleet.artifacts.storage import open_storage
from fleet.settings import Settings
from fleet.store import Store
from tests.integration.as_worker import keep_artifact
from tests.integration.worker.api_process import Api

_MIB = 2**20
_SIZE = 64 * _MIB
# What the API may take besides: buffers of the reader, of the server, of the allocator.
_ALLOWANCE = 32 * _MIB


def memory_of(api: Api) -> int:
    parent = psutil.Process(api.pid)
    return sum(process.memory_info().rss for process in [parent, *parent.children(recursive=True)])


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_it_takes_little_memory_of_the_api(
    request: pytest.FixtureRequest, store: Store, settings: Settings, tmp_path: Path, kind: str
) -> None:
    url = request.getfixturevalue("s3_url") if kind == "s3" else settings.artifacts_url
    content = hashlib.shake_128(b"big").digest(_SIZE)
    storage = open_storage(url)
    small, big = keep_artifact(store, storage, b"small"), keep_artifact(store, storage, content)
    given = Settings(redis_url=settings.redis_url, artifacts_url=url, api_threads=8)
    received, most = hashlib.sha256(), 0
    with Api(given, tmp_path) as api:
        assert api.get(small.url).content == b"small"
        before = memory_of(api)
        with httpx.stream("GET", f"{api.url}{big.url}", timeout=90, trust_env=False) as answer:
            for number, piece in enumerate(answer.iter_bytes(_MIB)):
                received.update(piece)
                if number % 8 == 0:
                    most = max(most, memory_of(api))

    assert received.hexdigest() == big.sha256
    assert most - before < _ALLOWANCE
