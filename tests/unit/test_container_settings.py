"""docker-compose.yml, .env.example, the images and the settings: they name the same things."""

import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.settings import Settings

_ROOT = Path(__file__).parents[2]
_COMPOSE = (_ROOT / "docker-compose.yml").read_text()
_EXAMPLE = (_ROOT / ".env.example").read_text()
_SERVICES: dict[str, Any] = yaml.safe_load(_COMPOSE)["services"]
_SETTINGS = {f"FLEET_{name.upper()}": field for name, field in Settings.model_fields.items()}
# Their images set them, and nothing in a container of them wants another value.
_OF_IMAGES = {"FLEET_ARTIFACTS_URL", "FLEET_BIND", "FLEET_CHROME_PATH", "FLEET_METRICS_BIND"}
_SECRETS = {"FLEET_API_KEYS", "FLEET_SECRET_KEY", "FLEET_FLOWER_AUTH", "REDIS_PASSWORD"}
# Only who wants Prometheus needs it.
_OPTIONAL_SECRETS = {"PROMETHEUS_API_KEY"}


def _environment(service: str) -> dict[str, str | None]:
    environment: dict[str, str | None] = _SERVICES[service].get("environment", {})
    return environment


def _asked_for() -> set[str]:
    """What Compose takes from .env."""
    passed_on = {name for service in _SERVICES for name, value in _environment(service).items() if value is None}
    secrets = {secret["environment"] for secret in yaml.safe_load(_COMPOSE)["secrets"].values()}
    return passed_on | secrets | set(re.findall(r"(?<!\$)\$\{(\w+)", _COMPOSE))


def test_every_setting_can_be_set_for_containers() -> None:
    given = {name for service in _SERVICES for name in _environment(service)}
    assert set(_SETTINGS) - given == _OF_IMAGES


def test_the_example_explains_what_compose_asks_for_and_nothing_else() -> None:
    assert set(re.findall(r"^#?([A-Z_]+)=", _EXAMPLE, re.MULTILINE)) == _asked_for()


def test_the_defaults_in_the_example_are_the_programs_own() -> None:
    shown = dict(re.findall(r"^#(FLEET_[A-Z_]+)=(.*)$", _EXAMPLE, re.MULTILINE))
    # Its own is that of one machine without containers; the tag is none of a program's.
    for other in ("FLEET_FLOWER_URL", "FLEET_VERSION"):
        del shown[other]
    assert shown == {name: str(_SETTINGS[name].default) for name in shown}


def test_no_secret_has_a_default() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", _COMPOSE))
    assert required == _SECRETS
    assert set(re.findall(r"^([A-Z_]+)=$", _EXAMPLE, re.MULTILINE)) == _SECRETS | _OPTIONAL_SECRETS


@pytest.mark.parametrize("secret", ["FLEET_API_KEYS", "FLEET_SECRET_KEY", "FLEET_FLOWER_AUTH"])
def test_a_worker_is_told_no_secret_of_others(secret: str) -> None:
    assert secret not in _environment("worker")


def test_nothing_is_published_beyond_this_machine_unless_somebody_says_so() -> None:
    published = [port for service in _SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(re.fullmatch(r"\$\{[A-Z]+_PUBLISH:-127\.0\.0\.1:\d+\}:\d+", port) for port in published)


def test_a_new_env_has_a_secret_of_its_own_for_each_and_nobody_else_reads_it(tmp_path: Path) -> None:
    def written(name: str) -> dict[str, str]:
        subprocess.run([_ROOT / "scripts" / "new_env", tmp_path / name], check=True, capture_output=True)
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        return dict(re.findall(r"^([A-Z_]+)=(.+)$", (tmp_path / name).read_text(), re.MULTILINE))

    one, other = written("one"), written("other")
    assert set(one) == _SECRETS | _OPTIONAL_SECRETS
    assert not set(one.values()) & set(other.values())
    assert f"prometheus:{one['PROMETHEUS_API_KEY']}" in one["FLEET_API_KEYS"].split(",")
    settings = Settings(**{name.removeprefix("FLEET_").lower(): value for name, value in one.items()})  # type: ignore[arg-type]  # pydantic parses them
    assert settings.api_keys.get_secret_value() == one["FLEET_API_KEYS"]


def test_an_env_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("mine")
    done = subprocess.run([_ROOT / "scripts" / "new_env", tmp_path / "env"], check=False, capture_output=True)
    assert (done.returncode, (tmp_path / "env").read_text()) == (1, "mine")
