"""Gaps after the groups were given the same mix of labels and of other columns (direct standardisation).

If one group's faces are more often ambiguous, or older, a model may fare worse with it for that reason alone. Standardised, the
rate of each group is the mean of its rates within strata, weighted by how common each stratum is among all the groups compared:
Σ w·rate. A stratum is one true label and one combination of the columns' values; for a TPR the label is given already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.metrics.gaps import GAP_RATES, stream
from fairfer.metrics.results import Gap, GroupValue, StandardizedGap
from fairfer.stats import (
    Estimates,
    benjamini_hochberg,
    gap_bounds,
    parametric_gap_test,
    stratified_permutation_test,
    variance_by_subjects,
)

if TYPE_CHECKING:
    from fairfer.audits.result import AuditPlan
    from fairfer.metrics.cells import Cells, Whole
    from fairfer.stats.intervals import Floats


@dataclass(frozen=True)
class Strata:
    """Counts by stratum and group, and by person where several samples show one.

    Attributes
    ----------
    cells
        By grouping.
    stratum
        (units,) number of the stratum of each unit of the cells.
    person
        (units,) number of its person; ``None`` where every sample is one.
    """

    cells: Mapping[str, Cells]
    stratum: Whole
    person: Whole | None = None


def standardized_gaps(gaps: Sequence[Gap], strata: Strata, plan: AuditPlan) -> list[StandardizedGap]:
    """Each gap again, between the same groups, standardised.

    Parameters
    ----------
    gaps
        The plain ones; coverage is left alone, it is no reading of a face.
    strata
        Counts by stratum: true label and columns.
    plan
        Draws, seed and confidence.

    Returns
    -------
    list of AdjustedGap
        With q-values of their own family.
    """
    found = [_adjusted(g, strata, plan) for g in gaps if g.rate != "coverage"]
    tested = [i for i, g in enumerate(found) if g.p is not None]
    q = benjamini_hochberg([p for g in found if (p := g.p) is not None])
    for i, value in zip(tested, q, strict=True):
        found[i] = found[i].model_copy(update={"q": float(value)})
    return found


def _adjusted(gap: Gap, strata: Strata, plan: AuditPlan) -> StandardizedGap:
    about: dict[str, Any] = {"label": gap.label, "attribute": gap.attribute, "rate": gap.rate}
    names = ("worst", "best", "difference", "plain", "expected_by_chance", "p", "q", "low", "high")
    nothing = {**about, **dict.fromkeys(names), "strata": 0, "covered_share": 0.0, "groups": []}
    if gap.status != "ok":
        return StandardizedGap.model_validate({**nothing, "status": "too_few_groups"})
    mine = _Mine.of(gap, strata)
    hits, trials = mine.hits, mine.trials
    common = np.asarray((trials > 0).all(axis=1))
    everything = trials.sum()
    if not common.any():
        return StandardizedGap.model_validate({**nothing, "status": "no_common_strata"})
    hits, trials = hits[common], trials[common]
    weights = trials.sum(axis=1) / trials.sum()
    variance, degrees_of_freedom = mine.variance(common, weights) if strata.person is not None else (None, None)
    known, error = _estimates(hits, trials, weights, variance, degrees_of_freedom)
    value, sign = known.rate, GAP_RATES[gap.rate]
    worst, best = int(np.argmin(sign * value)), int(np.argmax(sign * value))
    generator = stream(plan, gap.attribute, gap.label, gap.rate, "standardized")
    how: dict[str, Any] = {"permutations": plan.permutations, "generator": generator, "confidence": plan.confidence}
    if strata.person is None:
        expected_by_chance = stratified_permutation_test(hits, trials, weights, **how)
    else:
        expected_by_chance = parametric_gap_test(known.rate, error, known.degrees_of_freedom, **how)
    low, high = gap_bounds(known, plan.confidence)
    below, above = known.limits((1 - plan.confidence) / 2)
    return StandardizedGap(
        **about,
        worst=gap.groups[worst],
        best=gap.groups[best],
        difference=float(np.ptp(value)),
        plain=float(np.ptp(hits.sum(axis=0) / trials.sum(axis=0))),
        expected_by_chance=expected_by_chance.expected,
        p=expected_by_chance.p,
        q=None,
        low=float(low),
        high=float(high),
        strata=len(hits),
        covered_share=float(trials.sum() / everything),
        status="ok",
        groups=[
            GroupValue(group=g, value=float(v), low=float(a), high=float(b))
            for g, v, a, b in zip(gap.groups, value, below, above, strict=True)
        ],
    )


@dataclass(frozen=True)
class _Mine:
    """(strata, groups) hits and trials of the groups that the plain gap compares, and the units behind them."""

    hits: Whole
    trials: Whole
    units: tuple[Whole, Whole, Whole, Whole, Whole]
    """Stratum, group, person, hits and trials of each unit."""

    @classmethod
    def of(cls, gap: Gap, strata: Strata) -> _Mine:
        cells = strata.cells[gap.attribute]
        number = np.full(len(cells.groups), -1)
        number[[cells.groups.index(g) for g in gap.groups]] = np.arange(len(gap.groups))
        hits, trials = cells.fraction(gap.rate, gap.label)
        use = (number[cells.group] >= 0) & (trials > 0)
        stratum, group = strata.stratum[cells.unit[use]], number[cells.group[use]]
        person = stratum if strata.person is None else strata.person[cells.unit[use]]
        table = np.zeros((2, int(stratum.max()) + 1, len(gap.groups)), np.int64)
        np.add.at(table[0], (stratum, group), hits[use])
        np.add.at(table[1], (stratum, group), trials[use])
        there = table[1].sum(axis=1) > 0
        stratum = (np.cumsum(there) - 1)[stratum]
        return cls(table[0][there], table[1][there], (stratum, group, person, hits[use], trials[use]))

    def variance(self, common: np.ndarray, weights: Floats) -> tuple[Floats, Floats]:
        """(groups,) variance of the standardised rates over people, and its degrees of freedom."""
        stratum, group, person, hits, trials = (a[common[self.units[0]]] for a in self.units)
        weight = np.zeros(len(common))
        weight[common] = weights
        rate = np.divide(self.hits, self.trials, out=np.zeros(self.hits.shape), where=self.trials > 0)
        residual = weight[stratum] * (hits - rate[stratum, group] * trials) / self.trials[stratum, group]
        variance, degrees_of_freedom = [], []
        for g in range(self.hits.shape[1]):
            found = variance_by_subjects(residual[group == g], person[group == g])
            each = np.bincount(np.unique(person[group == g], return_inverse=True)[1], trials[group == g])
            variance.append(found[0])
            degrees_of_freedom.append(max(each.sum() ** 2 / (each**2).sum() - 1, 1.0))
        return np.array(variance), np.array(degrees_of_freedom)


def _estimates(
    hits: Whole, trials: Whole, weights: Floats, by_people: Floats | None = None, degrees_of_freedom: Floats | None = None
) -> tuple[Estimates, Floats]:
    """Standardised rates with the number of trials that would know them as well, and their standard errors.

    The variance within a stratum is that of the group's own rate there, drawn towards that of all groups by two trials: a group
    with two faces in a stratum, both right, is not known for certain there. Where people have several pictures it is what
    those say, if that is more.
    """
    rate = weights @ (hits / trials)
    pooled = (hits.sum(axis=1, keepdims=True) + 0.5) / (trials.sum(axis=1, keepdims=True) + 1)
    own = (hits + 2 * pooled) / (trials + 2)
    variance = weights**2 @ (own * (1 - own) / trials)
    middle = weights @ own
    if by_people is not None:
        variance = np.maximum(variance, by_people)
    # One stratum alone gives back its own number of trials.
    size = middle * (1 - middle) / variance
    return Estimates(rate, size, np.full(rate.shape, np.inf) if degrees_of_freedom is None else degrees_of_freedom), np.sqrt(
        variance
    )
