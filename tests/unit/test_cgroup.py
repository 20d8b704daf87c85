"""The kernel's account of a cgroup's memory, read from folders made up as the kernel shows them."""

from pathlib import Path

import pytest

from workers.browser_host.cgroup import MemoryCgroup, find_memory_cgroup

MB = 2**20
_FILES = {
    1: ("memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"),
    2: ("memory.current", "memory.max", "inactive_file"),
}


def make(folder: Path, version: int, *, used: int = 300 * MB, limit: str = str(512 * MB), cached: int = 0) -> None:
    usage, limit_file, inactive = _FILES[version]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / usage).write_text(f"{used}\n")
    (folder / limit_file).write_text(f"{limit}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{inactive} {cached}\n")


def find(tmp_path: Path, membership: str) -> MemoryCgroup | None:
    (tmp_path / "cgroup").write_text(membership)
    return find_memory_cgroup(tmp_path / "cgroup", tmp_path / "mounts")


def found(tmp_path: Path, membership: str) -> MemoryCgroup:
    cgroup = find(tmp_path, membership)
    assert cgroup is not None
    return cgroup


V1, V2 = "5:cpu:/\n4:memory:/docker/abc\n0::/\n", "0::/system.slice/worker.scope\n"
PLACES = {1: (V1, "memory/docker/abc"), 2: (V2, "system.slice/worker.scope")}


@pytest.mark.parametrize("version", [1, 2])
def test_file_pages_that_go_first_are_not_counted_as_used(tmp_path: Path, version: int) -> None:
    membership, place = PLACES[version]
    make(tmp_path / "mounts" / place, version, used=300 * MB, cached=100 * MB)
    assert found(tmp_path, membership).used_bytes() == 200 * MB


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_is_the_kernel_s(tmp_path: Path, version: int) -> None:
    membership, place = PLACES[version]
    make(tmp_path / "mounts" / place, version)
    assert found(tmp_path, membership).limit_bytes() == 512 * MB


@pytest.mark.parametrize(("version", "limit"), [(1, "9223372036854771712"), (2, "max")])
def test_a_cgroup_without_a_limit_has_none(tmp_path: Path, version: int, limit: str) -> None:
    membership, place = PLACES[version]
    make(tmp_path / "mounts" / place, version, limit=limit)
    assert found(tmp_path, membership).limit_bytes() is None


@pytest.mark.parametrize(("version", "mount"), [(1, "memory"), (2, "")])
def test_a_container_that_is_told_its_host_s_path_finds_itself_at_the_mount(
    tmp_path: Path, version: int, mount: str
) -> None:
    membership, _ = PLACES[version]
    make(tmp_path / "mounts" / mount, version)
    assert found(tmp_path, membership).folder == tmp_path / "mounts" / mount


def test_a_path_that_leads_out_of_the_mount_is_not_followed(tmp_path: Path) -> None:
    make(tmp_path / "elsewhere", 2)
    (tmp_path / "mounts").mkdir()
    assert find(tmp_path, "0::/../elsewhere\n") is None


def test_with_both_versions_the_one_that_accounts_memory_counts(tmp_path: Path) -> None:
    make(tmp_path / "mounts" / "memory" / "docker" / "abc", 1)
    assert found(tmp_path, V1).usage == "memory.usage_in_bytes"


@pytest.mark.parametrize("membership", ["", "0::/\n", V1, V2])
def test_without_an_account_of_memory_there_is_no_cgroup(tmp_path: Path, membership: str) -> None:
    assert find(tmp_path, membership) is None


def test_usage_is_never_below_nothing(tmp_path: Path) -> None:
    make(tmp_path / "mounts" / PLACES[2][1], 2, used=MB, cached=2 * MB)
    assert found(tmp_path, V2).used_bytes() == 0


def test_the_processes_of_a_cgroup_are_told(tmp_path: Path) -> None:
    place = tmp_path / "mounts" / PLACES[2][1]
    make(place, 2)
    (place / "cgroup.procs").write_text("1\n42\n")
    assert found(tmp_path, V2).process_ids() == {1, 42}
