import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.browser_host.chrome_folder import ChromeFolder

_TELL = [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"]


def folder_of_a_process() -> Path:
    return Path(subprocess.check_output(_TELL, text=True).strip())


def test_what_starts_meanwhile_keeps_its_files_there(tmp_path: Path) -> None:
    folder = ChromeFolder(tmp_path)
    with folder.for_what_starts():
        assert folder_of_a_process() == folder.path


def test_what_starts_meanwhile_is_told_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_REDIS_URL", "redis://:a-password@127.0.0.1/0")
    monkeypatch.setenv("LANG", "C.UTF-8")
    with ChromeFolder(tmp_path).for_what_starts():
        told = subprocess.check_output(["env"], text=True)
    assert "a-password" not in told
    assert "LANG=C.UTF-8" in told
    assert os.environ["FLEET_REDIS_URL"].endswith("127.0.0.1/0")


@pytest.mark.parametrize("before", [None, "/nowhere"])
def test_afterwards_the_environment_is_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    if before:
        monkeypatch.setenv("TMPDIR", before)
    with ChromeFolder(tmp_path).for_what_starts():
        pass
    assert os.environ.get("TMPDIR") == before


def test_two_of_them_are_apart(tmp_path: Path) -> None:
    assert ChromeFolder(tmp_path).path != ChromeFolder(tmp_path).path


def test_it_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    folder = ChromeFolder(tmp_path)
    (folder.path / "profile").mkdir()
    (folder.path / "profile" / "file").touch()
    folder.remove()
    folder.remove()
    assert list(tmp_path.iterdir()) == []
