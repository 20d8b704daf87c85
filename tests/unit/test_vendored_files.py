"""Libraries of others that are kept in the repository, and what is noted of them."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_FOLDERS = ["app/pages/static/vendor", "tests/vendor"]


def _noted(folder: str) -> dict[str, tuple[str, str]]:
    """File → package and version."""
    rows = re.findall(
        r"^\| (\S+) \| (\S+) \| (\d\S*) \| \S+ \|$", (_ROOT / folder / "README.md").read_text(), re.MULTILINE
    )
    return {file: (package, version) for file, package, version in rows}


@pytest.mark.parametrize("folder", _FOLDERS)
def test_each_file_is_noted_with_its_package_version_and_licence(folder: str) -> None:
    files = {file.name for file in (_ROOT / folder).iterdir()} - {"README.md"}
    assert set(_noted(folder)) == files


def test_what_is_noted_is_what_the_script_fetches() -> None:
    script = (_ROOT / "scripts/vendor_static").read_text()
    wanted = set(re.findall(r'^  "(\S+) (\S+) \S+ \S+"$', script, re.MULTILINE))
    assert {of for folder in _FOLDERS for of in _noted(folder).values()} == wanted


def test_the_list_of_libraries_names_their_versions() -> None:
    text = (_ROOT / "docs/decisions/0008-libraries.md").read_text()
    for folder in _FOLDERS:
        for package, version in _noted(folder).values():
            assert f"| {package} | {version}" in text
