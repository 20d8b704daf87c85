"""Where a program's fleet writes, and what is kept of it."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def working_folder(program: str, output: Path) -> Iterator[Path]:
    """For a whole run: `output` is emptied before, and has the fleet's logs after."""
    # SIGTERM is a Ctrl-C that nobody typed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{program}-"))
    try:
        yield folder
    finally:
        shutil.copytree(folder / "logs", output / "logs")
        shutil.rmtree(folder)
