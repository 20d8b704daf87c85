import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.polling import eventually
from tests.system.conftest import start_fleet
from tests.system.processes import wait_for_exit


def test_ctrl_c_ends_the_fleet_and_leaves_no_process(tmp_path: Path) -> None:
    fleet = start_fleet(tmp_path)
    try:
        httpx.post(f"{fleet.url}/api/sessions?wait=30", json={}, timeout=60).raise_for_status()
        fleet.launched.interrupt()
        assert wait_for_exit(fleet.launched, 60) == 0
        assert fleet.launched.living() == {}
    finally:
        fleet.launched.kill_all()


def test_a_killed_launcher_takes_the_fleet_with_it(tmp_path: Path) -> None:
    fleet = start_fleet(tmp_path)
    try:
        os.kill(fleet.launched.process.pid, signal.SIGKILL)
        fleet.launched.process.wait(10)
        eventually(lambda: fleet.launched.living() == {}, seconds=45)
    finally:
        fleet.launched.kill_all()


def test_a_job_that_was_accepted_before_ctrl_c_is_done_after_the_next_start(tmp_path: Path, site: str) -> None:
    first = start_fleet(tmp_path)
    try:
        jobs = [
            httpx.post(f"{first.url}/api/captures", json={"url": f"{site}/article"}, timeout=30).json()["job"]["id"]
            for _ in range(12)
        ]
        first.launched.interrupt()
        wait_for_exit(first.launched, 60)
    finally:
        first.launched.kill_all()
    second = start_fleet(tmp_path)
    try:
        ended = [httpx.get(f"{second.url}/api/jobs/{job}?wait=60", timeout=90).json()["state"] for job in jobs]
    finally:
        second.launched.kill_all()
    assert ended == ["succeeded"] * len(jobs)


def test_clients_that_wait_are_answered_when_the_shutdown_begins(tmp_path: Path) -> None:
    fleet = start_fleet(tmp_path)
    try:
        slow = {"html": "<title>slow</title>", "wait_for_timeout": 8_000}
        with ThreadPoolExecutor(1) as client:
            waiting = client.submit(httpx.post, f"{fleet.url}/api/captures?wait=90", json=slow, timeout=90)
            eventually(lambda: httpx.get(f"{fleet.url}/api/jobs").json()["jobs"] != [], seconds=30)
            fleet.launched.interrupt()
            answer = waiting.result()
        wait_for_exit(fleet.launched, 60)
    finally:
        fleet.launched.kill_all()
    assert answer.status_code == 202
    assert answer.json()["job"]["state"] in ("queued", "running")
