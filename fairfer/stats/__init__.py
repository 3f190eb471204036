"""How sure the rates and gaps are: numpy on counts, so that the cost does not grow with the number of pictures.

==================  =====================================================================================================
`intervals`         of a rate (Wilson), of a difference (Newcombe)
`paired`            two models on the same samples: mid-p McNemar, the change of a rate and of a gap
`subjects`          the same where several pictures show one person: people are resampled, never pictures
`expected_by_chance`            the gap that chance alone gives, by permutation of who belongs to which group
`bounds`            what a gap surely reaches and surely does not exceed, over all pairs of groups
`multiplicity`      many tests at once: Benjamini and Hochberg for reading, Holm for deciding
`power`             the gap that these data would reveal, and how many more pictures would settle one
==================  =====================================================================================================

The largest difference among noisy group rates is above zero even when the groups are treated alike, and its bootstrap interval
never covers zero. So no decision reads it: a gap is read against the chance gap and by its bounds.
"""

from __future__ import annotations

from fairfer.stats.bounds import gap_bounds
from fairfer.stats.clustered import estimate_by_subjects, estimate_ratio, resampled_sums, variance_by_subjects
from fairfer.stats.intervals import Estimates, difference_limits, newcombe, wilson
from fairfer.stats.multiple_testing import benjamini_hochberg, holm
from fairfer.stats.paired import change_of_gap, mcnemar, paired_difference, paired_limits
from fairfer.stats.permutation import Chance, chance_gap, chance_gap_in_strata, chance_gap_of_errors, chance_gap_of_subjects
from fairfer.stats.power import additional_sample_size, minimum_detectable_difference

__all__ = [
    "Chance",
    "Estimates",
    "additional_sample_size",
    "benjamini_hochberg",
    "chance_gap",
    "chance_gap_in_strata",
    "chance_gap_of_errors",
    "chance_gap_of_subjects",
    "change_of_gap",
    "difference_limits",
    "estimate_by_subjects",
    "estimate_ratio",
    "gap_bounds",
    "holm",
    "mcnemar",
    "minimum_detectable_difference",
    "newcombe",
    "paired_difference",
    "paired_limits",
    "resampled_sums",
    "variance_by_subjects",
    "wilson",
]
