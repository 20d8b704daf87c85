"""The temporary folder of one Chrome and its driver: profile, artifacts, scratch; removed when Chrome is replaced."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleet.settings import Settings

_SETTINGS = {f"FLEET_{name.upper()}" for name in Settings.model_fields}


class ChromeFolder:
    def __init__(self, base: Path | None = None) -> None:
        """Below `base`; None: below the system's folder for temporary files."""
        self.path = Path(tempfile.mkdtemp(prefix="chrome-", dir=base))

    @contextmanager
    def for_what_starts(self) -> Iterator[None]:
        """Processes that are started meanwhile have it as their temporary folder, and no settings: some are secrets.

        Playwright gives its driver the environment of this process, and offers no other way to name a folder.
        """
        before = dict(os.environ)
        for name in before:
            # The storage of artifacts has its credentials from the latter.
            if name in _SETTINGS or name.startswith("AWS_"):
                del os.environ[name]
        os.environ["TMPDIR"] = str(self.path)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def remove(self) -> None:
        """May be called twice."""
        shutil.rmtree(self.path, ignore_errors=True)
