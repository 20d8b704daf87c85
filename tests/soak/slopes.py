"""Whether what a fleet takes stays flat once it is warm."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from tests.soak.samples import Sample

# Of the captures: pools, caches and heaps have their size by then.
_WARM_UP_SHARE = 0.25
# Growth from the warm-up to the end that passes for flat: a share of the median, or this much if that is more.
_FLAT_SHARE = 0.1
_FLAT = {"memory MB": 20.0, "processes": 3.0, "descriptors": 20.0, "temp MB": 5.0}


@dataclass(frozen=True)
class Slope:
    """`per_thousand`: captures; `growth`: from the warm-up to the end. Both by the median slope between all pairs
    of samples, which the peaks of a few hostile pages do not move.
    """

    series: str
    median: float
    highest: float
    per_thousand: float
    growth: float
    is_flat: bool


def slopes(samples: Sequence[Sample]) -> list[Slope]:
    last = samples[-1].done
    warm = [sample for sample in samples if sample.done >= _WARM_UP_SHARE * last]
    return [_slope(series, warm) for series in sorted(samples[-1].values)]


def _slope(series: str, warm: Sequence[Sample]) -> Slope:
    values = [sample.values.get(series, 0.0) for sample in warm]
    pairs = combinations(zip((sample.done for sample in warm), values, strict=True), 2)
    between = [(after - before) / (late - early) for (early, before), (late, after) in pairs if late > early]
    slope = statistics.median(between) if between else 0.0
    growth = slope * (warm[-1].done - warm[0].done)
    median = statistics.median(values)
    allowed = max(_FLAT_SHARE * median, _FLAT[series.partition(":")[0]])
    return Slope(series, median, max(values), 1000 * slope, growth, is_flat=growth <= allowed)
