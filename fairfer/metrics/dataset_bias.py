"""Dataset bias: sizes of the groups and association of labels with groups, computed on counts.

*Representational* bias: some groups are larger than others. *Stereotypical* bias: a label is more common in one group than in
another, so that a model can learn the group instead of the expression. Formulas and names follow Dominguez-Catena, Paternain
and Galar, "Metrics for Dataset Demographic Bias: A Case Study on Facial Expression Recognition" (TPAMI 2024, arXiv 2303.15889),
whose package provides the reference values of the tests; DSAP is arXiv 2312.14626, OD arXiv 2205.10049, Xu's
ratio arXiv 2007.10075.

Undefined values (evenness of a single group, association with a constant label) are NaN here and ``null`` in an audit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import contingency

from fairfer.metrics.results import Association, DatasetBias, Pairing, Rate, Representation
from fairfer.vocabulary import EVERYONE, Group, Grouping, Task, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.counts import Counts

Floats = NDArray[np.float64]
_LEAST = 2
"""With fewer groups or labels than this, evenness and association are undefined."""

_ROUNDING = 1e-12


def proportions(counts: ArrayLike) -> Floats:
    """Shares of the groups that are present. Empty groups are excluded from all representational measures."""
    values = np.asarray(counts, float)
    shares: Floats = values[values > 0] / values.sum()
    return shares


def representation(counts: ArrayLike) -> dict[str, float]:
    """Representational measures of one attribute, or of several crossed.

    Parameters
    ----------
    counts
        Samples per group.

    Returns
    -------
    dict
        ``richness`` R, groups present; ``shannon`` H = -Σ p ln p; ``ens`` effective number of groups exp(H); ``simpson`` Σ
        p²; ``inverse_simpson``; ``gini_simpson`` 1 - Σ p²; ``evenness`` H / ln R; ``nsd`` std(p) R / √(R-1); ``imbalance``
        max p / min p; ``berger_parker`` max p.
    """
    p = proportions(counts)
    richness = len(p)
    shannon = float(-(p * np.log(p)).sum())
    simpson = float((p**2).sum())
    several = richness >= _LEAST
    return {
        "richness": float(richness),
        "shannon": shannon,
        "ens": math.exp(shannon),
        "simpson": simpson,
        "inverse_simpson": 1 / simpson,
        "gini_simpson": 1 - simpson,
        "evenness": shannon / math.log(richness) if several else math.nan,
        "nsd": float(p.std()) * richness / math.sqrt(richness - 1) if several else math.nan,
        "imbalance": float(p.max() / p.min()),
        "berger_parker": float(p.max()),
    }


def association(table: pd.DataFrame) -> dict[str, float]:
    """Stereotypical measures of a whole table, groups by labels.

    Parameters
    ----------
    table
        Counts; empty rows and columns are dropped.

    Returns
    -------
    dict
        ``cramers_v``, ``tschuprow``, ``pearson`` (scipy's, with Yates' correction for 2x2 tables only, as the published
        package has it); ``theil_u`` of the label given the group, ``theil_u_reverse`` of the group given the label; ``nmi``,
        mutual information over the *joint* entropy (scikit-learn's is normalized otherwise). NaN where there are not two
        groups and two labels.
    """
    counts = _dense(table)
    names = ("cramers_v", "tschuprow", "pearson", "theil_u", "theil_u_reverse", "nmi")
    if min(counts.shape) < _LEAST:
        return dict.fromkeys(names, math.nan)
    cramer, tschuprow, pearson = (
        float(contingency.association(counts.astype(int), method=m, correction=True))
        for m in ("cramer", "tschuprow", "pearson")
    )
    p = counts / counts.sum()
    groups, labels = _entropy(p.sum(1)), _entropy(p.sum(0))
    joint = _entropy(p.ravel())
    mutual = groups + labels - joint
    return dict(zip(names, (cramer, tschuprow, pearson, mutual / labels, mutual / groups, mutual / joint), strict=True))


def ducher_z(table: pd.DataFrame, totals: ArrayLike | None = None) -> pd.DataFrame:
    """Ducher's Z of each group and label: -1 never together, 0 independent, 1 maximal positive association.

    Parameters
    ----------
    table
        Samples, groups by labels.
    totals
        Samples of each group, or, groups by labels, samples for which the label is known; the sums of the table when not given.
        Multi-label samples count in several columns or none.
    """
    p, expected, rows, columns = _joint(table, totals)
    excess = p - expected
    # Rounding alone is no excess: a group that holds every sample is independent of every label.
    excess = np.where(np.abs(excess) < _ROUNDING, 0.0, excess)
    most = np.minimum(rows, columns) - expected
    least = expected - np.maximum(0, rows + columns - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(excess > 0, excess / most, np.where(excess < 0, excess / least, 0.0))
    return pd.DataFrame(z, index=table.index, columns=table.columns)


def npmi(table: pd.DataFrame, totals: ArrayLike | None = None) -> pd.DataFrame:
    """Normalized pointwise mutual information of each group and label: ln(p / expected) / -ln p; -1 where never together."""
    p, expected, _, _ = _joint(table, totals)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(p > 0, np.log(p / expected) / -np.log(p), -1.0)
    return pd.DataFrame(value, index=table.index, columns=table.columns)


def lewontin_d(table: pd.DataFrame, totals: ArrayLike | None = None) -> pd.DataFrame:
    """Lewontin's D of each group and label: the share of samples that have both, minus what independence gives."""
    p, expected, _, _ = _joint(table, totals)
    return pd.DataFrame(p - expected, index=table.index, columns=table.columns)


def similarity(one: ArrayLike, other: ArrayLike) -> float:
    """DSAP's similarity of two demographic profiles, 1 - ½ Σ |p - q|; groups in the same order."""
    p, q = (np.asarray(c, float) / np.asarray(c, float).sum() for c in (one, other))
    return float(1 - np.abs(p - q).sum() / 2)


def dsap(table: pd.DataFrame, totals: ArrayLike | None = None, known: ArrayLike | None = None) -> dict[str, float]:
    """DSAP of a dataset, groups (all possible ones) by labels.

    Parameters
    ----------
    table
        Samples, groups by labels.
    totals
        Samples of each group; the sums of the table when not given.
    known
        Samples for which the label is known, groups by labels; `totals` when not given.

    Returns
    -------
    dict
        ``representational``: similarity to a uniform profile over all groups; ``evenness``: over the groups present;
        ``stereotypical``: mean over the labels of the similarity of its profile to that of all other labels.
    """
    counts = table.to_numpy(float)
    profile = counts.sum(1) if totals is None else np.asarray(totals, float)
    present = profile > 0
    others = (profile[:, None] if known is None else np.asarray(known, float)) - counts
    per_label = [
        similarity(counts[:, i], others[:, i])
        for i in range(counts.shape[1])
        if counts[:, i].sum() > 0 and others[:, i].sum() > 0
    ]
    return {
        "representational": similarity(profile, np.ones(len(profile))),
        "evenness": similarity(profile[present], np.ones(int(present.sum()))),
        "stereotypical": float(np.mean(per_label)) if per_label else math.nan,
    }


def overall_disparity(recall: Mapping[str, Mapping[Group, float]]) -> float:
    """OD of a model: mean over labels of Σ_g (1 - recall_g / max recall) / (G - 1); 0 equal, 1 only one group has any.

    Parameters
    ----------
    recall
        For each label the recall of each group where it is estimable. A label with fewer than two such groups, or with recall 0
        in all of them, is excluded.
    """
    terms = []
    for groups in recall.values():
        values = np.array([v for v in groups.values() if not math.isnan(v)])
        if len(values) >= _LEAST and values.max() > 0:
            terms.append(float((1 - values / values.max()).sum() / (len(values) - 1)))
    return float(np.mean(terms)) if terms else math.nan


def xu_ratio(recall: Mapping[str, Mapping[Group, float]]) -> float:
    """Xu et al.'s fairness: lowest divided by highest macro recall of a group, over labels estimable in every group."""
    complete = [list(g.values()) for g in recall.values() if not any(math.isnan(v) for v in g.values())]
    if not complete or len(complete[0]) < _LEAST:
        return math.nan
    macro = np.mean(np.array(complete), axis=0)
    return float(macro.min() / macro.max()) if macro.max() > 0 else math.nan


def _dense(table: pd.DataFrame) -> Floats:
    values = table.to_numpy(float)
    dense: Floats = values[values.sum(1) > 0][:, values.sum(0) > 0]
    return dense


def _entropy(p: Floats) -> float:
    inside = p[p > 0]
    return float(-(inside * np.log(inside)).sum())


def _joint(table: pd.DataFrame, totals: ArrayLike | None) -> tuple[Floats, Floats, Floats, Floats]:
    counts = table.to_numpy(float)
    sizes = counts.sum(1) if totals is None else np.asarray(totals, float)
    sizes = sizes[:, None] if sizes.ndim == 1 else sizes
    with np.errstate(invalid="ignore", divide="ignore"):  # a label that is known for no sample has no association
        p, rows = counts / sizes.sum(0), sizes / sizes.sum(0)
    columns = p.sum(0, keepdims=True)
    return p, rows * columns, np.broadcast_to(rows, p.shape), np.broadcast_to(columns, p.shape)


def dataset_bias(counts: Mapping[Grouping, Counts], rates: Sequence[Rate], task: Task) -> DatasetBias:
    """Every measure of this module for each grouping of an audit.

    Parameters
    ----------
    counts
        By grouping, one entry per group. Unannotated samples are counted apart.
    rates
        Of the audit, for the model's side: overall disparity, Xu's ratio, and the difference of a group's TPR and FPR
        from those of everyone else. Only rates with status ``ok`` count.
    task
        Task of the audit. Measures of a whole table of exclusive labels are undefined for multi-label data.
    """
    by_key = {(r.attribute, r.group, r.label, r.rate): r for r in rates}
    tables = [_Table.of(c) for grouping, c in counts.items() if grouping != EVERYONE]
    present = [table for table in tables if table.sizes.sum()]
    return DatasetBias(
        representation=[_representation(table) for table in present],
        association=[_association(table, by_key, task) for table in present],
        pairing=[row for table in present for row in _pairings(table, by_key)],
    )


_Rates = Mapping[tuple[Grouping, Group, str, str], Rate]


@dataclass(frozen=True)
class _Table:
    """Samples with each label in each annotated group of a grouping.

    Attributes
    ----------
    grouping, groups
        Names; unannotated groups are left out.
    sizes
        (groups,) samples.
    unannotated
        Samples in groups that are left out.
    positives, known
        Samples with the label, and samples for which it is known. Groups by labels.
    """

    grouping: Grouping
    groups: tuple[Group, ...]
    sizes: NDArray[np.int64]
    unannotated: int
    positives: pd.DataFrame
    known: NDArray[np.int64]

    @classmethod
    def of(cls, counts: Counts) -> _Table:
        annotated = [i for i, g in enumerate(counts.groups) if is_annotated(g)]
        positives = (counts.tp + counts.fn)[annotated]
        negatives = (counts.fp + counts.tn)[annotated]
        sizes = counts.total[annotated].astype(np.int64)
        return cls(
            counts.grouping,
            tuple(counts.groups[i] for i in annotated),
            sizes,
            int(counts.total.sum() - sizes.sum()),
            pd.DataFrame(positives, columns=list(counts.labels)),
            (positives + negatives).astype(np.int64),
        )


def _representation(table: _Table) -> Representation:
    shares = representation(table.sizes)
    return Representation(
        attribute=table.grouping,
        samples=int(table.sizes.sum()),
        unannotated=table.unannotated,
        richness=int(shares["richness"]),
        shannon=shares["shannon"],
        ens=shares["ens"],
        simpson=shares["simpson"],
        inverse_simpson=shares["inverse_simpson"],
        gini_simpson=shares["gini_simpson"],
        evenness=_defined(shares["evenness"]),
        nsd=_defined(shares["nsd"]),
        imbalance=shares["imbalance"],
        berger_parker=shares["berger_parker"],
    )


def _association(table: _Table, rates: _Rates, task: Task) -> Association:
    recall = {
        label: {
            g: _value(rates.get((table.grouping, g, label, "TPR"))) for g, n in zip(table.groups, table.sizes, strict=True) if n
        }
        for label in table.positives.columns
    }
    whole = association(table.positives if task == "single-label" else table.positives.iloc[:, :1])
    profile = dsap(table.positives, table.sizes, table.known)
    return Association(
        attribute=table.grouping,
        cramers_v=_defined(whole["cramers_v"]),
        tschuprow=_defined(whole["tschuprow"]),
        pearson=_defined(whole["pearson"]),
        theil_u=_defined(whole["theil_u"]),
        theil_u_reverse=_defined(whole["theil_u_reverse"]),
        nmi=_defined(whole["nmi"]),
        dsap_representational=profile["representational"],
        dsap_evenness=profile["evenness"],
        dsap_stereotypical=_defined(profile["stereotypical"]),
        overall_disparity=_defined(overall_disparity(recall)),
        xu_ratio=_defined(xu_ratio(recall)),
    )


def _pairings(table: _Table, rates: _Rates) -> list[Pairing]:
    measures = [measure(table.positives, table.known).to_numpy() for measure in (ducher_z, npmi, lewontin_d)]
    numbers = table.positives.to_numpy(int)
    rows = []
    for i, group in enumerate(table.groups):
        for j, label in enumerate(table.positives.columns):
            if not table.known[i, j] or not numbers[:, j].sum():
                continue
            z, information, lewontin = (float(m[i, j]) for m in measures)
            rows.append(
                Pairing(
                    attribute=table.grouping,
                    group=group,
                    label=label,
                    samples=int(numbers[i, j]),
                    ducher_z=z,
                    npmi=_defined(information),
                    lewontin_d=lewontin,
                    tpr_excess=_excess(rates, table, group, label, "TPR"),
                    fpr_excess=_excess(rates, table, group, label, "FPR"),
                )
            )
    return rows


def _excess(rates: _Rates, table: _Table, group: Group, label: str, rate: str) -> float | None:
    """A group's rate minus that of all other annotated groups together."""
    own = rates.get((table.grouping, group, label, rate))
    others = [r for g in table.groups if g != group and (r := rates.get((table.grouping, g, label, rate))) and r.denominator]
    denominator = sum(r.denominator or 0 for r in others)
    if own is None or own.value is None or own.status != "ok" or not denominator:
        return None
    return own.value - sum(r.numerator or 0 for r in others) / denominator


def _value(rate: Rate | None) -> float:
    return math.nan if rate is None or rate.value is None or rate.status != "ok" else rate.value


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
