"""What a user does with the fleet of the compose file, from its first request to its last."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from zipfile import ZipFile

import httpx
from websockets.sync.client import connect

from tests.containers.stack import SITE, Stack
from tests.polling import eventually

_SECONDS = 60


def test_once_it_is_up_it_is_ready(stack: Stack) -> None:
    assert httpx.get(f"{stack.address('api', 8080)}/readyz").json() == {
        "status": "ok",
        "ok": ["redis", "workers", "storage"],
        "failing": {},
    }


def test_without_a_key_nobody_gets_anything(stack: Stack) -> None:
    url = stack.address("api", 8080)
    answers = [httpx.get(url + path).status_code for path in ("/api/sessions", "/api/status", "/metrics")]
    assert answers == [401] * 3
    assert httpx.get(f"{stack.address('flower', 5555)}/workers").status_code == 401


def test_an_artifact_that_a_worker_wrote_is_served_by_the_api(api: httpx.Client) -> None:
    body = {"url": f"{SITE}/table", "outputs": [{"kind": "screenshot"}, {"kind": "pdf"}]}
    job = api.post("/api/captures?wait=60", json=body).json()["job"]
    assert job["state"] == "succeeded", job["error"]
    artifacts = job["result"]["artifacts"]
    contents = [api.get(artifact["url"]).content for artifact in artifacts]
    assert [content[:4] for content in contents] == [b"\x89PNG", b"%PDF"]
    assert [hashlib.sha256(content).hexdigest() for content in contents] == [one["sha256"] for one in artifacts]


def test_more_sessions_than_two_workers_hold_are_on_three_and_all_of_them_capture(
    stack: Stack, api: httpx.Client
) -> None:
    stack.scale(3)

    def capture_in_a_session(number: int) -> tuple[str, str]:
        session = api.post("/api/sessions?wait=90", json={"metadata": {"number": str(number)}}).json()["session"]
        body = {"url": f"{SITE}/?number={number}"}
        job = api.post(f"/api/sessions/{session['id']}/captures?wait=90", json=body).json()["job"]
        return job["worker"], job["state"]

    with ThreadPoolExecutor(6) as clients:
        done = list(clients.map(capture_in_a_session, range(21)))
    assert [state for _, state in done] == ["succeeded"] * 21
    assert len({worker for worker, _ in done}) == 3


def test_a_session_that_nobody_uses_ends(api: httpx.Client) -> None:
    session = api.post("/api/sessions?wait=60", json={"ttl": 1}).json()["session"]["id"]
    eventually(lambda: api.get(f"/api/sessions/{session}").status_code == 410, seconds=_SECONDS)
    error = api.get(f"/api/sessions/{session}").json()["error"]
    assert error["details"]["end_reason"] == "idle"


def test_a_batch_ends_with_an_archive_of_all_that_was_captured(api: httpx.Client) -> None:
    urls = [f"{SITE}/?item={number}" for number in range(12)]
    batch = f"/api/batches/{api.post('/api/batches', json={'urls': urls}).json()['batch']['id']}"
    eventually(lambda: api.get(batch).json()["state"] == "ended", seconds=120)
    assert api.get(batch).json()["counts"]["succeeded"] == 12
    with ZipFile(BytesIO(api.get(f"{batch}/archive").content)) as archive:
        lines = [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]
        pictures = [archive.read(artifact["file"]) for line in lines for artifact in line["artifacts"]]
    assert [line["url"] for line in lines] == urls
    assert [picture[:4] for picture in pictures] == [b"\x89PNG"] * 12


def test_a_session_can_be_watched_live(stack: Stack, api: httpx.Client) -> None:
    session = api.post("/api/sessions?wait=60", json={"url": SITE}).json()["session"]["id"]
    url = stack.address("api", 8080).replace("http", "ws", 1)
    with connect(
        f"{url}/api/sessions/{session}/stream?frames=1",
        additional_headers={"Authorization": f"Bearer {stack.key}"},
        open_timeout=_SECONDS,
    ) as stream:
        api.post(f"/api/sessions/{session}/captures", json={"url": f"{SITE}/gallery"})
        frames, events = 0, set()
        while not (frames and "job" in events):
            message = stream.recv(timeout=_SECONDS)
            if isinstance(message, bytes):
                frames += 1
            else:
                events.add(json.loads(message)["type"])


def test_flower_shows_all_workers_to_whoever_has_its_password(stack: Stack, api: httpx.Client) -> None:
    user, password = stack.secret("FLEET_FLOWER_AUTH").split(":")
    workers = {worker["name"] for worker in api.get("/api/workers").json()["workers"]}
    flower = stack.address("flower", 5555)

    def all_are_shown() -> bool:
        page = httpx.get(f"{flower}/workers", auth=(user, password), timeout=30).text
        return all(worker in page for worker in workers)

    assert len(workers) == 3
    eventually(all_are_shown, seconds=_SECONDS)


def test_prometheus_finds_the_api_and_every_worker_and_has_the_rules(stack: Stack) -> None:
    stack.scale(3)
    stack.compose("up", "--detach", "--wait", "--no-deps", "prometheus")
    prometheus = f"{stack.address('prometheus', 9090)}/api/v1"

    def healthy() -> list[str]:
        targets = httpx.get(f"{prometheus}/targets").json()["data"]["activeTargets"]
        return sorted(target["labels"]["job"] for target in targets if target["health"] == "up")

    eventually(lambda: healthy() == ["fleet-api", *["fleet-worker"] * 3], seconds=120)
    rules = httpx.get(f"{prometheus}/rules").json()["data"]["groups"]
    assert "FleetChromeDown" in {rule["name"] for group in rules for rule in group["rules"]}
    up = httpx.get(f"{prometheus}/query", params={"query": "sum(fleet_worker_chrome_up)"}).json()["data"]["result"]
    assert up[0]["value"][1] == "3"
