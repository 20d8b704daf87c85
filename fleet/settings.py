"""Every setting of the fleet: read once from the environment, checked at start.

Names, defaults and meanings are in docs/configuration.md; a test holds the two together.
"""

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from fleet.api_keys import parse_api_keys
from fleet.egress import parse_policy
from fleet.redaction import redact
from fleet.redis_address import RedisBySentinels
from fleet.webhooks import parse_secrets

# Debian's launcher /usr/bin/chromium-headless-shell is a shell script that does not exec, so its
# process group would outlive a kill: the binary itself is started.
_CHROME_PATH = Path("/usr/lib/chromium/chromium-headless-shell")
# Where Playwright's own download lies, under the home folder.
_PLAYWRIGHT_CHROMES = ".cache/ms-playwright/chromium_headless_shell-*/*/*headless*shell"

Seconds = Annotated[int, Field(gt=0)]


class Settings(BaseSettings):
    """`FLEET_` + the upper-case field name is the environment variable."""

    model_config = SettingsConfigDict(env_prefix="FLEET_", frozen=True, extra="ignore")

    redis_url: str = "redis://127.0.0.1:6379/0"
    bind: str = "127.0.0.1:8080"
    api_keys: SecretStr = SecretStr("")
    metrics_bind: str = "127.0.0.1:0"
    flower_bind: str = "127.0.0.1:5555"
    flower_auth: SecretStr | None = None
    flower_url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    api_threads: Annotated[int, Field(ge=8, le=2048)] = 320
    body_limit_bytes: Annotated[int, Field(ge=1024)] = 10 * 1024 * 1024
    artifacts_url: str = "file:./data/artifacts"
    artifact_ttl: Seconds = 7 * 86_400
    job_ttl: Seconds = 86_400
    batch_ttl: Seconds = 7 * 86_400
    batch_captures: Annotated[int, Field(gt=0, le=1000)] = 3
    batch_captures_beside: Annotated[int, Field(gt=0, le=1000)] = 1
    chrome_path: Path | None = None
    egress_allow: str = ""
    sessions_per_worker: Annotated[int, Field(gt=0)] = 10
    session_ttl: Seconds = 30 * 60
    session_max_lifetime: Annotated[int, Field(gt=0, le=7 * 86_400)] = 86_400
    response_limit: Annotated[int, Field(gt=0, le=1000)] = 100
    response_ttl: Seconds = 300
    # Bounds within what one step in Redis and one message on the link can carry.
    script_limit: Annotated[int, Field(gt=0, le=1000)] = 50
    script_bytes: Annotated[int, Field(gt=0, le=1024 * 1024)] = 20_480
    heap_limit_mb: Annotated[int, Field(ge=16)] = 100
    memory_limit_mb: Annotated[int, Field(ge=64)] = 1024
    sweep_seconds: Seconds = 60
    health_seconds: Seconds = 30
    chrome_captures: Annotated[int, Field(gt=0)] = 500
    chrome_hours: Annotated[int, Field(gt=0)] = 24
    shutdown_grace: Seconds = 30
    session_rate: str = "5/minute"
    session_job_limit: Annotated[int, Field(gt=0)] = 100
    queue_limit: Annotated[int, Field(gt=0)] = 10_000
    viewer_limit: Annotated[int, Field(gt=0, le=10_000)] = 200
    secret_key: Annotated[SecretStr, Field(min_length=32)] | None = None
    webhook_secrets: SecretStr = SecretStr("")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, url: str) -> str:
        RedisBySentinels.parse(url)
        return url

    @field_validator("bind", "metrics_bind", "flower_bind")
    @classmethod
    def _host_and_port(cls, bind: str) -> str:
        if not re.fullmatch(r".+:\d{1,5}", bind):
            message = "must be HOST:PORT, for example 127.0.0.1:8080"
            raise ValueError(message)
        return bind

    @field_validator("api_keys")
    @classmethod
    def _readable_keys(cls, keys: SecretStr) -> SecretStr:
        parse_api_keys(keys.get_secret_value())
        return keys

    @field_validator("webhook_secrets")
    @classmethod
    def _readable_secrets(cls, secrets: SecretStr) -> SecretStr:
        parse_secrets(secrets.get_secret_value())
        return secrets

    @field_validator("flower_auth")
    @classmethod
    def _users_and_passwords(cls, auth: SecretStr | None) -> SecretStr | None:
        if auth is not None and not re.fullmatch(r"[^:,]+:[^,]+(,[^:,]+:[^,]+)*", auth.get_secret_value()):
            message = "must be USER:PASSWORD, several of them with commas between; neither may hold a comma"
            raise ValueError(message)
        return auth

    @field_validator("artifacts_url")
    @classmethod
    def _known_storage(cls, url: str) -> str:
        if not re.fullmatch(r"file:.+|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w!.*'()/-]*)?", url):
            message = "must be file:PATH or s3://BUCKET/PREFIX; what else S3 needs comes from AWS_ variables"
            raise ValueError(message)
        return url

    @field_validator("session_rate")
    @classmethod
    def _readable_rate(cls, rate: str) -> str:
        if not re.fullmatch(r"[1-9]\d*/(second|minute|hour|day)", rate):
            message = "must be NUMBER/second, /minute, /hour or /day, for example 5/minute"
            raise ValueError(message)
        return rate

    @field_validator("egress_allow")
    @classmethod
    def _readable_policy(cls, allow: str) -> str:
        parse_policy(allow)
        return allow

    def chrome_executable(self) -> Path:
        """The Chrome to start. Raises FileNotFoundError that names the setting."""
        downloaded = sorted(Path.home().glob(_PLAYWRIGHT_CHROMES), reverse=True)
        candidates = [self.chrome_path] if self.chrome_path else [_CHROME_PATH, *downloaded]
        for path in candidates:
            if path.is_file():
                return path
        message = f"No Chrome at {candidates[0]}. Install chromium-headless-shell or set FLEET_CHROME_PATH."
        raise FileNotFoundError(message)


@cache
def settings() -> Settings:
    """The settings of this process. Stops the process with one line for each bad variable."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"FLEET_{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}{_as_given(problem)}"
            for problem in error.errors()
        ]
        raise SystemExit("Bad settings, see docs/configuration.md:\n" + "\n".join(lines)) from None


def _as_given(problem: ErrorDetails) -> str:
    name = "_".join(str(part) for part in problem["loc"])
    return f" (is: {redact({name: problem['input']})[name]!r})"
