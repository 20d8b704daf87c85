"""Real APIs with real sockets, over a store in which the test plays the host."""

from collections.abc import Callable, Iterator

import pytest

from fleet.clock import utc_now
from fleet.settings import Settings
from fleet.store import Store
from tests.factories import a_worker_report
from tests.integration.as_worker import open_session
from tests.integration.redis_server import RedisServer
from tests.integration.stream.viewer import Viewer
from tests.integration.worker.api_process import Api

VIEWER_LIMIT = 5


@pytest.fixture(scope="package")
def api_settings(shared_redis: RedisServer) -> Settings:
    """Of all replicas."""
    return Settings.model_validate(
        {
            "redis_url": shared_redis.url,
            "session_rate": "1000/minute",
            "viewer_limit": VIEWER_LIMIT,
            "secret_key": "a secret that all replicas share",
        }
    )


@pytest.fixture(scope="package")
def shared_api(api_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with Api(api_settings, tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="package")
def other_api(api_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A second replica."""
    with Api(api_settings, tmp_path_factory.mktemp("other")) as running:
        yield running


@pytest.fixture
def own_api(
    api_settings: Settings, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """One that the test may end."""
    with Api(api_settings, tmp_path_factory.mktemp("own")) as running:
        yield running


@pytest.fixture
def api(shared_api: Api, redis_server: RedisServer) -> Api:
    """Over an empty store."""
    return shared_api


@pytest.fixture
def session_id(api: Api, store: Store) -> str:
    """Of a session that a worker holds."""
    store.workers.renew(a_worker_report(reported_at=utc_now()))
    answer = api.post("/api/sessions", {}).json()
    session_id: str = answer["session"]["id"]
    open_session(store, session_id, answer["job"]["id"])
    return session_id


Watch = Callable[..., Viewer]


@pytest.fixture
def watch(api: Api, session_id: str) -> Iterator[Watch]:
    """Opens a stream of the session; parameters are those of the query."""
    opened: list[Viewer] = []

    def open_one(at: Api = api, **query: str | int) -> Viewer:
        opened.append(viewer := Viewer(at, session_id, **query))
        return viewer

    yield open_one
    for viewer in opened:
        viewer.close()
