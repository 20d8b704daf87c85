"""A small file system of a test's own, to be filled."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZE = "256k"
_BLOCK = bytes(4096)


@contextmanager
def tiny_disk(mount: Path) -> Iterator[Path | None]:
    """None where nothing may be mounted."""
    program = shutil.which("mount")
    mount.mkdir(parents=True)
    command = [program or "", "-t", "tmpfs", "-o", f"size={_SIZE}", "fleet-test", str(mount)]
    if program is None or os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all that is free."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(_BLOCK)
        except OSError:
            return ballast
