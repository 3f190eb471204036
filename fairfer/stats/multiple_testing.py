"""Correction for multiple tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairfer.stats.intervals import Floats


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """FDR-adjusted p-values (q-values) of a family of tests.

    Of the tests with a q-value of at most 0.05, at most 5 % are expected to be false discoveries (Benjamini and Hochberg 1995,
    J. R. Stat. Soc. B 57).

    Parameters
    ----------
    p
        (tests,) p-values.

    Returns
    -------
    ndarray
        (tests,) q-values; empty for an empty family.
    """
    from scipy import stats  # takes a second to import, and the gate does not need it

    values = np.asarray(p, float)
    return np.asarray(stats.false_discovery_control(values, method="bh"), float) if values.size else values
