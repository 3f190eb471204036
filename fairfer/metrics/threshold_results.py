"""Where the decision thresholds of a plan come from, as rows of the plan; without numpy, so that the gate can read them."""

from __future__ import annotations

from typing import Literal

from fairfer.schema import Strict

DEFAULT_THRESHOLD = 0.5
"""Scores of a multi-label model from this value on are positive, unless the plan gives another threshold."""

ThresholdStatus = Literal["chosen", "given", "no_positives", "not_in_validation"]
"""
``chosen``: the best of the grid; ``given``: set explicitly; ``no_positives``: no validation sample has the label, so F1 is
undefined and the default is kept; ``not_in_validation``: the validation data have no truth for the label, likewise.
"""


class ChosenThreshold(Strict):
    """The threshold of one label, and its F1 on the validation samples.

    ``f1`` is that at ``threshold``, ``f1_default`` that at `DEFAULT_THRESHOLD`; ``None`` where no validation sample has the
    label. ``positives`` and ``negatives`` are the validation samples known to have and not to have it.
    """

    label: str
    threshold: float
    status: ThresholdStatus
    f1: float | None
    f1_default: float | None
    positives: int
    negatives: int


class ThresholdSource(Strict):
    """Where the thresholds of a plan come from.

    Attributes
    ----------
    source
        Name of the split, or of the folder of the run.
    dataset, samples
        Name of the validation data, and number of samples.
    digest, predictions_digest
        Identity of the validation data, and of the model's answers.
    labels
        One per output class of the model.
    shared_subjects
        Number of subjects that occur in the validation and in the audited samples; ``None`` where subjects are unknown.
    """

    source: str
    dataset: str
    samples: int
    digest: str
    predictions_digest: str
    labels: list[ChosenThreshold]
    shared_subjects: int | None = None

    def without_positives(self) -> list[str]:
        """Labels that keep the default, because the validation samples do not decide."""
        return [c.label for c in self.labels if c.status in ("no_positives", "not_in_validation")]
