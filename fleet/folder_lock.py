"""A temporary folder whose owner lives as long as its lock is held: what is not locked any more is litter."""

import fcntl
import os
from pathlib import Path


def try_lock(folder: Path) -> int | None:
    """The descriptor that holds it. None: it is somebody else's, or gone, or its owner lives."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
