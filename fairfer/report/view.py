"""An audit with its numbers at hand: what figures, tables and sentences all look things up in."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from fairfer.labels import canonical
from fairfer.metrics.results import CorrectedGap, Gap, ProbabilisticGap, Rate, StandardizedGap, WeightedRate
from fairfer.report.text.groups import EVERYONE
from fairfer.report.text.numbers import listed

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

Section = Literal[
    "overview",
    "gaps",
    "standardized",
    "raters",
    "ambiguity",
    "doubt",
    "rate",
    "emotion",
    "bars",
    "faces",
    "association",
    "changes",
]
"""Where a figure stands: in a report, or (``changes``) in a comparison."""

ALPHA = 0.05
"""A gap whose q is below this is a finding."""

RATES = {
    "TPR": "true positive rate",
    "FPR": "false positive rate",
    "TNR": "true negative rate",
    "FNR": "false negative rate",
}
"""The four error rates of the heatmaps, in their order."""

SAYS = {
    "TPR": "of the faces that show it, the share that is found",
    "FPR": "of the faces that show something else, the share wrongly read as it",
    "TNR": "of the faces that show something else, the share rightly not read as it",
    "FNR": "of the faces that show it, the share that is missed",
}
"""Each rate of an emotion in words."""


class View:
    """Quick look-ups in an audit.

    Parameters
    ----------
    audit
        What is looked at.

    Attributes
    ----------
    audit
        The same.
    labels
        Labels audited, in the one order.
    groupings
        Attributes and intersections audited.
    """

    def __init__(self, audit: Audit) -> None:
        self.audit = audit
        self.labels = list(audit.labels.audited)
        self.groupings = audit.groupings
        self._rates = {(r.rate, r.label, r.attribute, r.group): r for r in audit.rates}
        self._groups: dict[str, dict[str, None]] = {}
        for found in audit.rates:
            self._groups.setdefault(found.attribute, {})[found.group] = None
        self._tested = sorted((g for g in audit.gaps if g.difference is not None), key=lambda g: -beyond(g))
        self._gaps = {(g.rate, g.label, g.attribute): g for g in self._tested}
        votes = audit.votes
        self._weighted = {
            (who, r.rate, r.label, r.attribute, r.group): r
            for who, found in ((("model", votes.weighted), ("rater", votes.human)) if votes else ())
            for r in found
        }
        self._fuzzy = {(f.rate, f.label, f.attribute): f for f in (audit.annotation.gaps if audit.annotation else ())}
        self._sizes: Counter[tuple[str, str]] = Counter()
        self._supports: Counter[tuple[str, str, str]] = Counter()
        for count in audit.counts:
            self._sizes[count.attribute, count.group] += count.n
            self._supports[count.attribute, count.group, count.truth] += count.n

    def groups(self, attribute: str) -> list[str]:
        """Groups of an attribute or intersection, in display order."""
        return list(self._groups.get(attribute, ()))

    def rate(self, rate: str, label: str = EVERYONE, attribute: str = EVERYONE, group: str = EVERYONE) -> Rate:
        """One rate; one that the audit does not have is like one that cannot be estimated."""
        found = self._rates.get((rate, label, attribute, group))
        return found or Rate(
            label=label,
            attribute=attribute,
            group=group,
            rate=rate,
            value=None,
            numerator=None,
            denominator=None,
            low=None,
            high=None,
            status="empty",
        )

    def size(self, attribute: str = EVERYONE, group: str = EVERYONE) -> int:
        """Faces in a group."""
        return self._sizes[attribute, group]

    def support(self, label: str, attribute: str = EVERYONE, group: str = EVERYONE) -> int:
        """Faces of a group that show a label."""
        return self._supports[attribute, group, label]

    def gap(self, rate: str, label: str, attribute: str) -> Gap | None:
        """The gap of a rate between the groups of an attribute, when it was estimated."""
        return self._gaps.get((rate, label, attribute))

    def weighted(
        self, who: str, rate: str, label: str, attribute: str = EVERYONE, group: str = EVERYONE
    ) -> WeightedRate | None:
        """With every vote counted, the rate of the ``model``, or that of one ``rater`` held against the others."""
        return self._weighted.get((who, rate, label, attribute, group))

    def probabilistic(self, gap: Gap) -> ProbabilisticGap | None:
        """A gap beside that of groups to which each face belongs as much as is probable; signed as in `sensitivity`."""
        found = self._fuzzy.get((gap.rate, gap.label, gap.attribute))
        if found is None or found.most_likely >= 0:
            return found
        turned = None if found.probabilistic is None else -found.probabilistic
        return found.model_copy(update={"hard": -found.most_likely, "probabilistic": turned})

    @property
    def standardized(self) -> list[StandardizedGap]:
        """Adjusted gaps, the farthest beyond chance first, then those that could not be estimated."""
        return sorted(self.audit.standardized, key=lambda a: (a.difference is None, -beyond(a)))

    @property
    def mix(self) -> str:
        """What gaps are adjusted for: ``emotion and vote_entropy``."""
        return listed([self.noun, *self.audit.plan.standardize])

    @property
    def sensitivity(self) -> list[tuple[Gap, list[CorrectedGap]]]:
        """Gaps of inferred groups, the farthest beyond chance first, each corrected for assumed shares of wrong annotations.

        Signed so that the gap as annotated is above 0: below, the order of the two groups has turned round.
        """
        found: dict[tuple[str, str, str], list[CorrectedGap]] = {}
        for row in self.audit.annotation.corrected if self.audit.annotation else ():
            found.setdefault((row.rate, row.label, row.attribute), []).append(row)
        return [
            (g, [_turned(row, curve[0].difference) for row in curve])
            for g in self.tested
            if (curve := found.get((g.rate, g.label, g.attribute)))
        ]

    @property
    def noun(self) -> str:
        """What the labels are: ``emotion``, or ``label`` when one of them is none."""
        return "emotion" if all(canonical(n) == n for n in self.labels) else "label"

    @property
    def tested(self) -> list[Gap]:
        """Gaps that could be estimated, the farthest beyond chance first."""
        return self._tested

    @property
    def found(self) -> list[Gap]:
        """Gaps beyond what chance gives, the farthest first."""
        return [g for g in self.tested if is_found(g)]


def _turned(row: CorrectedGap, as_annotated: float | None) -> CorrectedGap:
    if as_annotated is None or as_annotated >= 0 or row.difference is None or row.low is None or row.high is None:
        return row
    return row.model_copy(update={"difference": -row.difference, "low": -row.high, "high": -row.low})


def beyond(gap: Gap | StandardizedGap) -> float:
    """How far a gap is beyond the chance gap; negative within it."""
    return (gap.difference or 0.0) - (gap.expected_by_chance or 0.0)


def is_found(gap: Gap | StandardizedGap) -> bool:
    """Whether a gap is a finding."""
    return gap.q is not None and gap.q < ALPHA and beyond(gap) > 0


def subject(gap: Gap) -> tuple[str, str]:
    """The groups with the higher and the lower rate: of whom a sentence says that it happens *more often*, and than whom."""
    worst, best = gap.worst or "", gap.best or ""
    return (worst, best) if gap.rate == "FPR" else (best, worst)
