"""How far gaps depend on attributes that a model inferred.

Two looks at the same doubt. *Fuzzy membership*: where the inferring model gave probabilities, each face counts for every
group as much as it probably belongs to it. *Correction*: if a share of the annotations were wrong, regardless of what the
face shows and how it was read, the groups as annotated are mixtures of the true ones, and inverting the mixture takes the
blur out again.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairfer.errors import DataError
from fairfer.metrics.cells import FRACTIONS
from fairfer.metrics.counts import EVERYONE, weighted_confusion
from fairfer.metrics.gaps import GAP_RATES, annotated, stream
from fairfer.metrics.results import AnnotationSensitivity, CorrectedGap, Gap, ProbabilisticGap, Rate, WeightedRate
from fairfer.metrics.weighted_rates import weighted_rate
from fairfer.stats import Estimates, estimate_ratio, resampled_sums
from fairfer.vocabulary import UNANNOTATED

if TYPE_CHECKING:
    from fairfer.audits.result import AuditPlan
    from fairfer.datasets.attributes import Attribute
    from fairfer.metrics.cells import Cells

ERRORS = (0.0, 0.01, 0.05, 0.1, 0.2)
"""Assumed shares of wrong annotations."""

RESAMPLES = 1000
_LOST = 0.05
"""Where more resamples than this lose a group altogether, the correction is not estimable."""

_ROUNDED = 0.02
"""Probabilities of one face must sum to 1 within this; they are often stored with few decimals."""

Floats = NDArray[np.float64]


def depend_on_inferred(
    table: pd.DataFrame,
    attributes: Mapping[str, Attribute],
    memberships: Mapping[str, Floats],
    rates: Sequence[Rate],
    gaps: Sequence[Gap],
    labels: Sequence[str],
    plan: AuditPlan,
    without: int,
    people: Mapping[str, Cells] | None = None,
) -> AnnotationSensitivity | None:
    """Both looks at every gap of a grouping with an inferred attribute; ``None`` when there is none.

    Parameters
    ----------
    table
        ``truth`` and ``said`` per sample audited, and the number of its person as ``unit`` where several show one.
    attributes
        Those grouped by, by name.
    memberships
        For each attribute, (samples, levels): as `membership` gives, or 0 and 1 where there are no probabilities.
    rates, gaps
        Of the audit.
    labels
        Labels audited.
    plan
        Of the audit.
    without
        Samples that lack probabilities and count for their annotated group alone.
    people
        Counts by person of each grouping, where several samples show one.
    """
    inferred = {n for n, a in attributes.items() if a.source == "inferred"}
    mine = [g for g in gaps if g.status == "ok" and inferred & set(g.attribute.split(","))]
    if not inferred:
        return None
    corrected = [row for g in mine for row in _corrected(g, rates, attributes, inferred, plan, people)]
    weighted: list[WeightedRate] = []
    probabilistic = {n for n in inferred if attributes[n].probabilities}
    for by in plan.by:
        if probabilistic & set(by) and all(memberships[n].shape[1] for n in by):
            weighted += _fuzzy_rates(table, by, attributes, memberships, labels, plan)
    values = {(r.attribute, r.group, r.label, r.rate): r.value for r in weighted}
    beside = [_fuzzy_gap(g, rates, values) for g in mine if probabilistic & set(g.attribute.split(","))]
    return AnnotationSensitivity(rates=weighted, gaps=beside, corrected=corrected, without=without)


def membership(samples: pd.DataFrame, attribute: Attribute) -> tuple[Floats, NDArray[np.bool_]]:
    """How much each sample belongs to each level of an attribute, and which samples lack probabilities.

    Parameters
    ----------
    samples
        With the attribute's column and those of its probabilities.
    attribute
        One with probabilities. One level may lack a column: it has what is left of 1.

    Returns
    -------
    weights, without
        (samples, levels), rows summing to 1 (0 where unannotated); (samples,) those that count for their annotated level alone.

    Raises
    ------
    DataError
        When a probability is outside of 0 to 1, or those of a sample do not sum to 1.
    """
    levels = [n for n in attribute.levels if n != UNANNOTATED]
    lacking = [n for n in levels if n not in attribute.probabilities]
    given = samples[[attribute.probabilities[n] for n in levels if n in attribute.probabilities]]
    numbers = given.apply(pd.to_numeric, errors="coerce")
    strange = numbers.isna() & given.notna() | (numbers < 0) | (numbers > 1)
    where = f"probabilities of {attribute.name}"
    if strange.any(axis=None):
        row = strange.any(axis=1).to_numpy().argmax()
        message = f"{where}, sample {samples.index[row]!r}: not numbers from 0 to 1; mend {', '.join(given.columns)}"
        raise DataError(message)
    if len(lacking) > 1:
        message = f"{where}: no column for {' and '.join(map(repr, lacking))}; at most one level may be left to be the rest"
        raise DataError(message)
    sums = numbers.sum(axis=1)
    wrong = numbers.notna().all(axis=1) & ((sums > 1 + _ROUNDED) if lacking else ((sums - 1).abs() > _ROUNDED))
    if wrong.any():
        message = f"{where}, sample {wrong.index[wrong][0]!r}: they sum to {sums[wrong].iloc[0]:g}, not 1; mend the table"
        raise DataError(message)
    weights = np.zeros((len(samples), len(levels)))
    for i, level in enumerate(levels):
        weights[:, i] = np.clip(1 - sums, 0, 1) if level in lacking else numbers[attribute.probabilities[level]].to_numpy()
    said = samples[attribute.name]
    without = numbers.isna().any(axis=1).to_numpy() & (said != UNANNOTATED).to_numpy()
    weights[without] = 0
    weights[without, pd.Index(levels).get_indexer(said[without])] = 1
    weights[(said == UNANNOTATED).to_numpy()] = 0
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0), without


def _fuzzy_rates(
    table: pd.DataFrame,
    by: Sequence[str],
    attributes: Mapping[str, Attribute],
    memberships: Mapping[str, Floats],
    labels: Sequence[str],
    plan: AuditPlan,
) -> list[WeightedRate]:
    """TPR, FPR, accuracy and coverage of fuzzy groups; attributes that are crossed are taken as independent given the face."""
    levels = {n: [x for x in attributes[n].levels if x != UNANNOTATED] for n in by}
    weights = {}
    for chosen in itertools.product(*(range(len(levels[n])) for n in by)):
        share = np.ones(len(table))
        for name, i in zip(by, chosen, strict=True):
            share = share * memberships[name][:, i]
        weights[",".join(levels[n][i] for n, i in zip(by, chosen, strict=True))] = share
    sums = weighted_confusion(table, weights)
    rows = []
    attribute = ",".join(by)
    for group, part in sums.groupby("name", sort=False):
        for rate in GAP_RATES:
            for label in [EVERYONE] if rate in ("accuracy", "coverage") else labels:
                hits, trials = _fraction(part, rate, label)
                weight, square = (float(part.loc[trials, c].sum()) for c in ("weight", "square"))
                known = Estimates.of_weights(float(part.loc[hits, "weight"].sum()), weight, square)
                if "unit" in table:
                    mine = part["weight"].to_numpy()
                    known = estimate_ratio(mine * hits, mine * trials, part["unit"].to_numpy(), float(known.size))
                rows.append(weighted_rate((label, attribute, str(group), rate), weight, known, plan))
    return rows


def _fraction(part: pd.DataFrame, rate: str, label: str) -> tuple[pd.Series, pd.Series]:
    """Which sums are a rate's numerator and denominator."""
    truth, said = part["truth"], part["predicted"]
    if rate == "accuracy":
        return truth == said, truth.notna()
    if rate == "coverage":
        return ~said.str.startswith("("), truth.notna()
    is_truth, is_said = truth == label, said == label
    cells = {"tp": is_truth & is_said, "fn": is_truth & ~is_said, "fp": ~is_truth & is_said, "tn": ~is_truth & ~is_said}
    above, below = FRACTIONS[rate]
    none = truth.isna()
    hits, trials = (none.copy(), none.copy())
    for name in above:
        hits |= cells[name]
    for name in below:
        trials |= cells[name]
    return hits, trials


def _fuzzy_gap(gap: Gap, rates: Sequence[Rate], values: Mapping[tuple[str, str, str, str], float | None]) -> ProbabilisticGap:
    worst, best = _ends(gap)
    most_likely = {
        r.group: r.value or 0.0 for r in rates if (r.label, r.attribute, r.rate) == (gap.label, gap.attribute, gap.rate)
    }
    low, high = (values.get((gap.attribute, g, gap.label, gap.rate)) for g in (worst, best))
    return ProbabilisticGap(
        label=gap.label,
        attribute=gap.attribute,
        rate=gap.rate,
        worst=worst,
        best=best,
        most_likely=most_likely[best] - most_likely[worst],
        probabilistic=None if low is None or high is None else high - low,
        worst_value=low,
        best_value=high,
    )


def mixture(error: float, levels: int) -> Floats:
    """(true, annotated) chance of each annotation: right but for `error`, and then any other level alike."""
    if levels == 1:
        return np.ones((1, 1))
    mixing: Floats = np.where(np.eye(levels, dtype=bool), 1 - error, error / (levels - 1)).astype(np.float64)
    return mixing


def unmixed(counts: Floats, mixing: Floats) -> Floats:
    """(..., groups) counts as they were before annotations were mixed up: the mixture inverted."""
    solved: Floats = np.linalg.solve(mixing.T, counts[..., None])[..., 0].astype(np.float64)
    return solved


def _corrected(
    gap: Gap,
    rates: Sequence[Rate],
    attributes: Mapping[str, Attribute],
    inferred: set[str],
    plan: AuditPlan,
    people: Mapping[str, Cells] | None,
) -> list[CorrectedGap]:
    mine = {
        r.group: r
        for r in rates
        if (r.label, r.attribute, r.rate) == (gap.label, gap.attribute, gap.rate) and annotated(r.group)
    }
    names = gap.attribute.split(",")
    levels = [[x for x in attributes[n].levels if x != UNANNOTATED] for n in names]
    groups = [",".join(g) for g in itertools.product(*levels)]
    hits = np.array([mine[g].numerator or 0 for g in groups], float)
    trials = np.array([mine[g].denominator or 0 for g in groups], float)
    ends = _ends(gap)
    worst, best = (groups.index(g) for g in ends)
    generator = stream(plan, gap.attribute, gap.label, gap.rate, "corrected")
    cells = np.concatenate([hits, trials - hits])
    drawn = _again(cells, None if people is None else _by_person(gap, people[gap.attribute], groups), generator)
    rows = []
    for error in ERRORS:
        mixing: Floats = np.ones((1, 1))
        for name, of_name in zip(names, levels, strict=True):
            mixing = np.kron(mixing, mixture(error if name in inferred else 0.0, len(of_name))).astype(np.float64)
        seen = _difference(cells, mixing, worst, best)
        again = _difference(drawn, mixing, worst, best)
        known = again[np.isfinite(again)]
        about: dict[str, Any] = {"label": gap.label, "attribute": gap.attribute, "rate": gap.rate}
        about |= {"worst": ends[0], "best": ends[1], "error": error}
        if not np.isfinite(seen) or len(known) < (1 - _LOST) * RESAMPLES:
            rows.append(CorrectedGap(**about, difference=None, low=None, high=None, status="not_estimable"))
            continue
        low, high = np.quantile(known, [(1 - plan.confidence) / 2, (1 + plan.confidence) / 2])
        rows.append(CorrectedGap(**about, difference=float(seen), low=float(low), high=float(high), status="ok"))
    return rows


def _ends(gap: Gap) -> tuple[str, str]:
    """The worst and the best group; where all are alike, the first two."""
    return (gap.groups[0], gap.groups[1]) if gap.worst == gap.best else (str(gap.worst), str(gap.best))


def _by_person(gap: Gap, cells: Cells, groups: Sequence[str]) -> Floats:
    """(people, 2 groups) hits, then misses, of each person in each group."""
    hits, trials = cells.fraction(gap.rate, gap.label)
    where = pd.Index(groups).get_indexer(pd.Index(cells.groups))[cells.group]
    use = (where >= 0) & (trials > 0)
    person = np.unique(cells.unit[use], return_inverse=True)[1]
    table = np.zeros((int(person.max()) + 1, 2 * len(groups)))
    np.add.at(table, (person, where[use]), hits[use])
    np.add.at(table, (person, len(groups) + where[use]), (trials - hits)[use])
    return table


def _again(cells: Floats, people: Floats | None, generator: np.random.Generator) -> Floats:
    """(resamples, 2 groups) hits and misses as other samples, or people, of the same kind would give them.

    Beside those seen there is, for each group, half a sample (or person of the usual size) of hits and half a one of misses:
    that nobody in a group was ever missed does not make it certain that nobody is.
    """
    if people is None:
        return resampled_sums(np.eye(len(cells)), RESAMPLES, generator, cells + 0.5, int(cells.sum()))
    groups = len(cells) // 2
    size = np.maximum(people[:, :groups] + people[:, groups:], 0)
    usual = size.sum(axis=0) / np.maximum((size > 0).sum(axis=0), 1)
    rows = np.concatenate([people, np.diag(np.concatenate([usual, usual]))])
    weights = np.concatenate([np.ones(len(people)), np.full(len(cells), 0.5)])
    return resampled_sums(rows, RESAMPLES, generator, weights, len(people))


def _difference(cells: Floats, mixing: Floats, worst: int, best: int) -> Floats:
    """Best minus worst of the groups' rates after correction; NaN where either group would have nobody left."""
    split = cells.shape[-1] // 2
    hits, misses = unmixed(cells[..., :split], mixing), unmixed(cells[..., split:], mixing)
    # A negative count is noise: clipped, but a group that has nobody left cannot be estimated.
    hits, misses = np.maximum(hits, 0), np.maximum(misses, 0)
    total = hits + misses
    rate = np.divide(hits, total, out=np.full(hits.shape, np.nan), where=total >= 1)
    difference: Floats = rate[..., best] - rate[..., worst]
    return difference
