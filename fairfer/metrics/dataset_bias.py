"""Who is in the data, and which emotion goes with which group: published measures of data-set bias, computed on counts.

*Representational* bias: some groups are many and others few. *Stereotypical* bias: a label is more common in one group than in
another, so that a model can learn the group instead of the face. Formulas and names follow Dominguez-Catena, Paternain and
Galar, "Metrics for Dataset Demographic Bias: A Case Study on Facial Expression Recognition" (TPAMI 2024, arXiv 2303.15889),
whose package gives the golden values that the tests hold these against; DSAP is arXiv 2312.14626, OD arXiv 2205.10049, Xu's
ratio arXiv 2007.10075.

What is not defined (evenness of a single group, association with a label that never varies) is NaN here and ``null`` in an
audit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import contingency

from fairfer.metrics.counts import EVERYONE
from fairfer.metrics.gaps import annotated
from fairfer.metrics.results import Association, Composition, Pairing, Rate, Representation

Floats = NDArray[np.float64]
LEAST = 2
_ROUNDING = 1e-12
"""Fewer groups, or fewer labels, than this leave evenness and association undefined."""


def proportions(counts: ArrayLike) -> Floats:
    """Shares of the groups that are present: empty groups are no part of any representational measure."""
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
    several = richness >= LEAST
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
        mutual information over the *joint* entropy (scikit-learn's is normalised otherwise). NaN where there are not two
        groups and two labels.
    """
    counts = _dense(table)
    names = ("cramers_v", "tschuprow", "pearson", "theil_u", "theil_u_reverse", "nmi")
    if min(counts.shape) < LEAST:
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


def ducher_z(table: pd.DataFrame) -> pd.DataFrame:
    """Ducher's Z of each group and label: -1 never together, 0 independent, 1 one never without the other."""
    p, expected, rows, columns = _joint(table)
    excess = p - expected
    # What only rounding makes is no excess: a group that is everyone goes with every label as often as independence says.
    excess = np.where(np.abs(excess) < _ROUNDING, 0.0, excess)
    most = np.minimum(rows, columns) - expected
    least = expected - np.maximum(0, rows + columns - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(excess > 0, excess / most, np.where(excess < 0, excess / least, 0.0))
    return pd.DataFrame(z, index=table.index, columns=table.columns)


def npmi(table: pd.DataFrame) -> pd.DataFrame:
    """Normalised pointwise mutual information of each group and label: ln(p / expected) / -ln p; -1 where never together."""
    p, expected, _, _ = _joint(table)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(p > 0, np.log(p / expected) / -np.log(p), -1.0)
    return pd.DataFrame(value, index=table.index, columns=table.columns)


def lewontin_d(table: pd.DataFrame) -> pd.DataFrame:
    """Lewontin's D of each group and label: the share of samples that have both, minus what independence gives."""
    p, expected, _, _ = _joint(table)
    return pd.DataFrame(p - expected, index=table.index, columns=table.columns)


def similarity(one: ArrayLike, other: ArrayLike) -> float:
    """DSAP's similarity of two demographic profiles, 1 - ½ Σ |p - q|; groups in the same order."""
    p, q = (np.asarray(c, float) / np.asarray(c, float).sum() for c in (one, other))
    return float(1 - np.abs(p - q).sum() / 2)


def dsap(table: pd.DataFrame) -> dict[str, float]:
    """DSAP of a data set, groups (all that there could be) by labels.

    Returns
    -------
    dict
        ``representational``: similarity to a uniform profile over all groups; ``evenness``: over the groups present;
        ``stereotypical``: mean over the labels of the similarity of its profile to that of all other labels.
    """
    counts = table.to_numpy(float)
    profile = counts.sum(1)
    present = profile > 0
    per_label = [
        similarity(counts[:, i], profile - counts[:, i])
        for i in range(counts.shape[1])
        if counts[:, i].sum() > 0 and (profile - counts[:, i]).sum() > 0
    ]
    return {
        "representational": similarity(profile, np.ones(len(profile))),
        "evenness": similarity(profile[present], np.ones(int(present.sum()))),
        "stereotypical": float(np.mean(per_label)) if per_label else math.nan,
    }


def overall_disparity(recall: Mapping[str, Mapping[str, float]]) -> float:
    """OD of a model: mean over labels of Σ_g (1 - recall_g / max recall) / (G - 1); 0 equal, 1 one group takes all.

    Parameters
    ----------
    recall
        For each label the recall of each group that can be estimated. A label with fewer than two such groups, or that is never
        found in any, is left out.
    """
    terms = []
    for groups in recall.values():
        values = np.array([v for v in groups.values() if not math.isnan(v)])
        if len(values) >= LEAST and values.max() > 0:
            terms.append(float((1 - values / values.max()).sum() / (len(values) - 1)))
    return float(np.mean(terms)) if terms else math.nan


def xu_ratio(recall: Mapping[str, Mapping[str, float]]) -> float:
    """Xu et al.'s fairness: the smallest group's macro recall over the largest; labels that every group can estimate."""
    complete = [list(g.values()) for g in recall.values() if not any(math.isnan(v) for v in g.values())]
    if not complete or len(complete[0]) < LEAST:
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


def _joint(table: pd.DataFrame) -> tuple[Floats, Floats, Floats, Floats]:
    p = table.to_numpy(float) / table.to_numpy(float).sum()
    rows, columns = p.sum(1, keepdims=True), p.sum(0, keepdims=True)
    return p, rows * columns, np.broadcast_to(rows, p.shape), np.broadcast_to(columns, p.shape)


def compose(
    counts: pd.DataFrame, rates: Sequence[Rate], labels: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> Composition:
    """Everything of this module for each grouping of an audit.

    Parameters
    ----------
    counts
        ``attribute, group, truth, predicted, n`` of the faces audited.
    rates
        Of the audit, for the model's side: OD, Xu's ratio, and what a group's TPR and FPR have over everyone else's. Only rates
        with enough faces behind them count.
    labels
        Labels audited.
    groups
        The groups of each grouping; who is unannotated is counted apart.
    """
    representations, associations, pairings = [], [], []
    by_key = {(r.attribute, r.group, r.label, r.rate): r for r in rates}
    for attribute, names in groups.items():
        if attribute == EVERYONE:
            continue
        known = [g for g in names if annotated(g)]
        mine = counts[counts["attribute"] == attribute]
        table = mine.pivot_table(index="group", columns="truth", values="n", aggfunc="sum", fill_value=0)
        table = table.reindex(index=known, columns=list(labels), fill_value=0)
        faces = int(table.to_numpy().sum())
        if not faces:
            continue
        recall = {
            label: {g: _value(by_key.get((attribute, g, label, "TPR"))) for g in known if table.loc[g].sum()}
            for label in labels
        }
        shares = representation(table.sum(axis=1))
        representations.append(
            Representation.model_validate(
                {
                    "attribute": attribute,
                    "faces": faces,
                    "unannotated": int(mine["n"].sum()) - faces,
                    **{n: int(v) if n == "richness" else _known(v) for n, v in shares.items()},
                }
            )
        )
        associations.append(
            Association.model_validate(
                {
                    "attribute": attribute,
                    **{n: _known(v) for n, v in association(table).items()},
                    **{f"dsap_{n}": _known(v) for n, v in dsap(table).items()},
                    "overall_disparity": _known(overall_disparity(recall)),
                    "xu_ratio": _known(xu_ratio(recall)),
                }
            )
        )
        measures = ducher_z(table), npmi(table), lewontin_d(table)
        numbers = table.to_numpy(int)
        for i, group in enumerate(known):
            for j, label in enumerate(labels):
                if not numbers[i].sum() or not numbers[:, j].sum():
                    continue
                z, information, lewontin = (float(m.to_numpy()[i, j]) for m in measures)
                pairings.append(
                    Pairing(
                        attribute=attribute,
                        group=group,
                        label=label,
                        faces=int(numbers[i, j]),
                        ducher_z=z,
                        npmi=_known(information),
                        lewontin_d=lewontin,
                        tpr_excess=_excess(by_key, attribute, group, known, label, "TPR"),
                        fpr_excess=_excess(by_key, attribute, group, known, label, "FPR"),
                    )
                )
    return Composition(representation=representations, association=associations, pairing=pairings)


def _excess(
    rates: Mapping[tuple[str, str, str, str], Rate], attribute: str, group: str, known: Sequence[str], label: str, name: str
) -> float | None:
    """A group's rate minus that of all other annotated groups together."""
    own = rates.get((attribute, group, label, name))
    others = [r for g in known if g != group and (r := rates.get((attribute, g, label, name))) and r.denominator]
    below = sum(r.denominator or 0 for r in others)
    if own is None or own.value is None or own.status != "ok" or not below:
        return None
    return own.value - sum(r.numerator or 0 for r in others) / below


def _value(rate: Rate | None) -> float:
    return math.nan if rate is None or rate.value is None or rate.status != "ok" else rate.value


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
