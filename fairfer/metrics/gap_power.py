"""Power of the tests of an audit: the minimum detectable difference and the additional sample size of each gap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.metrics.results import AdditionalSamples, Gap
from fairfer.stats import (
    LEVEL,
    PermutationTest,
    ResolvedTest,
    SubjectDesign,
    SubjectTest,
    additional_sample_size,
    additional_subjects,
    minimum_detectable_difference,
    minimum_detectable_difference_of_subjects,
)

if TYPE_CHECKING:
    import numpy as np


def significance_levels(results: Sequence[ResolvedTest]) -> list[float]:
    """Levels below which the p-value of each test is significant in its family, with the other p-values unchanged.

    With R significant tests of m, that of a significant test is 0.05 R / m, and that of another one 0.05 (R + 1) / m. A test
    that is no member would become one.
    """
    number = sum(r.significant for r in results)
    members = sum(r.p is not None for r in results)
    return [LEVEL * (number + (not r.significant)) / (members + (r.p is None)) for r in results]


def power_fields(
    gap: Gap, test: PermutationTest, resolved: ResolvedTest, level: float, hits: np.ndarray, trials: np.ndarray
) -> dict[str, object]:
    """The fields `minimum_detectable` and `additional_samples` of a gap.

    Parameters
    ----------
    gap
        The gap with its differences.
    test, resolved, level
        Its test, the result, and the level of its p-value (see `significance_levels`).
    hits, trials
        (groups,) counts of samples.
    """
    pooled = float(hits.sum() / trials.sum())
    if not 0 < pooled < 1:
        return {"minimum_detectable": None, "additional_samples": None}
    sides = _sides(gap)
    if not isinstance(test, SubjectTest):
        additional = additional_sample_size(hits, trials, level, sides)
        rows = (
            None
            if additional is None
            else [AdditionalSamples(group=gap.groups[i], samples=n, subjects=None) for i, n in additional.items()]
        )
        return {"minimum_detectable": minimum_detectable_difference(pooled, trials, level), "additional_samples": rows}
    design, rates = SubjectDesign.of(test, resolved.critical)
    additional = additional_subjects(design, rates, level, sides)
    images = [float(t.mean()) for t in design.trials]
    rows = (
        None
        if additional is None
        else [
            AdditionalSamples(group=gap.groups[i], samples=-int(-n * images[i] // 1), subjects=n) for i, n in additional.items()
        ]
    )
    return {
        "minimum_detectable": minimum_detectable_difference_of_subjects(design, pooled, level),
        "additional_samples": rows,
    }


def _sides(gap: Gap) -> tuple[list[int], list[int]]:
    """Groups on either side of the leading difference."""
    leading = gap.leading
    if leading is None:
        return [0], [1]
    one = gap.groups.index(leading.group)
    if leading.reference is None:
        return [one], [g for g in range(len(gap.groups)) if g != one]
    return [one], [gap.groups.index(leading.reference)]
