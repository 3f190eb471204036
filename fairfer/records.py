"""The rows of an audit: what one number is, and all that it is shown with.

Every row is strict and frozen; what is not estimable is ``None`` with a status that says why, never 0 and never NaN.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

UNANNOTATED = "unannotated"
"""The level of those for whom an attribute has no value; `fairfer.dataset` names it, a test holds the two together."""

RateStatus = Literal["ok", "small", "not_estimable", "empty"]
"""``small``: denominator under the minimum; ``not_estimable``: denominator 0; ``empty``: nobody in the group."""

GapStatus = Literal["ok", "too_few_groups"]
LeftOutReason = Literal["small", "not_estimable", "empty", "unannotated"]


class Strict(BaseModel):
    """A model that knows all of its fields, never changes, and holds no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Count(Strict):
    """How many samples of a group have one truth and one answer; ``(no_face)`` and the like are answers not given."""

    attribute: str
    group: str
    truth: str
    predicted: str
    n: int


class Rate(Strict):
    """One rate of one group, with what it was computed from.

    Where several samples show one person, ``effective`` is the number of independent samples that would know it as well and
    ``freedom`` the degrees of freedom of that; null where every sample counts as another person's.
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
    effective: float | None = None
    freedom: float | None = None


class LeftOut(Strict):
    """A group that takes no part in a gap, and why; ``denominator`` is what there was of it."""

    group: str
    reason: LeftOutReason
    denominator: int

    def __str__(self) -> str:
        return f"{self.group} ({self.reason}, {self.denominator})"


class More(Strict):
    """How many more images of a group would be needed."""

    group: str
    images: int

    def __str__(self) -> str:
        return f"{self.group}: {self.images}"


class Gap(Strict):
    """The difference between the groups of one attribute in one rate.

    ``worst`` and ``best`` are the groups with the less and the more favourable rate; ``chance`` is the gap that chance alone
    gives (95 % of the time at most), ``p`` the chance of one as large as ``difference``, ``q`` the same corrected for all the
    gaps tested in this audit. Some pair of groups surely differs by ``low``, and no pair surely by more than ``high``.
    ``detectable`` is the smallest true gap that would be found with 80 % power, and ``settle`` says how many more images (of
    the label, for TPR; of all others, for FPR) would find a gap as wide as this one so surely: empty when there are enough,
    null when there is no gap or nothing settles it. ``groups`` took part, ``left_out`` did not.
    """

    label: str
    attribute: str
    rate: str
    worst: str | None
    best: str | None
    difference: float | None
    ratio: float | None
    chance: float | None
    p: float | None
    q: float | None
    low: float | None
    high: float | None
    status: GapStatus
    detectable: float | None
    settle: list[More] | None
    groups: list[str]
    left_out: list[LeftOut]


class GroupValue(Strict):
    """A rate of one group, with its interval."""

    group: str
    value: float
    low: float
    high: float


class AdjustedGap(Strict):
    """A gap after the groups were given the same mix of labels and of what ``--adjust`` names (direct standardisation).

    ``plain`` is the gap between the same groups over the same faces before that. Only strata in which every group has faces can
    be standardised over: ``strata`` of them, with the share ``covered`` of the faces.
    """

    label: str
    attribute: str
    rate: str
    worst: str | None
    best: str | None
    difference: float | None
    plain: float | None
    chance: float | None
    p: float | None
    q: float | None
    low: float | None
    high: float | None
    strata: int
    covered: float
    status: Literal["ok", "too_few_groups", "no_common_strata"]
    groups: list[GroupValue]


class WeightedRate(Strict):
    """A rate over weighted samples.

    ``weight`` is the sum behind it (votes, rater pairs or expected faces), ``effective`` the number of equally weighted
    faces that would know the rate as well.
    """

    label: str
    attribute: str
    group: str
    rate: str
    value: float | None
    weight: float
    effective: float
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


class Retest(Strict):
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
    retest: list[Retest]
    independent: bool | None


class FuzzyGap(Strict):
    """A gap beside the one found when each face counts for every group as much as it probably belongs to it.

    ``hard`` and ``fuzzy`` are the difference of the best and the worst group of the plain gap, in that order: negative when
    the order turns round.
    """

    label: str
    attribute: str
    rate: str
    worst: str
    best: str
    hard: float
    fuzzy: float | None
    worst_value: float | None
    best_value: float | None


class Corrected(Strict):
    """A gap after an assumed share of wrong annotations was corrected for; signed as in `FuzzyGap`."""

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


class Annotation(Strict):
    """How far what was found depends on attributes that a model inferred."""

    rates: list[WeightedRate]
    gaps: list[FuzzyGap]
    corrected: list[Corrected]
    without: int


class Representation(Strict):
    """How evenly the groups of an attribute are represented; see `fairfer.composition.representation`."""

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

    See `fairfer.composition.association`, `dsap`, `overall_disparity` and `xu_ratio`.
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
