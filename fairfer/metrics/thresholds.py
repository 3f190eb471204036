"""Decision thresholds chosen on other samples than those audited.

The protocol is that of arXiv 2405.06841 (Kollias and others; code dkollias/Fair-Consistent-Affect-Analysis): for each label,
the threshold of {0.10, 0.15, …, 0.90} with the highest F1 on a validation set is used on the test set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairfer.metrics.threshold_results import DEFAULT_THRESHOLD, ChosenThreshold, ThresholdStatus

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

GRID = tuple(percent / 100 for percent in range(10, 91, 5))
"""Thresholds tried."""


def choose_threshold(label: str, truth: ArrayLike, scores: ArrayLike, given: float | None = None) -> ChosenThreshold:
    """The threshold of the grid with the highest F1.

    Parameters
    ----------
    label
        Name.
    truth
        (samples,) 1, 0, or NaN where unknown; unknown entries are left out.
    scores
        (samples,) scores; NaN where the model has no answer, which is never positive, as in an audit.
    given
        A threshold that was set explicitly; only its F1 is computed.

    Returns
    -------
    ChosenThreshold
        Of several thresholds with the same F1, the one nearest 0.5; of two equally near, the lower.
    """
    known = np.asarray(truth, np.float64)
    positive, negative = known == 1, known == 0
    score = np.asarray(scores)
    support = int(positive.sum())

    def f1(threshold: float) -> float:
        # As in `fairfer.audits.join`: float32 scores are compared with the threshold rounded to float32.
        selected = score >= threshold
        hits, false = int((selected & positive).sum()), int((selected & negative).sum())
        return 2 * hits / (support + hits + false)

    best = DEFAULT_THRESHOLD if given is None else given
    if given is None and support:
        best = min(GRID, key=lambda t: (-f1(t), abs(round(100 * t) - round(100 * DEFAULT_THRESHOLD)), t))
    status: ThresholdStatus = "given" if given is not None else "chosen" if support else "no_positives"
    return ChosenThreshold(
        label=label,
        threshold=best,
        status=status,
        f1=f1(best) if support else None,
        f1_default=f1(DEFAULT_THRESHOLD) if support else None,
        positives=support,
        negatives=int(negative.sum()),
    )
