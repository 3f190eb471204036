"""Claims that are known not to hold in some settings: which settings, the worst value, and the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rows import Row

MARGIN = 3
"""Monte-Carlo standard errors beyond the claimed value from which a claim does not hold."""


@dataclass(frozen=True)
class Documented:
    """A claim that does not hold.

    Attributes
    ----------
    promise
        The claim.
    setting
        Regular expression for the settings.
    worst
        Worst value that is known; a worse one is a failure.
    why
        Reason.
    """

    promise: str
    setting: str
    worst: float
    why: str

    def covers(self, row: Row) -> bool:
        """Whether a row is a known exception and no worse than known."""
        if row.promise != self.promise or not re.search(self.setting, row.setting):
            return False
        slack = MARGIN * row.error
        fewer_is_worse = row.nominal > 0.05
        return row.found + slack >= self.worst if fewer_is_worse else row.found - slack <= self.worst


DOCUMENTED = (
    Documented(
        "Wilson: the 95 % interval of a rate covers it",
        r"^n=(20|50|200), rate 0\.(02|05|95|98)$",
        0.92,
        "Hits are whole numbers, so coverage oscillates between sizes and rates; its mean over rates is as claimed at every "
        "size.",
    ),
    Documented(
        "subjects resampled: the 95 % interval of a rate covers it",
        r"^(10|20) subjects x 10, correlation 0\.4, rate 0\.9",
        0.89,
        "Nearly all of 10 or 20 subjects are always classified correctly. The few others determine both the rate and its "
        "variance, and samples often contain too few of them.",
    ),
    Documented(
        "subjects resampled: the 95 % interval of a rate covers it",
        r"^50 subjects x 1 to 40, correlation 0\.[14]",
        0.88,
        "A few subjects have most of the samples: these 50 subjects are as informative as 22 with equal numbers of samples.",
    ),
    Documented(
        "AUROC: the 95 % interval covers it",
        r"near perfect$",
        0.9,
        "Few samples are misranked. They determine both the AUROC and its variance, and samples often contain too few of them.",
    ),
    Documented(
        "Brier score: the 95 % interval covers it",
        r"^(100 faces|20 subjects x 10 faces), near perfect$",
        0.89,
        "Few samples have a large loss. They determine both the mean and its variance, and are often missing from a sample.",
    ),
    Documented(
        "confusions of a random attribute of subjects: some p < 0.05 of a confusion in at most 5 %",
        r"^12 subjects x 12 vs\. 60 subjects x 3, correlation 0\.4$",
        0.08,
        "A few subjects with many samples each beside many with few: the variance of the few is estimated from twelve numbers.",
    ),
)
