"""The key that a local fleet signs with, kept in its data folder, so that what was signed outlives a restart."""

import os
import secrets
from pathlib import Path


def kept_secret_key(data: Path) -> str:
    """Made at the first start."""
    path = data / "secret_key"
    if not path.exists():
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        # At once or not at all.
        new.rename(path)
    return path.read_text()
