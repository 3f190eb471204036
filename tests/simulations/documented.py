"""Promises that are known not to be kept everywhere: where, how badly at worst, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rows import Row

MARGIN = 3
"""A promise counts as broken when what was found is beyond it by more than so many Monte-Carlo standard errors."""


@dataclass(frozen=True)
class Documented:
    """A promise that is not kept.

    Attributes
    ----------
    promise
        Of the rows it is about.
    setting
        Pattern that their settings match.
    worst
        Anything worse than this is not known, and a failure.
    why
        In plain words.
    """

    promise: str
    setting: str
    worst: float
    why: str

    def covers(self, row: Row) -> bool:
        """Whether a row is one that is known, and no worse than is known."""
        if row.promise != self.promise or not re.search(self.setting, row.setting):
            return False
        slack = MARGIN * row.error
        fewer_is_worse = row.nominal > 0.05
        return row.found + slack >= self.worst if fewer_is_worse else row.found - slack <= self.worst


DOCUMENTED = (
    Documented(
        "Wilson: a rate's 95 % interval holds it",
        r"^n=(20|50|200), rate 0\.(02|05|95|98)$",
        0.92,
        "Hits are whole numbers, so that for one size and one rate the share jumps up and down; the mean over rates keeps the "
        "promise at every size.",
    ),
    Documented(
        "people resampled: a rate's 95 % interval holds it",
        r"^(10|20) people x 10, correlation 0\.4, rate 0\.9",
        0.89,
        "Of 10 or 20 people nearly all are always read rightly. The few who are not make both the rate and its error, and "
        "often too few of them are in the sample.",
    ),
    Documented(
        "people resampled: a rate's 95 % interval holds it",
        r"^50 people x 1 to 40, correlation 0\.[14]",
        0.88,
        "A few people with most of the pictures decide: these 50 people tell as much as 22 with as many pictures each.",
    ),
    *(
        Documented(
            f"gate, the worst of all rates: {verdict} in at most 5 %",
            "^(20|30) v (200|500|1000),|^100 v 1000,",
            0.062,
            "A small group beside a large one, near 0 or 1, where score limits are approximate. Without continuity correction "
            "it would be up to twice as much.",
        )
        for verdict in ("passes", "fails")
    ),
    Documented(
        "AUROC: its 95 % interval holds it",
        r"near perfect$",
        0.9,
        "Few faces are ranked wrongly. They make both the AUROC and its variance, and often too few of them are in the sample.",
    ),
    Documented(
        "Brier score: its 95 % interval holds it",
        r"^(100 faces|20 subjects x 10 faces), near perfect$",
        0.89,
        "Few faces have a large loss. They make both the mean and its variance, and often too few of them are in the sample.",
    ),
    Documented(
        "standardised: a rate's 95 % interval holds it",
        "^2 groups, one lopsided stratum, group 1$",
        0.89,
        "Five faces stand for a stratum that has a seventh of the weight. What they say of its variance is taken as known.",
    ),
)
