"""requirements.txt is what `make lock` made of requirements.in."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_LOCKED = (_ROOT / "requirements.txt").read_text()


def test_each_requirement_is_locked_in_its_version() -> None:
    wanted = re.findall(r"^([a-z][\w-]+)(?:\[\w+\])?==(\S+)$", (_ROOT / "requirements.in").read_text(), re.MULTILINE)
    locked = re.findall(r"^([a-z][\w-]+)(?:\[\w+\])?==(\S+)", _LOCKED, re.MULTILINE)
    assert wanted
    assert set(wanted) <= set(locked)


def test_each_locked_package_has_hashes() -> None:
    entries = re.split(r"\n(?=[a-z])", _LOCKED)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
