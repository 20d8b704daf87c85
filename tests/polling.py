"""Waiting for what another thread or process brings about: a condition with a deadline, never a fixed sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

_PAUSE_SECONDS = 0.02


def eventually(condition: Callable[[], Value], seconds: float = 30) -> Value:
    """The first true value of `condition`. Raises AssertionError with the last one after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s; the last value was {value!r}")
        time.sleep(_PAUSE_SECONDS)
    return value
