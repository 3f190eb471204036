"""Pixels of maps in which the means of groups differ, with one max-T test over all pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.mean_differences import mean_differences

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fairfer.stats.comparisons import Comparisons
    from fairfer.stats.intervals import Floats

PIXEL_PERMUTATIONS = 1_000


@dataclass(frozen=True)
class PixelDifferences:
    """Pixels of maps in which groups differ.

    Attributes
    ----------
    comparisons
        What is compared: all pairs of groups and, with three or more, each group with the rest.
    difference
        (comparisons, height, width): difference of the means, as in `MeanDifferences`.
    p
        (comparisons, height, width): p-value, adjusted for all comparisons of all pixels; NaN in a pixel that does not vary.
    significant
        (comparisons, height, width): where the adjusted p-value is below 1 - confidence. If no group differs in any pixel,
        there is any such pixel in at most 5 % of cases.
    p_of_any
        The smallest adjusted p-value.
    """

    comparisons: Comparisons
    difference: Floats
    p: Floats
    significant: NDArray[np.bool_]
    p_of_any: float


def pixel_differences(
    maps: ArrayLike,
    group: ArrayLike,
    *,
    generator: np.random.Generator,
    subject: ArrayLike | None = None,
    stratum: ArrayLike | None = None,
    permutations: int = PIXEL_PERMUTATIONS,
    confidence: float = 0.95,
) -> PixelDifferences:
    """Compare the mean maps of groups, pixel by pixel, with a controlled probability of any false pixel.

    Parameters
    ----------
    maps
        (samples, height, width), aligned with each other.
    group, generator, subject, stratum, permutations, confidence
        As for `mean_differences`, which does the work: each pixel is a measure.
    """
    pictures = np.asarray(maps)
    height, width = pictures.shape[1:]
    result = mean_differences(
        pictures.reshape(len(pictures), height * width),
        group,
        generator=generator,
        subject=subject,
        stratum=stratum,
        permutations=permutations,
        confidence=confidence,
    )
    shape = (len(result.comparisons), height, width)
    significant = np.nan_to_num(result.p, nan=1) < 1 - confidence
    return PixelDifferences(
        result.comparisons,
        result.difference.reshape(shape),
        result.p.reshape(shape),
        significant.reshape(shape),
        result.p_of_any,
    )
