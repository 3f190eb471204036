"""The rows of an audit: what one number is, and all that it is shown with.

Every row is strict and frozen; what is not estimable is ``None`` with a status that says why, never 0 and never NaN.
"""

from __future__ import annotations

from typing import Literal

from fairfer.schema import Strict

RateStatus = Literal["ok", "small", "not_estimable", "empty"]
"""``small``: denominator under the minimum; ``not_estimable``: denominator 0; ``empty``: nobody in the group."""

GapStatus = Literal["ok", "too_few_groups"]
ExclusionReason = Literal["small", "not_estimable", "empty", "unannotated"]


class Count(Strict):
    """How many samples of a group have one truth and one answer; ``(no_face)`` and the like are answers not given."""

    attribute: str
    group: str
    truth: str
    predicted: str
    n: int


class Rate(Strict):
    """One rate of one group, with what it was computed from.

    Where several samples show one person, ``effective_size`` is the number of independent samples that would know it as well and
    ``degrees_of_freedom`` the degrees of freedom of that; null where every sample counts as another person's.
    """

    label: str
    attribute: str
    group: str
    rate: str
    value: float | None
    numerator: int | None
    denominator: int | None
    low: float | None
    high: float | None
    status: RateStatus
    effective_size: float | None = None
    degrees_of_freedom: float | None = None


class ExcludedGroup(Strict):
    """A group that takes no part in a gap, and why; ``denominator`` is what there was of it."""

    group: str
    reason: ExclusionReason
    denominator: int

    def __str__(self) -> str:
        return f"{self.group} ({self.reason}, {self.denominator})"


class AdditionalSamples(Strict):
    """How many more images of a group would be needed."""

    group: str
    images: int

    def __str__(self) -> str:
        return f"{self.group}: {self.images}"


class Gap(Strict):
    """The difference between the groups of one attribute in one rate.

    ``worst`` and ``best`` are the groups with the less and the more favourable rate; ``expected_by_chance`` is the gap that chance alone
    gives (95 % of the time at most), ``p`` the chance of one as large as ``difference``, ``q`` the same corrected for all the
    gaps tested in this audit. Some pair of groups surely differs by ``low``, and no pair surely by more than ``high``.
    ``minimum_detectable`` is the smallest true gap that would be found with 80 % power, and ``additional_samples`` says how many more images (of
    the label, for TPR; of all others, for FPR) would find a gap as wide as this one so surely: empty when there are enough,
    null when there is no gap or nothing settles it. ``groups`` took part, ``excluded`` did not.
    """

    label: str
    attribute: str
    rate: str
    worst: str | None
    best: str | None
    difference: float | None
    ratio: float | None
    expected_by_chance: float | None
    p: float | None
    q: float | None
    low: float | None
    high: float | None
    status: GapStatus
    minimum_detectable: float | None
    additional_samples: list[AdditionalSamples] | None
    groups: list[str]
    excluded: list[ExcludedGroup]


class GroupValue(Strict):
    """A rate of one group, with its interval."""

    group: str
    value: float
    low: float
    high: float


class StandardizedGap(Strict):
    """A gap after the groups were given the same mix of labels and of what ``--standardize`` names (direct standardisation).

    ``plain`` is the gap between the same groups over the same faces before that. Only strata in which every group has faces can
    be standardised over: ``strata`` of them, with the share ``covered_share`` of the faces.
    """

    label: str
    attribute: str
    rate: str
    worst: str | None
    best: str | None
    difference: float | None
    plain: float | None
    expected_by_chance: float | None
    p: float | None
    q: float | None
    low: float | None
    high: float | None
    strata: int
    covered_share: float
    status: Literal["ok", "too_few_groups", "no_common_strata"]
    groups: list[GroupValue]


class WeightedRate(Strict):
    """A rate over weighted samples.

    ``weight`` is the sum behind it (votes, rater pairs or expected faces), ``effective_size`` the number of equally weighted
    faces that would know the rate as well.
    """

    label: str
    attribute: str
    group: str
    rate: str
    value: float | None
    weight: float
    effective_size: float
    low: float | None
    high: float | None
    status: RateStatus


class Ambiguity(Strict):
    """How often the model, and a rater, agree with the raters among faces on which those agree so far."""

    stratum: str
    attribute: str
    group: str
    faces: int
    model: float | None
    low: float | None
    high: float | None
    human: float | None
    status: RateStatus


class DuplicateConsistency(Strict):
    """How often two independent sets of votes on the very same picture gave the same label.

    For a label: of the pairs in which either has it, the share in which both have. For ``*``: of all pairs.
    """

    label: str
    pairs: int
    agree: int
    value: float | None
    low: float | None
    high: float | None


class Votes(Strict):
    """What raters' votes say about the labels that a model is held against.

    ``weighted`` are the model's rates when every vote counts, instead of one label a face; ``human`` those of a rater held
    against the plurality of the others; ``independent`` is false when twins of a picture carry copied votes, so that they
    prove nothing.
    """

    faces: int
    raters: int
    weighted: list[WeightedRate]
    human: list[WeightedRate]
    ambiguity: list[Ambiguity]
    duplicate_consistency: list[DuplicateConsistency]
    independent: bool | None


class ProbabilisticGap(Strict):
    """A gap beside the one found when each face counts for every group as much as it probably belongs to it.

    ``most_likely`` and ``probabilistic`` are the difference of the best and the worst group of the plain gap, in that order: negative when
    the order turns round.
    """

    label: str
    attribute: str
    rate: str
    worst: str
    best: str
    most_likely: float
    probabilistic: float | None
    worst_value: float | None
    best_value: float | None


class CorrectedGap(Strict):
    """A gap after an assumed share of wrong annotations was corrected for; signed as in `ProbabilisticGap`."""

    label: str
    attribute: str
    rate: str
    worst: str
    best: str
    error: float
    difference: float | None
    low: float | None
    high: float | None
    status: Literal["ok", "not_estimable"]


class AnnotationSensitivity(Strict):
    """How far what was found depends on attributes that a model inferred."""

    rates: list[WeightedRate]
    gaps: list[ProbabilisticGap]
    corrected: list[CorrectedGap]
    without: int


class Representation(Strict):
    """How evenly the groups of an attribute are represented; see `fairfer.metrics.dataset_bias.representation`."""

    attribute: str
    faces: int
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
    """How far labels go with groups, over a whole attribute, and two published summaries of the model's gaps.

    See `fairfer.metrics.dataset_bias.association`, `dsap`, `overall_disparity` and `xu_ratio`.
    """

    attribute: str
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
    """How far one label goes with one group, beside how the model fares there.

    ``tpr_excess`` and ``fpr_excess`` are the group's rate minus that of everyone else annotated.
    """

    attribute: str
    group: str
    label: str
    faces: int
    ducher_z: float
    npmi: float | None
    lewontin_d: float
    tpr_excess: float | None
    fpr_excess: float | None


class Composition(Strict):
    """Who is in the data, and which label goes with which group."""

    representation: list[Representation]
    association: list[Association]
    pairing: list[Pairing]
