"""What a worker uses, summed up from a made-up /proc: init 1 → Celery 10 → child 11, host 20 → driver 30 → Chrome."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from workers.browser_host.node_usage import NodeIds, NodeMeter, NodeUsage

MB = 2**20


@dataclass
class MadeUpNode:
    folder: Path
    limit_bytes: int = 1024 * MB
    membership: str = "0::/worker\n"
    pids: list[int] = field(default_factory=list)

    def add(self, pid: int, parent: int, *, pss_mb: int | None = 0, threads: int = 1, descriptors: int = 0) -> None:
        process = self.folder / "proc" / str(pid)
        (process / "fd").mkdir(parents=True)
        fields = ["S", str(parent), *["0"] * 15, str(threads), "0", "77"]
        (process / "stat").write_text(f"{pid} (a) name (of) brackets) {' '.join(fields)}\n")
        (process / "statm").write_text("9000 3000 1000 1 0 1 0\n")
        if pss_mb is not None:
            (process / "smaps_rollup").write_text(f"00400000-7fff rollup\nRss: 9999 kB\nPss: {pss_mb * 1024} kB\n")
        for number in range(descriptors):
            (process / "fd" / str(number)).touch()
        (process / "cgroup").write_text(self.membership)
        self.pids.append(pid)

    def cgroup(self, *, used: int, limit: str, others: tuple[int, ...] = ()) -> None:
        folder = self.folder / "cgroups" / "worker"
        folder.mkdir(parents=True)
        (folder / "memory.current").write_text(str(used))
        (folder / "memory.max").write_text(limit)
        (folder / "memory.stat").write_text("inactive_file 0\n")
        (folder / "cgroup.procs").write_text("\n".join(map(str, [*self.pids, *others])))

    def measure(self) -> NodeUsage:
        ids, cgroups = NodeIds(parent=10, host=20), self.folder / "cgroups"
        temporary = self.folder / "tmp"
        meter = NodeMeter(ids, temporary, limit_bytes=self.limit_bytes, proc=self.folder / "proc", cgroups=cgroups)
        return meter.measure()


@pytest.fixture
def node(tmp_path: Path) -> MadeUpNode:
    made_up = MadeUpNode(tmp_path)
    for pid, parent, pss_mb in [(1, 0, 5), (10, 1, 40), (11, 10, 30), (20, 10, 50), (30, 20, 100)]:
        made_up.add(pid, parent, pss_mb=pss_mb, threads=2, descriptors=3)
    for pid, parent, pss_mb in [(40, 30, 60), (41, 40, 20), (42, 41, 25)]:
        made_up.add(pid, parent, pss_mb=pss_mb, threads=5, descriptors=10)
    return made_up


def test_memory_is_told_by_part(node: MadeUpNode) -> None:
    assert node.measure().memory_by_part == {
        "celery": 70 * MB,
        "host": 50 * MB,
        "driver": 100 * MB,
        "chrome": 105 * MB,
    }


def test_without_a_cgroup_memory_is_the_sum_of_the_parts(node: MadeUpNode) -> None:
    assert node.measure().memory_bytes == 325 * MB


def test_processes_threads_and_descriptors_are_those_of_the_worker_alone(node: MadeUpNode) -> None:
    usage = node.measure()
    assert (usage.processes, usage.threads, usage.file_descriptors) == (7, 4 * 2 + 3 * 5, 4 * 3 + 3 * 10)


def test_a_process_whose_share_is_secret_counts_with_what_is_its_own(node: MadeUpNode) -> None:
    node.add(43, 41, pss_mb=None)
    assert node.measure().memory_by_part["chrome"] == 105 * MB + 2000 * 4096


def test_a_process_that_has_ended_counts_nothing(node: MadeUpNode) -> None:
    stat = node.folder / "proc" / "42" / "stat"
    stat.write_text(stat.read_text().replace(" S ", " Z "))
    assert node.measure().processes == 6


def test_in_a_cgroup_of_its_own_the_kernel_s_count_is_the_worker_s(node: MadeUpNode) -> None:
    node.cgroup(used=400 * MB, limit=str(800 * MB))
    assert node.measure().memory_bytes == 400 * MB


def test_a_cgroup_that_others_are_in_does_not_tell_what_the_worker_uses(node: MadeUpNode) -> None:
    node.cgroup(used=400 * MB, limit=str(800 * MB), others=(99,))
    assert node.measure().memory_bytes == 325 * MB


def test_a_cgroup_without_a_limit_does_not_tell_what_the_worker_uses(node: MadeUpNode) -> None:
    node.cgroup(used=400 * MB, limit="max")
    assert node.measure().memory_bytes == 325 * MB


@pytest.mark.parametrize(("of_cgroup", "least"), [(512 * MB, 512 * MB), (2048 * MB, 1024 * MB), ("max", 1024 * MB)])
def test_the_smaller_of_setting_and_cgroup_is_the_limit(node: MadeUpNode, of_cgroup: int | str, least: int) -> None:
    node.cgroup(used=1, limit=str(of_cgroup))
    assert node.measure().memory_limit_bytes == least


def test_the_share_is_of_the_limit(node: MadeUpNode) -> None:
    node.limit_bytes = 650 * MB
    assert node.measure().share == 0.5


def test_files_below_the_temporary_folder_count_with_the_room_they_take(node: MadeUpNode) -> None:
    below = node.folder / "tmp" / "deep" / "deeper"
    below.mkdir(parents=True)
    before = node.measure().temp_bytes
    (below / "file").write_bytes(b"x" * MB)
    assert node.measure().temp_bytes - before == (below / "file").stat().st_blocks * 512


def test_a_link_is_not_followed(node: MadeUpNode) -> None:
    (node.folder / "tmp").mkdir()
    (node.folder / "big").mkdir()
    (node.folder / "big" / "file").write_bytes(b"x" * MB)
    (node.folder / "tmp" / "link").symlink_to(node.folder / "big")
    assert node.measure().temp_bytes < MB


def test_without_a_temporary_folder_there_is_nothing_in_it(node: MadeUpNode) -> None:
    assert node.measure().temp_bytes == 0
