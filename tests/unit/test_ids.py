import base64
from collections.abc import Callable
from typing import get_args

import pytest

from fleet.ids import Prefix, is_id, new_id

_PREFIXES: tuple[Prefix, ...] = get_args(Prefix)


@pytest.mark.parametrize("prefix", _PREFIXES)
def test_a_new_id_is_one_of_its_prefix(prefix: Prefix) -> None:
    assert is_id(new_id(prefix), prefix)


def test_an_id_holds_at_least_128_random_bits() -> None:
    random_part = new_id("job").removeprefix("job_").upper()

    assert len(base64.b32decode(random_part)) * 8 >= 128


def test_no_two_ids_are_the_same() -> None:
    assert len({new_id("job") for _ in range(1000)}) == 1000


def test_an_id_is_none_of_another_prefix() -> None:
    assert not is_id(new_id("job"), "ses")


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda known: known + "\n",
        lambda known: " " + known,
        lambda known: known[:-1],
        lambda known: known + "a",
        lambda known: known[:-1] + "1",
        lambda known: known[:-1] + "}",
        lambda known: known.replace("_", "-"),
        lambda known: known[:-1] + "é",
        lambda _: "",
        lambda _: "job_",
    ],
)
def test_what_differs_from_an_id_is_none(change: Callable[[str], str]) -> None:
    assert not is_id(change(new_id("job")), "job")
