import signal
import subprocess
import sys

import pytest

# Says when it is tied to its parent, then lives for as long as nobody ends it.
_CHILD = """
import os, sys, time
from fleet.parent_death import die_with
die_with(int(sys.argv[1]))
print("tied", flush=True)
time.sleep(60)
"""
_PARENT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())])
time.sleep(60)
"""


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_ends_with_its_parent(death: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT, _CHILD], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"tied\n"
        parent.send_signal(death)
        # The pipe ends when the last process that holds it has ended.
        parent.communicate(timeout=10)


def test_a_process_whose_parent_is_already_gone_ends_at_once() -> None:
    nobody = 2**22 + 1
    child = subprocess.run([sys.executable, "-c", _CHILD, str(nobody)], check=False, timeout=10)

    assert child.returncode == -signal.SIGTERM
