"""Ties this process to the one that started it, whatever kills that one."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """The kernel sends SIGTERM to this process when `parent` dies. Linux only, like the rest of the worker."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        # It died before the call above.
        os.kill(os.getpid(), signal.SIGTERM)
