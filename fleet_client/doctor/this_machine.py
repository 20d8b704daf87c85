"""What only a machine of the fleet's own can tell. The server's modules are there in a checkout and in its containers.

The one file here that imports them, and only when it is asked.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_client.doctor.finding import Finding, failed, ok, unknown, warning

if TYPE_CHECKING:
    from fleet.settings import Settings

_MB = 1024 * 1024
_SHM = Path("/dev/shm")  # noqa: S108  # its size is the question
_TEMP_BYTES_MIN = 1024 * _MB
_SHM_BYTES_MIN = 64 * _MB
_COMMAND_SECONDS = 20
_REDIS_SECONDS = 5
_REDIS_MIN = (6, 2)


def is_of_a_fleet() -> bool:
    try:
        return find_spec("fleet.settings") is not None and find_spec("workers.celery_app") is not None
    except ModuleNotFoundError:
        return False


def findings() -> Iterator[Finding]:
    from fleet.settings import settings  # noqa: PLC0415  # not there for users of the client

    try:
        found = settings()
    except SystemExit as error:
        yield failed("settings", str(error.code), "Correct the variables that it names.")
        return
    yield ok("settings", "can be read")
    yield from _redis(found)
    yield _chrome(found)
    yield _sandbox()
    yield _fonts()
    yield _shared_memory()
    yield _temporary_folder()


def _redis(settings: "Settings") -> Iterator[Finding]:
    from redis import Redis, RedisError  # noqa: PLC0415  # as above

    client = Redis.from_url(
        settings.redis_url, socket_timeout=_REDIS_SECONDS, socket_connect_timeout=_REDIS_SECONDS, decode_responses=True
    )
    try:
        with client:
            info = client.info()
    except (RedisError, OSError) as error:
        text = f"does not answer by FLEET_REDIS_URL ({error})"
        remedy = "`make up` starts one of its own, at a port of its own: nothing is wrong then. Else start Redis."
        yield warning("redis here", text, remedy)
        return
    version, policy = info["redis_version"], info.get("maxmemory_policy", "noeviction")
    if tuple(int(part) for part in version.split(".")[:2]) < _REDIS_MIN:
        yield failed("redis here", f"{version} is too old", "Install Redis 6.2 or newer, or Valkey.")
    elif policy != "noeviction":
        yield failed("redis here", f"maxmemory-policy is {policy}", "Set it to noeviction, or jobs will get lost.")
    else:
        yield ok("redis here", f"{version} answers")
    if not info.get("aof_enabled"):
        yield warning("redis here", "appendonly is off", "Switch it on, or a restart of Redis loses the queue.")


def _chrome(settings: "Settings") -> Finding:
    try:
        path = settings.chrome_executable()
    except FileNotFoundError as error:
        return failed("chrome here", str(error), "`make setup` installs one.")
    said = _output_of([str(path), "--version"])
    if said is None:
        libraries = "Install what `ldd` says is missing, or run `make setup`."
        return failed("chrome here", f"{path} does not start", libraries)
    return ok("chrome here", f"{said or path.name} at {path}")


def _sandbox() -> Finding:
    if os.geteuid() == 0:
        text = "off: Chrome refuses it to root"
        return warning("sandbox", text, "Run workers as a user of their own, or leave it to the container's walls.")
    for name in ("kernel/unprivileged_userns_clone", "user/max_user_namespaces"):
        try:
            allowed = int(Path("/proc/sys", name).read_text())
        except (OSError, ValueError):
            continue
        if allowed == 0:
            return failed(
                "sandbox", f"{name} is 0, so Chrome cannot make one", f"sysctl {name.replace('/', '.')}=10000"
            )
    if shutil.which("unshare") is None:
        return unknown("sandbox", "unshare is not installed, so it was not tried", "apt-get install util-linux")
    if _output_of(["unshare", "--user", "true"]) is None:
        remedy = "In a container: a seccomp profile that allows user namespaces."
        return failed("sandbox", "user namespaces are refused, so Chrome cannot make one", remedy)
    return ok("sandbox", "user namespaces are there for it")


def _fonts() -> Finding:
    said = _output_of(["fc-list", ":", "family"])
    if said is None:
        return unknown("fonts here", "fc-list is not installed", "apt-get install fontconfig")
    families = set(said.splitlines())
    if not families:
        return failed("fonts here", "there is none", "apt-get install fonts-liberation fonts-noto-color-emoji")
    return ok("fonts here", f"{len(families)} families")


def _shared_memory() -> Finding:
    try:
        free = shutil.disk_usage(_SHM).free
    except OSError:
        return warning("shared memory", f"{_SHM} is not there", "Mount it; programs beside Chrome may want it.")
    if free < _SHM_BYTES_MIN // 2:
        return warning("shared memory", f"{free // _MB} MB are free", "Enlarge it: docker run --shm-size=256m")
    return ok("shared memory", f"{free // _MB} MB are free; Chrome does without")


def _temporary_folder() -> Finding:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < _TEMP_BYTES_MIN:
        remedy = "Make room, or point TMPDIR elsewhere: caches of sessions lie there."
        return warning("temporary folder", f"{free // _MB:,} MB are free in {folder}", remedy)
    return ok("temporary folder", f"{free // _MB:,} MB are free in {folder}")


def _output_of(command: list[str]) -> str | None:
    """None: it is not there, fails, or does not end."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=True)  # noqa: S603  # names are ours
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout.strip()
