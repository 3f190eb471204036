"""Uncertainty of rates and of gaps between groups, computed on counts, so that the cost does not grow with the samples.

=========================  =============================================================================================
The largest difference among estimated group rates is above 0 even where all groups have the same true rate, and its bootstrap
interval never covers 0. Decisions therefore use permutation tests and confidence bounds, not that interval.
"""

from __future__ import annotations

from fairfer.stats.bounds import gap_bounds
from fairfer.stats.clustered import estimate_by_subjects, estimate_ratio, resampled_sums, variance_by_subjects
from fairfer.stats.comparisons import Comparisons
from fairfer.stats.families import LEVEL, ResolvedTest, resolve
from fairfer.stats.intervals import Estimates, difference_limits, newcombe, ratio_limits, wilson
from fairfer.stats.multiple_testing import benjamini_hochberg
from fairfer.stats.paired import change_of_gap, mcnemar, paired_difference, paired_limits
from fairfer.stats.permutation import (
    ParametricTest,
    PermutationResult,
    PermutationTest,
    SampleTest,
    StratifiedTest,
    parametric_gap_test,
    permutation_test,
    stratified_permutation_test,
)
from fairfer.stats.permutation_of_subjects import SubjectTest, permutation_test_of_subjects
from fairfer.stats.power import additional_sample_size, minimum_detectable_difference, planted_rates, power_of_groups
from fairfer.stats.power_of_subjects import (
    SubjectDesign,
    additional_subjects,
    minimum_detectable_difference_of_subjects,
    power_of_subjects,
)
from fairfer.stats.score_limits import score_difference_limits
from fairfer.stats.standardized import StandardizedChange, Units, change_by_standardization, satterthwaite, shrunk_rates

__all__ = [
    "LEVEL",
    "Comparisons",
    "Estimates",
    "ParametricTest",
    "PermutationResult",
    "PermutationTest",
    "ResolvedTest",
    "SampleTest",
    "StandardizedChange",
    "StratifiedTest",
    "SubjectDesign",
    "SubjectTest",
    "Units",
    "additional_sample_size",
    "additional_subjects",
    "benjamini_hochberg",
    "change_by_standardization",
    "change_of_gap",
    "difference_limits",
    "estimate_by_subjects",
    "estimate_ratio",
    "gap_bounds",
    "mcnemar",
    "minimum_detectable_difference",
    "minimum_detectable_difference_of_subjects",
    "newcombe",
    "paired_difference",
    "paired_limits",
    "parametric_gap_test",
    "permutation_test",
    "permutation_test_of_subjects",
    "planted_rates",
    "power_of_groups",
    "power_of_subjects",
    "ratio_limits",
    "resampled_sums",
    "resolve",
    "satterthwaite",
    "score_difference_limits",
    "shrunk_rates",
    "stratified_permutation_test",
    "variance_by_subjects",
    "wilson",
]
