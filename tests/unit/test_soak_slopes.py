"""What the soak takes for growth."""

import pytest

from tests.soak.samples import Sample
from tests.soak.slopes import Slope, slopes


def slope_of(*memory: float) -> Slope:
    """Of memory that was measured after every 100 captures."""
    samples = [at_rest(100 * number, value) for number, value in enumerate(memory)]
    (slope,) = slopes(samples)
    return slope


def at_rest(done: int, value: float) -> Sample:
    return Sample(done, {"memory MB: host": value}, at_rest=True)


@pytest.mark.parametrize("warm", [(100,) * 10, (100, 105, 95) * 3, (100, 101, 102, 103, 104, 105, 106, 107, 108)])
def test_what_wavers_or_grows_little_is_flat(warm: tuple[float, ...]) -> None:
    assert slope_of(*warm).is_flat


def test_what_grows_on_and_on_is_not_flat() -> None:
    slope = slope_of(*range(100, 600, 50))
    assert not slope.is_flat
    assert slope.per_thousand == pytest.approx(500)


def test_growth_while_it_warms_up_does_not_count() -> None:
    assert slope_of(10, 60, 100, *(100,) * 9).is_flat


def test_what_captures_take_while_they_run_is_no_growth() -> None:
    running = [Sample(100 * number + 50, {"memory MB: host": 100.0 * number}) for number in range(9)]
    (slope,) = slopes([*running, *(at_rest(100 * number, 100) for number in range(10))])
    assert slope.is_flat
    assert slope.highest == 800
