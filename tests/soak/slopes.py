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
    """`median`, `per_thousand` captures and `growth` from the warm-up to the end: of what is left at rest.

    `highest`: at any time. The slope is the median of those between all pairs of samples, which a few do not move.
    """

    series: str
    median: float
    highest: float
    per_thousand: float
    growth: float
    is_flat: bool


def slopes(samples: Sequence[Sample]) -> list[Slope]:
    """At least one sample is at rest."""
    last = samples[-1].done
    warm = [sample for sample in samples if sample.done >= _WARM_UP_SHARE * last]
    return [_slope(series, warm) for series in sorted(samples[-1].values)]


def _slope(series: str, warm: Sequence[Sample]) -> Slope:
    left = [(sample.done, sample.values.get(series, 0.0)) for sample in warm if sample.at_rest]
    between = [
        (after - before) / (late - early) for (early, before), (late, after) in combinations(left, 2) if late > early
    ]
    slope = statistics.median(between) if between else 0.0
    growth = slope * (left[-1][0] - left[0][0])
    median = statistics.median(value for _, value in left)
    allowed = max(_FLAT_SHARE * median, _FLAT[series.partition(":")[0]])
    highest = max(sample.values.get(series, 0.0) for sample in warm)
    return Slope(series, median, highest, 1000 * slope, growth, is_flat=growth <= allowed)
