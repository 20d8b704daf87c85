"""Where the API may listen, and what it says of its keys when it starts."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
from pydantic import SecretStr

from fleet.settings import Settings
from tests.integration.redis_server import free_port
from tests.integration.worker.api_process import Api

_START_SECONDS = 60


def test_without_keys_the_api_does_not_listen_beyond_this_machine(settings: Settings) -> None:
    environment = {"FLEET_REDIS_URL": settings.redis_url, "FLEET_BIND": f"0.0.0.0:{free_port()}", "FLEET_API_KEYS": ""}
    ended = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", "python:app.gunicorn_config", "app.wsgi:application"],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=_START_SECONDS,
        check=False,
    )
    assert ended.returncode != 0
    assert b"FLEET_API_KEYS" in ended.stderr


def test_with_keys_it_does(settings: Settings, tmp_path: Path) -> None:
    keyed = settings.model_copy(update={"api_keys": SecretStr("ops:the-key-of-the-operator:admin")})
    with Api(keyed, tmp_path, host="0.0.0.0") as api:
        assert api.get("/healthz").status_code == 200
        assert api.get("/api/jobs").status_code == 401
    assert "drain" not in (tmp_path / "api.log").read_text()


def test_a_login_through_a_proxy_that_speaks_https_stays_there(settings: Settings, tmp_path: Path) -> None:
    keyed = settings.model_copy(update={"api_keys": SecretStr("ops:the-key-of-the-operator:admin")})
    form = {"key": "the-key-of-the-operator"}
    with Api(keyed, tmp_path) as api:
        direct, proxied = (
            httpx.post(f"{api.url}/login", data=form, headers=headers, timeout=_START_SECONDS)
            for headers in ({}, {"X-Forwarded-Proto": "https"})
        )
    assert "Secure" not in direct.headers["Set-Cookie"]
    assert "Secure" in proxied.headers["Set-Cookie"]


def test_it_says_that_nobody_may_drain(settings: Settings, tmp_path: Path) -> None:
    keyed = settings.model_copy(update={"api_keys": SecretStr("ci:the-key-of-the-pipeline")})
    with Api(keyed, tmp_path):
        log = (tmp_path / "api.log").read_text()
    assert "nobody may drain" in log
    assert "the-key-of-the-pipeline" not in log
