"""Rows of an audit's tables.

Every row is strict and immutable. ``attribute`` is a grouping, ``group`` a tuple of levels (see `fairfer.vocabulary`). A value
that is not estimable is ``None`` with a status that says why, never 0 and never NaN.
"""

from __future__ import annotations

from typing import Literal

from fairfer.schema import Strict
from fairfer.vocabulary import Group, Grouping, Status, group_name

RateStatus = Literal["ok", "small", "few_subjects", "not_estimable", "empty"]
"""
``small``: denominator below the minimum; ``few_subjects``: enough samples, of fewer subjects than the minimum;
``not_estimable``: denominator 0; ``empty``: no sample in the group.
"""

DifferenceStatus = Literal["ok", "too_few_groups", "no_variation"]
"""``no_variation``: hits are so many, or so few, that no outcome with these numbers would be significant."""

ExclusionReason = Literal["small", "few_subjects", "not_estimable", "empty", "unannotated"]

CorrectionScenario = Literal["as_annotated", "validation", "all_groups", "worst_only", "best_only"]

ScoreMetricName = Literal["auroc", "average_precision", "brier_score", "expected_calibration_error"]
ScoreStatus = Literal["ok", "small", "not_estimable", "unbounded_scores"]
"""
``small``: fewer positives or negatives than the minimum; ``not_estimable``: no positives or no negatives (for the Brier score
and the calibration error: neither); ``unbounded_scores``: the scores are not probabilities, so only their order has a meaning.
"""


class LabelCount(Strict):
    """True positives, false negatives, false positives and true negatives of one label in one group."""

    attribute: Grouping
    group: Group
    label: str
    tp: int
    fn: int
    fp: int
    tn: int


class GroupCount(Strict):
    """Samples of one group.

    ``correct`` of the ``judged`` samples (those with a known label) are classified correctly; for multi-label data, in every
    known label. ``statuses`` counts the samples by status of the answer; those with ``ok`` have one.
    """

    attribute: Grouping
    group: Group
    total: int
    judged: int
    correct: int
    statuses: dict[Status, int]

    @property
    def answered(self) -> int:
        """Samples with an answer."""
        return self.statuses["ok"]


class Confusion(Strict):
    """How often samples of one group with one true label were predicted as another.

    ``predicted`` is `fairfer.vocabulary.NO_ANSWER` where there is no answer. ``rate`` is ``count`` over ``support``, the
    samples of the group with that true label.
    """

    attribute: Grouping
    group: Group
    truth: str
    predicted: str
    count: int
    support: int
    rate: float | None
    low: float | None
    high: float | None
    status: RateStatus


class UnsupportedCount(Strict):
    """Samples of one group whose true label is not among the model's output classes, and how the audit counted them.

    Attributes
    ----------
    label
        The label of the dataset.
    counted_as
        The label that they were merged into; ``None`` where they were excluded.
    predicted
        The answer: a label, or `fairfer.vocabulary.NO_ANSWER`. ``None`` for multi-label data, where `count` is the number of
        samples with the label.
    """

    attribute: Grouping
    group: Group
    label: str
    counted_as: str | None
    predicted: str | None
    count: int


class ScoreHistogram(Strict):
    """Scores of one label in one group, in the bins of `fairfer.metrics.score_bins`; empty bins are omitted."""

    attribute: Grouping
    group: Group
    label: str
    bins: list[int]
    positives: list[int]
    negatives: list[int]


class ScoreMetric(Strict):
    """One score-based metric of one label in one group; the limits allow for sampling and for binning."""

    label: str
    attribute: Grouping
    group: Group
    metric: ScoreMetricName
    value: float | None
    positives: int
    negatives: int
    low: float | None
    high: float | None
    status: ScoreStatus


class ReliabilityBin(Strict):
    """One bin of a reliability curve: scores in [``bin_low``, ``bin_high``) and the share of positives among them."""

    label: str
    attribute: Grouping
    group: Group
    bin_low: float
    bin_high: float
    mean_score: float
    share: float
    low: float
    high: float
    positives: int
    total: int


class Rate(Strict):
    """One rate of one group, with its numerator and denominator.

    Where several samples show one subject, ``subjects`` is their number in the denominator, ``effective_size`` the number of
    independent samples with the same precision, ``degrees_of_freedom`` those of its variance, and ``largest_share`` the share
    of the denominator that the subject with the most has; ``None`` where every sample counts as a subject of its own.
    """

    label: str
    attribute: Grouping
    group: Group
    rate: str
    value: float | None
    numerator: int | None
    denominator: int | None
    low: float | None
    high: float | None
    status: RateStatus
    effective_size: float | None = None
    degrees_of_freedom: float | None = None
    subjects: int | None = None
    largest_share: float | None = None


class ExcludedGroup(Strict):
    """A group that takes no part in a comparison, and why; ``denominator`` is its rate's."""

    group: Group
    reason: ExclusionReason
    denominator: int

    def __str__(self) -> str:
        return f"{group_name(self.group)} ({self.reason}, {self.denominator})"


class AdditionalSamples(Strict):
    """How many more samples of a group are needed, and from how many more subjects, where subjects were sampled."""

    group: Group
    samples: int
    subjects: int | None

    def __str__(self) -> str:
        return f"{group_name(self.group)}: {self.samples}"


class GroupDifference(Strict):
    """Difference of one rate between a group and another one, or all other compared groups together.

    ``difference`` is the rate of ``group`` minus that of ``reference``; ``None`` as reference stands for the rest. In a pair,
    ``group`` has the higher rate. ``p`` is adjusted for all comparisons of the gap. ``significant`` allows for all gaps of the
    audit too; ``low`` and ``high`` are then confidence bounds that allow for the selection of significant gaps (FCR-adjusted),
    else ``None``.
    """

    group: Group
    reference: Group | None
    difference: float
    low: float | None
    high: float | None
    p: float
    significant: bool

    @property
    def certain_size(self) -> float:
        """The size of the difference that is certain: its bound nearer to 0, or 0 where that has the other sign."""
        if self.low is None or self.high is None:
            return 0.0
        return max(self.low, -self.high, 0.0)


class Gap(Strict):
    """The differences between the groups of one grouping in one rate.

    ``worst`` and ``best`` are the groups with the least and the most favorable rate, ``difference`` the largest minus the
    smallest rate. ``expected_by_chance`` is the 95th percentile of that under permutation. ``p`` is the p-value of the largest
    studentized difference of all pairs and of each group vs. the rest (permutation max-T), ``q`` the same, FDR-adjusted
    (Benjamini-Hochberg) over all gaps of the audit, and ``significant`` whether q is below 0.05. ``borderline`` gaps have a
    p-value so near the threshold that more permutations could change that. ``critical_value`` is the studentized difference
    that is significant in this audit. No pair of groups differs by more than ``high`` (95 % confidence).

    ``differences`` are those of each group vs. the rest and of pairs: all pairs of few groups, else those with an adjusted
    p-value below 0.05 and the most extreme one.

    ``minimum_detectable`` is the smallest true difference between the two smallest groups that is reported as significant in
    this audit with 80 % power. ``additional_samples`` is the additional sample size with which differences as large as the
    observed ones are (with the label for TPR, without it for FPR): empty when there are enough, ``None`` when no sample size
    would do. ``groups`` took part, ``excluded`` did not.
    """

    label: str
    attribute: Grouping
    rate: str
    worst: Group | None
    best: Group | None
    difference: float | None
    ratio: float | None
    expected_by_chance: float | None
    p: float | None
    q: float | None
    significant: bool
    borderline: bool
    critical_value: float | None
    high: float | None
    status: DifferenceStatus
    differences: list[GroupDifference]
    minimum_detectable: float | None
    additional_samples: list[AdditionalSamples] | None
    groups: list[Group]
    excluded: list[ExcludedGroup]

    @property
    def leading(self) -> GroupDifference | None:
        """The significant difference whose certain size is largest; without a significant one, that with the least p-value."""
        return max(self.differences, key=lambda d: (d.significant, d.certain_size, -d.p, abs(d.difference)), default=None)


class GroupValue(Strict):
    """A rate of one group, with its interval."""

    group: Group
    value: float
    low: float
    high: float


class StandardizedGap(Strict):
    """A gap between directly standardized rates: every group has the same mix of labels and of the ``--standardize`` columns.

    Only strata in which every group has samples take part: ``strata`` of them, with the share ``covered_share`` of the samples.
    ``unstandardized`` and ``standardized`` are the gap between ``worst`` and ``best`` of `Gap` over these samples, before and
    after: negative where the order of these two groups reverses. ``change`` is the second minus the first, with a confidence
    interval of its own. ``worst``, ``best`` and ``difference`` are those of the largest standardized gap of all groups, and
    ``p``, ``q``, ``low`` and ``high`` belong to it.
    """

    label: str
    attribute: Grouping
    rate: str
    strata: int
    covered_share: float
    unstandardized: float | None
    standardized: float | None
    change: float | None
    change_low: float | None
    change_high: float | None
    worst: Group | None
    best: Group | None
    difference: float | None
    expected_by_chance: float | None
    p: float | None
    q: float | None
    low: float | None
    high: float | None
    status: Literal["ok", "too_few_groups", "no_common_strata", "no_variation"]
    groups: list[GroupValue]


class WeightedRate(Strict):
    """A rate over weighted samples.

    ``weight`` is the sum of the weights (votes, pairs of raters or expected samples), ``effective_size`` the number of equally
    weighted samples with the same precision.
    """

    label: str
    attribute: Grouping
    group: Group
    rate: str
    value: float | None
    weight: float
    effective_size: float
    low: float | None
    high: float | None
    status: RateStatus


class Ambiguity(Strict):
    """Accuracy of the model, and of one rater, among samples on which raters agree to the same degree."""

    stratum: str
    attribute: Grouping
    group: Group
    samples: int
    model: float | None
    low: float | None
    high: float | None
    human: float | None
    status: RateStatus


class DuplicateConsistency(Strict):
    """How often two independent sets of votes on the same image gave the same label.

    For a label: of the pairs in which either has it, the share in which both have it. For ``*``: of all pairs.
    """

    label: str
    pairs: int
    agree: int
    value: float | None
    low: float | None
    high: float | None


class HumanAgreement(Strict):
    """What raters' votes show about the labels.

    ``weighted`` are the model's rates with every vote counted instead of one label per sample. ``human`` are the rates of one
    rater, with the majority of the others as the truth. In the groupings ``leave_one_out`` the votes of the others alone decide
    which faces take part; elsewhere the dataset selected them with the vote of that rater too, so that agreement is
    overestimated. ``independent`` is false when duplicates of an image carry copied
    votes, which makes their agreement meaningless.
    """

    samples: int
    raters: int
    leave_one_out: list[Grouping]
    weighted: list[WeightedRate]
    human: list[WeightedRate]
    ambiguity: list[Ambiguity]
    duplicate_consistency: list[DuplicateConsistency]
    independent: bool | None


class ProbabilisticGap(Strict):
    """A gap between most-likely groups beside the same gap with probabilistic group membership.

    ``most_likely`` and ``probabilistic`` are of the groups of the plain gap, and positive like its ``difference``; negative
    where the order of these groups reverses. ``worst_value`` and ``best_value`` are their rates with probabilistic membership.
    """

    label: str
    attribute: Grouping
    rate: str
    worst: Group
    best: Group
    most_likely: float
    probabilistic: float | None
    worst_value: float | None
    best_value: float | None


class CorrectedGap(Strict):
    """A gap corrected for errors of the model that inferred the groups; signed as `ProbabilisticGap`.

    ``scenario`` is ``as_annotated``; ``validation``: corrected by the confusion matrix of a validation sample; or one of
    ``all_groups``, ``worst_only``, ``best_only``: the share ``error`` of the faces that belong to these groups is annotated
    wrongly. An interval allows for the sampling error of the faces, and of the validation sample.
    """

    label: str
    attribute: Grouping
    rate: str
    worst: Group
    best: Group
    scenario: CorrectionScenario
    error: float | None
    difference: float | None
    low: float | None
    high: float | None
    status: Literal["ok", "not_estimable"]


class AnnotationSensitivity(Strict):
    """How sensitive the gaps are to errors of the model that inferred the groups.

    ``corrected`` has for each gap the one as annotated, then that corrected by a validation sample, or scenarios.

    ``without_probabilities`` counts samples that count for their annotated group alone.
    """

    rates: list[WeightedRate]
    gaps: list[ProbabilisticGap]
    corrected: list[CorrectedGap]
    without_probabilities: int


class Representation(Strict):
    """How evenly the groups of an attribute are represented; see `fairfer.metrics.dataset_bias.representation`."""

    attribute: Grouping
    samples: int
    unannotated: int
    richness: int
    shannon: float
    ens: float
    simpson: float
    inverse_simpson: float
    gini_simpson: float
    evenness: float | None
    nsd: float | None
    imbalance: float
    berger_parker: float


class Association(Strict):
    """Association of labels with groups, and two published summaries of the model's differences between groups.

    See `fairfer.metrics.dataset_bias.association`, `dsap`, `overall_disparity` and `xu_ratio`.
    """

    attribute: Grouping
    cramers_v: float | None
    tschuprow: float | None
    pearson: float | None
    theil_u: float | None
    theil_u_reverse: float | None
    nmi: float | None
    dsap_representational: float
    dsap_evenness: float
    dsap_stereotypical: float | None
    overall_disparity: float | None
    xu_ratio: float | None


class Pairing(Strict):
    """Association of one label with one group, beside the model's rates there.

    ``tpr_excess`` and ``fpr_excess`` are the group's rate minus that of all other annotated samples.
    """

    attribute: Grouping
    group: Group
    label: str
    samples: int
    ducher_z: float
    npmi: float | None
    lewontin_d: float
    tpr_excess: float | None
    fpr_excess: float | None


class DatasetBias(Strict):
    """Composition of the dataset, and association of labels with groups."""

    representation: list[Representation]
    association: list[Association]
    pairing: list[Pairing]
