"""Many tests at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairfer.stats.intervals import Floats


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """q-values of a family of tests (Benjamini and Hochberg 1995).

    A test whose q is below 0.05 is one of a list of which, on average, at most 5 % are false alarms.
    """
    from scipy import stats  # noqa: PLC0415 - takes a second to import, and a gate needs none of it

    values = np.asarray(p, float)
    return np.asarray(stats.false_discovery_control(values, method="bh"), float) if values.size else values


def holm(p: ArrayLike) -> Floats:
    """Adjusted p-values of a family of tests (Holm 1979, Scand. J. Stat. 6).

    The chance that any test whose adjusted p is below 0.05 is a false alarm is at most 5 %, however the tests depend on one
    another. statsmodels has the same as ``multipletests(method="holm")``.
    """
    values = np.asarray(p, float)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    standardized = np.empty_like(values)
    standardized[order] = np.minimum(stepped, 1)
    return standardized
