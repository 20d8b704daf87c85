"""Litter of dead workers goes, with its processes; what a living one holds, or what is not ours, stays."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.node_folder import NodeFolder, process_record
from workers.process_table import Process, read_process

# Holds a folder until it is killed, with a forked child that lives on.
_HOLDER = """
import os, sys, time
from pathlib import Path
from workers.node_folder import NodeFolder
folder = NodeFolder(Path(sys.argv[1]))
# The child has let go by the time it says a word.
if sys.argv[2] == "alone" or os.fork() == 0:
    print(folder.path, flush=True)
time.sleep(60)
"""


class Holder:
    def __init__(self, base: Path, mode: str = "alone") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(base), mode], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        self.path = Path(self.process.stdout.readline().strip())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def bystander() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that lives until it is killed."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[Holder]:
    holder = Holder(tmp_path)
    holder.kill()
    yield holder
    assert holder.process.stdout is not None
    holder.process.stdout.close()


def known(pid: int) -> Process:
    process = read_process(pid)
    assert process is not None
    return process


def names(base: Path) -> list[str]:
    return sorted(entry.name for entry in base.iterdir())


def test_a_folder_is_there_for_its_owner_alone(tmp_path: Path) -> None:
    folder = NodeFolder(tmp_path)
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.remove()


def test_a_removed_folder_leaves_nothing(tmp_path: Path) -> None:
    folder = NodeFolder(tmp_path)
    (folder.path / "file").touch()
    folder.remove()
    folder.remove()
    assert names(tmp_path) == []


# For a moment, as what was killed does: each file in a folder of its own, if there still is where to put it.
_WRITER = """
import os, sys, time
os.chdir(sys.argv[1])
end = time.monotonic() + 0.3
print(flush=True)
for number in range(1_000_000):
    if time.monotonic() > end:
        break
    try:
        os.mkdir(str(number))
    except FileNotFoundError:
        break
"""


def test_a_folder_goes_although_what_was_killed_writes_for_a_moment_more(tmp_path: Path) -> None:
    folder = NodeFolder(tmp_path)
    command = [sys.executable, "-c", _WRITER, str(folder.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_worker_is_removed_by_the_next(tmp_path: Path, dead: Holder) -> None:
    (dead.path / "profile").mkdir()
    folder = NodeFolder(tmp_path)
    assert names(tmp_path) == [folder.path.name]
    folder.remove()


def test_the_folder_of_a_living_worker_stays(tmp_path: Path) -> None:
    living = Holder(tmp_path)
    folder = NodeFolder(tmp_path)
    assert living.path.is_dir()
    folder.remove()
    living.kill()
    living.process.communicate()


def test_a_forked_child_does_not_hold_the_folder_of_its_dead_parent(tmp_path: Path) -> None:
    holder = Holder(tmp_path, "forks")
    holder.kill()
    folder = NodeFolder(tmp_path)
    assert not holder.path.exists()
    folder.remove()
    os.killpg(holder.process.pid, 9)
    holder.process.communicate()


def test_other_folders_stay(tmp_path: Path) -> None:
    (tmp_path / "fleet-other").mkdir()
    (tmp_path / "fleet-host-without-lock").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "fleet-host-link").symlink_to(elsewhere)
    NodeFolder(tmp_path).remove()
    assert names(tmp_path) == ["elsewhere", "fleet-host-link", "fleet-host-without-lock", "fleet-other"]


def test_what_outlived_a_killed_worker_is_ended_by_the_next(
    tmp_path: Path, dead: Holder, bystander: "subprocess.Popen[bytes]"
) -> None:
    process_record(dead.path).write([known(bystander.pid)])
    NodeFolder(tmp_path).remove()
    assert bystander.wait(10) == -9


def test_a_process_that_was_given_the_id_anew_is_left_alone(
    tmp_path: Path, dead: Holder, bystander: "subprocess.Popen[bytes]"
) -> None:
    process = known(bystander.pid)
    process_record(dead.path).write([Process(process.pid, process.parent, process.threads, process.started - 1)])
    NodeFolder(tmp_path).remove()
    assert bystander.poll() is None


def test_a_process_of_another_container_is_left_alone(
    tmp_path: Path, dead: Holder, bystander: "subprocess.Popen[bytes]"
) -> None:
    (dead.path / "processes").write_text(f"1 {bystander.pid} {known(bystander.pid).started}\n")
    NodeFolder(tmp_path).remove()
    assert bystander.poll() is None


def test_what_a_dead_host_left_is_ended_by_its_own_worker(tmp_path: Path, bystander: "subprocess.Popen[bytes]") -> None:
    folder = NodeFolder(tmp_path)
    process_record(folder.path).write([known(bystander.pid)])
    folder.end_left_processes()
    assert bystander.wait(10) == -9
    folder.remove()


def test_nobody_ends_itself(tmp_path: Path) -> None:
    folder = NodeFolder(tmp_path)
    process_record(folder.path).write([known(os.getpid())])
    folder.remove()
