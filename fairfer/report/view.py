"""Look-ups in an audit, shared by sentences, tables, figures and sections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fairfer.labels import canonical
from fairfer.metrics.results import (
    CorrectedGap,
    Gap,
    GroupDifference,
    ProbabilisticGap,
    Rate,
    StandardizedGap,
    WeightedRate,
)
from fairfer.report.attachments import Attachments
from fairfer.report.text.groups import EVERYONE, Group, Grouping
from fairfer.report.text.numbers import listed, many
from fairfer.vocabulary import ALL, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairfer.audits.result import Audit

TOO_FEW = frozenset({"small", "few_subjects"})
"""Statuses of rates that are shown, but have too few faces or subjects to be compared."""

ALPHA = 0.05
"""Significance level of the FDR-adjusted p-value."""

RATES = {
    "TPR": "true positive rate",
    "FPR": "false positive rate",
    "TNR": "true negative rate",
    "FNR": "false negative rate",
}
"""The four rates of a label, in the order of the heat maps."""

RATE_DESCRIPTIONS = {
    "TPR": "of the faces with this label, the share classified as it",
    "FPR": "of the faces with another label, the share misclassified as it",
    "TNR": "of the faces with another label, the share not classified as it",
    "FNR": "of the faces with this label, the share not classified as it",
}
"""Each error rate in words."""

OVERALL_RATES = (
    "accuracy", "subset accuracy", "macro-F1", "weighted macro-F1", "Hamming loss", "coverage",
)  # fmt: skip
"""Rates over all labels, in the order of tables; an audit has those of its task."""

RateSource = Literal["model", "rater"]
"""Whose vote-weighted rate: the model's, or that of one rater vs. the majority of the others."""

_REASONS: dict[Status, str] = {
    "no_face": "no face detected",
    "refused": "model declined to answer",
    "unreadable": "image unreadable",
    "error": "error",
}


@dataclass(frozen=True)
class Side:
    """One side of a difference: a group, or several together."""

    groups: tuple[Group, ...]
    numerator: int
    denominator: int

    @property
    def value(self) -> float:
        """The rate of the groups together."""
        return self.numerator / self.denominator


class View:
    """An audit with look-ups by rate, label, grouping and group.

    Parameters
    ----------
    audit
        The audit.
    attachments
        Results of other commands on the same run; none by default.

    Attributes
    ----------
    audit, attachments
        As given.
    labels
        Audited labels, in display order.
    groupings
        Attributes and intersections that were compared.
    human_agreement
        Agreement with human raters; ``None`` without votes.
    """

    def __init__(self, audit: Audit, attachments: Attachments | None = None) -> None:
        self.audit = audit
        self.attachments = attachments or Attachments()
        self.labels = list(audit.labels.audited)
        self.groupings: list[Grouping] = list(audit.groupings)
        self.human_agreement = audit.human_agreement
        self._rates = {(r.rate, r.label, r.attribute, r.group): r for r in audit.rates}
        self._groups: dict[Grouping, dict[Group, None]] = {}
        for row in audit.rates:
            self._groups.setdefault(row.attribute, {})[row.group] = None
        self._tested: list[Gap] = sorted((g for g in audit.gaps if g.p is not None), key=_rank)
        self._gaps = {(g.rate, g.label, g.attribute): g for g in self._tested}
        votes = self.human_agreement
        self._weighted: dict[tuple[RateSource, str, str, Grouping, Group], WeightedRate] = {}
        sources: tuple[tuple[RateSource, list[WeightedRate]], ...] = ()
        if votes:
            sources = (("model", votes.weighted), ("rater", votes.human))
        for source, rows in sources:
            self._weighted |= {(source, r.rate, r.label, r.attribute, r.group): r for r in rows}
        self._probabilistic = {
            (g.rate, g.label, g.attribute): g
            for g in (audit.annotation_sensitivity.gaps if audit.annotation_sensitivity else ())
        }
        self._corrections: dict[tuple[str, str, Grouping], list[CorrectedGap]] = {}
        for c in audit.annotation_sensitivity.corrected if audit.annotation_sensitivity else ():
            self._corrections.setdefault((c.rate, c.label, c.attribute), []).append(c)

    @property
    def single_label(self) -> bool:
        """Whether each face has exactly one label."""
        return self.audit.task == "single-label"

    @property
    def overall_rates(self) -> list[str]:
        """Names of the rates over all labels that the audit has."""
        names = {r.rate for r in self.audit.rates if r.label == ALL}
        return [name for name in OVERALL_RATES if name in names]

    @property
    def accuracy(self) -> str:
        """Name of the accuracy of this task: ``accuracy`` or ``subset accuracy``."""
        return "accuracy" if self.single_label else "subset accuracy"

    def groups(self, grouping: Grouping) -> list[Group]:
        """Groups of a grouping, in display order."""
        return list(self._groups.get(grouping, ()))

    def rate(self, rate: str, label: str = ALL, grouping: Grouping = EVERYONE, group: Group = EVERYONE) -> Rate:
        """One rate; a rate with status ``empty`` when the audit does not have it."""
        row = self._rates.get((rate, label, grouping, group))
        return row or Rate(
            label=label,
            attribute=grouping,
            group=group,
            rate=rate,
            value=None,
            numerator=None,
            denominator=None,
            low=None,
            high=None,
            status="empty",
        )

    def size(self, grouping: Grouping = EVERYONE, group: Group = EVERYONE) -> int:
        """Number of faces in a group."""
        return self.rate("coverage", ALL, grouping, group).denominator or 0

    def support(self, label: str, grouping: Grouping = EVERYONE, group: Group = EVERYONE) -> int:
        """Number of faces with a label in a group."""
        return self.rate("TPR", label, grouping, group).denominator or 0

    def gap(self, rate: str, label: str, grouping: Grouping) -> Gap | None:
        """The gap between the groups of a grouping, when it was estimated."""
        return self._gaps.get((rate, label, grouping))

    def sides(self, gap: Gap, difference: GroupDifference) -> tuple[Side, Side]:
        """The group of a difference, and its reference: another group, or all other compared groups together."""
        others = (
            [difference.reference] if difference.reference is not None else [g for g in gap.groups if g != difference.group]
        )
        return self._side(gap, [difference.group]), self._side(gap, others)

    def _side(self, gap: Gap, groups: Sequence[Group]) -> Side:
        rates = [self.rate(gap.rate, gap.label, gap.attribute, g) for g in groups]
        return Side(tuple(groups), sum(r.numerator or 0 for r in rates), sum(r.denominator or 0 for r in rates))

    def weighted(
        self, source: RateSource, rate: str, label: str, grouping: Grouping = EVERYONE, group: Group = EVERYONE
    ) -> WeightedRate | None:
        """A vote-weighted rate of the ``model``, or the rate of one ``rater`` vs. the majority of the others."""
        return self._weighted.get((source, rate, label, grouping, group))

    def probabilistic(self, gap: Gap) -> ProbabilisticGap | None:
        """A gap under probabilistic group membership."""
        return self._probabilistic.get((gap.rate, gap.label, gap.attribute))

    def corrections(self, gap: Gap) -> list[CorrectedGap]:
        """A gap of inferred groups as annotated, and corrected for annotation error; empty where no attribute is inferred."""
        return self._corrections.get((gap.rate, gap.label, gap.attribute), [])

    @property
    def standardized(self) -> list[StandardizedGap]:
        """Standardized gaps by decreasing size of the change, then those that could not be estimated."""
        return sorted(self.audit.standardized, key=lambda g: (g.change is None, -abs(g.change or 0.0)))

    @property
    def strata(self) -> str:
        """Variables that gaps are standardized for: ``emotion and vote_entropy``."""
        return listed([self.noun, *self.audit.plan.standardize])

    @property
    def sensitivity(self) -> list[tuple[Gap, list[CorrectedGap]]]:
        """Gaps of inferred groups in the order of `tested`, each as annotated and with its corrections."""
        return [(g, curve) for g in self.tested if (curve := self.corrections(g))]

    @property
    def minimum(self) -> str:
        """What a compared rate has at least: ``20 faces``; with subjects ``20 faces or 10 subjects``, as in *fewer than*."""
        plan = self.audit.plan
        return many(plan.minimum, "face") + (f" or {many(plan.minimum_subjects, 'subject')}" if plan.subject else "")

    @property
    def noun(self) -> str:
        """``emotion``, or ``label`` when a label is not an emotion."""
        return "emotion" if all(canonical(n) == n for n in self.labels) else "label"

    @property
    def tested(self) -> list[Gap]:
        """Gaps that were tested: significant ones by the certain size of their leading difference, then the others by p."""
        return self._tested

    @property
    def significant(self) -> list[Gap]:
        """Statistically significant gaps, by the certain size of their leading difference."""
        return [g for g in self.tested if is_significant(g)]

    @property
    def untestable(self) -> list[Gap]:
        """Gaps that no outcome with the same numbers would make significant; they are not among the tested."""
        return [g for g in self.audit.gaps if g.status == "no_variation"]

    @property
    def confidence(self) -> str:
        """Confidence level of the intervals: ``95 %``."""
        return f"{100 * self.audit.plan.confidence:g} %"

    @property
    def unanswered(self) -> dict[str, int]:
        """Number of faces without a prediction, by reason."""
        everyone = next(g for g in self.audit.sizes if g.attribute == EVERYONE)
        return {_REASONS[status]: n for status, n in everyone.statuses.items() if status != "ok" and n}


def margin(gap: StandardizedGap) -> float:
    """A standardized gap minus the gap expected by chance."""
    return (gap.difference or 0.0) - (gap.expected_by_chance or 0.0)


def _rank(gap: Gap) -> tuple[bool, float, float]:
    """Significant gaps by the certain size of their leading difference, then the others by p-value."""
    leading = gap.leading
    return not gap.significant, -(leading.certain_size if gap.significant and leading else 0.0), gap.p or 0.0


def is_significant(gap: Gap | StandardizedGap) -> bool:
    """Whether a gap is statistically significant."""
    return gap.significant if isinstance(gap, Gap) else gap.q is not None and gap.q < ALPHA


def is_changed(gap: StandardizedGap) -> bool:
    """Whether standardization changes a gap: the interval of the change excludes 0."""
    return gap.change_low is not None and gap.change_high is not None and not gap.change_low <= 0 <= gap.change_high
