"""Uncertainty of rates and of gaps between groups, computed on counts, so that the cost does not grow with the samples.

====================  =======================================================================================================
`intervals`           confidence intervals of a rate (Wilson), of a difference (Newcombe) and of a ratio (Donner and Zou)
`paired`              two models on the same samples: mid-p McNemar test, the change of a rate and of a gap
`clustered`           samples that share subjects: effective sample sizes by resampling subjects
`comparisons`         all pairs of groups and each group vs. the rest, with their score statistics
`permutation`         permutation max-T tests of differences between groups, and the gap expected by chance
`conditional`         the same for two groups, without drawing permutations
`families`            which tests of a family are significant, with sequential permutations
`score_limits`        score limits of a difference and of a ratio
`standardized`        direct standardization: how it changes a difference, and the interval of the change
`bounds`              confidence bounds of the gap over all pairs of groups, for reading
`binomial`            exact (Clopper–Pearson) limits of a rate, without scipy
`exact`               limits that decide: of differences, ratios, gaps and paired changes, with errors that hold in the tails
`effective`           effective trials of samples that share subjects, for limits that decide
`multiple_testing`    false discovery rate (Benjamini and Hochberg)
`critical_values`     critical values of these tests for margins of data that do not exist yet
`power`               power of the decision taken, minimum detectable difference and additional sample size
`power_of_subjects`   the same for samples that share subjects
====================  =======================================================================================================

The largest difference among estimated group rates is above 0 even where all groups have the same true rate, and its bootstrap
interval never covers 0. Decisions therefore use the gap expected by chance and confidence bounds, not that interval.
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
from fairfer.stats.power import additional_sample_size, minimum_detectable_difference, planted_rates, power
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
    "power",
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
