"""Seconds that a model takes to answer, by group (ISO/IEC 19795-10 asks for the transaction time of each group)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairfer.metrics.option_results import AnswerTime
from fairfer.vocabulary import Group, Grouping, is_annotated

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERCENTILE = 95


def answer_times(
    seconds: NDArray[np.float64],
    images: NDArray[np.int64],
    members: Mapping[Grouping, tuple[Sequence[Group], NDArray[np.int64]]],
    confidence: float,
) -> list[AnswerTime]:
    """Times of every group.

    Parameters
    ----------
    seconds
        (n,) seconds per image; not a number where the time is unknown. In a call with several images each has the average.
    images
        (n,) number of images in the call.
    members
        For each grouping its groups, and (n,) the number of the group of each image, -1 for none.
    confidence
        Of the interval of the median.
    """
    known = np.isfinite(seconds)
    return [
        _row(grouping, group, seconds[(codes == i) & known], images[(codes == i) & known], confidence)
        for grouping, (groups, codes) in members.items()
        for i, group in enumerate(groups)
    ]


def _row(
    grouping: Grouping, group: Group, seconds: NDArray[np.float64], images: NDArray[np.int64], confidence: float
) -> AnswerTime:
    if not len(seconds):
        return AnswerTime(
            attribute=grouping, group=group, images=0, mean=None, median=None, low=None, high=None, percentile_95=None,
            images_per_call=None, status="not_estimable",
        )  # fmt: skip
    low, high = median_limits(seconds, confidence)
    return AnswerTime(
        attribute=grouping,
        group=group,
        images=len(seconds),
        mean=float(seconds.mean()),
        median=float(np.median(seconds)),
        low=low,
        high=high,
        percentile_95=float(np.percentile(seconds, PERCENTILE)),
        images_per_call=int(images.max()),
        status="ok" if is_annotated(group) else "unannotated",
    )


def median_limits(values: NDArray[np.float64], confidence: float) -> tuple[float | None, float | None]:
    """Distribution-free confidence limits of a median, from order statistics.

    Conover (1999, Practical Nonparametric Statistics, 3.2): the values of rank l and n + 1 - l, where l is the largest rank
    with P(B < l) of at most half of the error and B is binomial with n trials and probability 0.5. ``None`` for fewer values
    than such a rank needs (6 at 95 %).
    """
    from scipy import stats  # slow to import

    n = len(values)
    rank = int(stats.binom.ppf((1 - confidence) / 2, n, 0.5))
    if stats.binom.cdf(rank, n, 0.5) <= (1 - confidence) / 2:
        rank += 1
    if rank < 1:
        return None, None
    ordered = np.sort(values)
    return float(ordered[rank - 1]), float(ordered[n - rank])
