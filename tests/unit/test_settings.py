import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from fleet.settings import Settings, settings

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "configuration.md"
# Playwright takes a switch and a folder from there alone, prometheus_client a folder.
_READ_ENVIRONMENT = {
    Path("fleet/settings.py"),
    Path("fleet/metrics.py"),
    Path("workers/host_process.py"),
    Path("workers/browser_host/chrome_folder.py"),
    Path("workers/browser_host/chrome.py"),
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FLEET_{name.upper()}", raising=False)


def read_now() -> Settings:
    """What `settings()` gives in a process that starts now."""
    return settings.__wrapped__()


def test_a_fleet_without_variables_has_settings() -> None:
    assert read_now().redis_url == "redis://127.0.0.1:6379/0"


def test_without_variables_the_api_listens_on_this_machine_only() -> None:
    assert read_now().bind == "127.0.0.1:8080"


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("sessions_per_worker", 10),
        ("session_ttl", 30 * 60),
        ("heap_limit_mb", 100),
        ("memory_limit_mb", 1024),
        ("script_limit", 50),
        ("script_bytes", 20 * 1024),
        ("sweep_seconds", 60),
        ("shutdown_grace", 30),
    ],
)
def test_the_promised_numbers_are_the_defaults(field: str, default: int) -> None:
    assert getattr(read_now(), field) == default


def test_a_variable_sets_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_SESSION_TTL", "90")

    assert read_now().session_ttl == 90


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FLEET_SESSION_TTL", "soon"),
        ("FLEET_SESSION_TTL", "0"),
        ("FLEET_SESSION_TTL", "-1"),
        ("FLEET_SESSIONS_PER_WORKER", "0"),
        ("FLEET_HEAP_LIMIT_MB", "15"),
        ("FLEET_MEMORY_LIMIT_MB", "63"),
        ("FLEET_API_THREADS", "7"),
        ("FLEET_BODY_LIMIT_BYTES", "1023"),
        ("FLEET_ARTIFACTS_URL", "s3://"),
        ("FLEET_ARTIFACTS_URL", "s3://bucket?region=here"),
        ("FLEET_ARTIFACTS_URL", "gs://bucket"),
        ("FLEET_LOG_LEVEL", "LOUD"),
        ("FLEET_LOG_FORMAT", "xml"),
    ],
)
def test_a_bad_value_stops_the_process_and_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=rf"(?m)^{variable}: .*{re.escape(repr(value))}"):
        read_now()


@pytest.mark.parametrize(
    ("variable", "value"), [("FLEET_REDIS_URL", "http://127.0.0.1:6379"), ("FLEET_BIND", "127.0.0.1:http")]
)
def test_a_bad_address_stops_the_process_and_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=variable):
        read_now()


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_SESSION_TTL", "soon")
    monkeypatch.setenv("FLEET_LOG_LEVEL", "LOUD")
    with pytest.raises(SystemExit, match=r"(?s)FLEET_SESSION_TTL.*FLEET_LOG_LEVEL"):
        read_now()


def test_settings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.cache_clear()
    first = settings()
    monkeypatch.setenv("FLEET_SESSION_TTL", "90")

    assert settings() is first
    settings.cache_clear()


def test_a_chrome_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no-chrome.*FLEET_CHROME_PATH"):
        Settings(chrome_path=tmp_path / "no-chrome").chrome_executable()


def test_the_chrome_of_the_setting_comes_before_the_installed_one(tmp_path: Path) -> None:
    own = tmp_path / "chrome"
    own.touch()

    assert Settings(chrome_path=own).chrome_executable() == own


def test_the_documentation_has_a_row_for_each_setting_and_no_other() -> None:
    documented = re.findall(r"^\| `(FLEET_[A-Z_]+)` \|", _PAGE.read_text(), flags=re.MULTILINE)

    assert sorted(documented) == sorted(f"FLEET_{name.upper()}" for name in Settings.model_fields)


def test_the_environment_is_read_in_few_places() -> None:
    readers = {
        path.relative_to(_ROOT)
        for folder in ("app", "fleet", "workers")
        for path in (_ROOT / folder).rglob("*.py")
        if re.search(r"\bos\.environ\b|\bgetenv\b|\bBaseSettings\b", path.read_text())
    }

    assert readers == _READ_ENVIRONMENT


def test_a_bad_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_SECRET_KEY", "too-short-a-secret")
    with pytest.raises(SystemExit) as stopped:
        read_now()
    assert "FLEET_SECRET_KEY" in str(stopped.value)
    assert "too-short-a-secret" not in str(stopped.value)


@pytest.mark.parametrize(
    "keys", ["0123456789abcdef-hidden", "ci:hidden", "ci:0123456789-hidden:root", "a b:0123456789-hidden"]
)
def test_a_bad_key_is_not_shown(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setenv("FLEET_API_KEYS", f"ops:0123456789-hidden-too,{keys}")
    with pytest.raises(SystemExit, match=r"FLEET_API_KEYS: .*entry 2") as stopped:
        read_now()
    assert "hidden" not in str(stopped.value)


def test_a_bad_secret_of_webhooks_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_WEBHOOK_SECRETS", "0123456789-hidden-too,hidden")
    with pytest.raises(SystemExit, match=r"FLEET_WEBHOOK_SECRETS: .*entry 2") as stopped:
        read_now()
    assert "hidden" not in str(stopped.value)


def test_keys_are_not_shown_with_the_settings() -> None:
    assert "0123456789abcdef" not in repr(Settings(api_keys=SecretStr("ci:0123456789abcdef")))


def test_credentials_in_the_url_of_the_artifacts_are_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_ARTIFACTS_URL", "s3://AKIANAME:a-secret@bucket")
    with pytest.raises(SystemExit, match=r"FLEET_ARTIFACTS_URL: .*AWS_ variables") as stopped:
        read_now()

    assert "a-secret" not in str(stopped.value)


@pytest.mark.parametrize("url", ["s3://my-bucket", "s3://my-bucket/", "s3://my.bucket/a/pre-fix_1", "file:./data"])
def test_artifacts_lie_in_a_folder_or_in_a_bucket(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("FLEET_ARTIFACTS_URL", url)

    assert read_now().artifacts_url == url
