"""Counts per group and label: the one type from which every metric is computed, and the only module that aggregates rows.

For each group of a grouping, `Counts` holds true positives, false negatives, false positives and true negatives of every label
over a multi-label truth in which entries may be unknown. Single-label data are the special case of one true label per sample;
for them `Counts.confusions` also holds truth x predicted. Where a model gave scores, `Counts.histograms` holds the scores in
bins. All three can be split by unit: by subject, by stratum, by vote pattern.

Everything after this module works on counts, so its cost does not depend on the number of images. DuckDB does the counting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fairfer.metrics.rate_definitions import LABEL_RATES
from fairfer.metrics.score_bins import ScoreScale, bin_sql
from fairfer.vocabulary import EVERYONE, STATUSES, Group, Grouping, Task

Integers = NDArray[np.int64]
Numbers = NDArray[Any]
"""Whole numbers where samples are counted, floats where weights are summed."""


ACCURACY: Mapping[Task, str] = {"single-label": "accuracy", "multi-label": "subset accuracy"}
"""The share of samples classified correctly; of multi-label samples, those with every known label correct."""

_SUMMED = ("tp", "fn", "fp", "tn", "correct", "judged", "total", "statuses")
_BILLION = 10**9


@dataclass(frozen=True)
class ConfusionCounts:
    """Truth x predicted of single-label samples; arrays of one length, one entry per combination that occurs.

    Attributes
    ----------
    names
        Labels that occur as truth or as prediction.
    unit, group
        Number of the unit, and of the group.
    truth
        Number of the true label in `names`.
    predicted
        Number of the predicted label in `names`; -1 where there is no answer.
    status
        Number of the answer's status in `fairfer.vocabulary.STATUSES`.
    count
        Samples.
    """

    names: tuple[str, ...]
    unit: Integers
    group: Integers
    truth: Integers
    predicted: Integers
    status: Integers
    count: Integers


@dataclass(frozen=True)
class BinnedScores:
    """Scores in bins (see `fairfer.metrics.score_bins`); one entry per combination that occurs.

    Attributes
    ----------
    scale
        ``probability`` when all scores lie in [0, 1]; ``unbounded`` when they were mapped there by the logistic function.
    labels
        Numbers of the labels that have scores.
    label, group, unit, bin
        (entries,) numbers.
    positives, negatives
        Samples with and without the label whose score lies in the bin. Unknown entries and samples without an answer have
        no part in it.
    """

    scale: ScoreScale
    labels: tuple[int, ...]
    label: Integers
    group: Integers
    unit: Integers
    bin: Integers
    positives: Integers
    negatives: Integers


@dataclass(frozen=True)
class Counts:
    """Counts of one grouping.

    Attributes
    ----------
    grouping
        Attributes that are crossed.
    labels, groups
        Names; a group is a tuple of levels.
    unit, group
        (entries,) number of the unit (0 throughout when not split by unit) and of the group in `groups`.
    tp, fn, fp, tn
        (entries, labels) samples, or sums of weights. A sample without an answer is a false negative of its true labels.
    correct, judged, total
        (entries,) samples classified correctly, with any known label, and in all.
    statuses
        (entries, statuses) samples by status of the answer, in the order of `fairfer.vocabulary.STATUSES`.
    confusions
        Truth x predicted; ``None`` for multi-label data.
    histograms
        Scores; ``None`` where there are none.
    """

    grouping: Grouping
    labels: tuple[str, ...]
    groups: tuple[Group, ...]
    unit: Integers
    group: Integers
    tp: Numbers
    fn: Numbers
    fp: Numbers
    tn: Numbers
    correct: Numbers
    judged: Numbers
    total: Numbers
    statuses: Numbers
    confusions: ConfusionCounts | None = None
    histograms: BinnedScores | None = None

    @property
    def answered(self) -> Numbers:
        """(entries,) samples with an answer."""
        answered: Numbers = self.statuses[:, STATUSES.index("ok")]
        return answered

    def fraction(self, rate: str, label: str) -> tuple[Numbers, Numbers]:
        """Numerator and denominator of a rate in each entry.

        Parameters
        ----------
        rate
            One of `LABEL_RATES`, ``accuracy``, ``subset accuracy``, ``coverage`` or ``Hamming loss``.
        label
            Ignored for rates over all labels.

        Returns
        -------
        numerator, denominator
            (entries,) each.
        """
        if rate in ACCURACY.values():
            return self.correct, self.judged
        if rate == "coverage":
            return self.answered, self.total
        if rate == "Hamming loss":
            return (self.fp + self.fn).sum(axis=1), (self.tp + self.fn + self.fp + self.tn).sum(axis=1)
        column = self.labels.index(label)
        numerator, denominator = (
            sum((weight * getattr(self, cell)[:, column] for cell, weight in part.items()), start=np.zeros_like(self.total))
            for part in LABEL_RATES[rate]
        )
        return numerator, denominator

    def by_group(self) -> Counts:
        """The same, summed over units: one entry per group, in the order of `groups`. Score histograms are summed too."""
        size = len(self.groups)

        def summed(values: Numbers) -> Numbers:
            total = np.zeros((size, *values.shape[1:]), values.dtype)
            np.add.at(total, self.group, values)
            return total

        values: Any = {name: summed(getattr(self, name)) for name in _SUMMED}
        return replace(self, unit=np.zeros(size, np.int64), group=np.arange(size), **values)


@dataclass(frozen=True)
class Source:
    """What is counted: one row per sample.

    Attributes
    ----------
    relation
        A table, or a DuckDB relation such as ``read_parquet('part-*.parquet')``, which is streamed. Columns: ``status``;
        ``truth`` and ``predicted`` for single-label data, ``truth:0``, ``predicted:0``, … (1, 0 or null) in the order of
        `labels` for multi-label data; ``score:0``, … where there are scores, as FLOAT.
    task
        Task of the audit.
    labels
        Labels audited. A predicted label that is none of them is wrong for the true label and a positive of none.
    columns
        Column of each attribute.
    scored
        Numbers of the labels that have scores.
    scale
        Of the scores.
    """

    relation: pa.Table | pd.DataFrame | str
    task: Task
    labels: tuple[str, ...]
    columns: Mapping[str, str]
    scored: tuple[int, ...] = ()
    scale: ScoreScale = "probability"


def count(
    source: Source, groups: Mapping[Grouping, Sequence[Group]], *, unit: str = "", scores: bool = False
) -> dict[Grouping, Counts]:
    """Count the samples of every group.

    Parameters
    ----------
    source
        Samples.
    groups
        For each grouping its groups; one without samples gets zeros.
    unit
        Column with the number of each sample's unit, to count by unit within each group.
    scores
        Whether to count scores too, where there are any.

    Returns
    -------
    dict
        `Counts` by grouping. Without a unit there is one entry per group.
    """
    with duckdb.connect() as connection:
        relation = _relation(connection, source)
        if source.task == "single-label":
            counted = _count_single_label(connection, relation, source, groups, unit)
        else:
            counted = _count_multi_label(connection, relation, source, groups, unit)
        if not scores or not source.scored:
            return counted
        histograms = _count_scores(connection, relation, source, groups, unit)
    return {grouping: replace(counts, histograms=histograms[grouping]) for grouping, counts in counted.items()}


def count_weighted(
    source: Source, grouping: Grouping, weights: Mapping[Group, NDArray[np.float64]], *, unit: str = ""
) -> tuple[Counts, Counts]:
    """Sums of weights, and of their squares, for groups to which every sample belongs in part.

    Parameters
    ----------
    source
        Samples; a table.
    grouping
        What the groups are of.
    weights
        (samples,) for each group, from 0 to 1.
    unit
        Column with the number of each sample's unit.

    Returns
    -------
    weights, squares
        `Counts` of floats.

    Notes
    -----
    Weights are summed as whole billionths: a sum of floats would depend on the order in which parallel threads add it up.
    """
    table = source.relation if isinstance(source.relation, pa.Table) else pa.Table.from_pandas(source.relation)
    for i, weight in enumerate(weights.values()):
        for name, values in ((f"w{i}", weight), (f"s{i}", weight * weight)):
            table = table.append_column(name, pa.array(np.rint(values * _BILLION).astype(np.int64)))
    names = tuple(weights)
    everyone: dict[Grouping, list[Group]] = {EVERYONE: [EVERYONE]}
    parts = []
    with duckdb.connect() as connection:
        connection.register("samples", table)
        for kind in ("w", "s"):
            counted = []
            for i in range(len(names)):
                if source.task == "single-label":
                    part = _count_single_label(connection, "samples", source, everyone, unit, f"sum({kind}{i})")[EVERYONE]
                else:
                    part = _count_multi_label(connection, "samples", source, everyone, unit, f"{kind}{i}")[EVERYONE]
                counted.append(part)
            parts.append(_stacked(grouping, names, counted))
    return parts[0], parts[1]


def _stacked(grouping: Grouping, groups: tuple[Group, ...], parts: Sequence[Counts]) -> Counts:
    """Counts of everyone, one part per group, as the counts of one grouping; billionths become floats."""
    tp, fn, fp, tn, correct, judged, total, statuses = (
        np.concatenate([getattr(p, name) for p in parts]).astype(np.float64) / _BILLION for name in _SUMMED
    )
    unit = np.concatenate([p.unit for p in parts])
    group = np.concatenate([np.full(len(p.unit), i, np.int64) for i, p in enumerate(parts)])
    return Counts(grouping, parts[0].labels, groups, unit, group, tp, fn, fp, tn, correct, judged, total, statuses)


def _relation(connection: duckdb.DuckDBPyConnection, source: Source) -> str:
    if isinstance(source.relation, str):
        return source.relation
    table = source.relation
    connection.register("samples", table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False))
    return "samples"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _grouped(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    source: Source,
    groups: Mapping[Grouping, Sequence[Group]],
    keys: Sequence[str],
    values: Sequence[str],
) -> Iterator[tuple[Grouping, pd.DataFrame]]:
    """One pass over the samples: `values` aggregated by `keys` and the attributes of each grouping.

    Yields, for each grouping, a frame with ``group`` (its number), ``key0``, … and ``value0``, …, in the order of keys and
    groups. Columns of the query are named by position, since an attribute may have any name.
    """
    attributes = list(dict.fromkeys(a for grouping in groups for a in grouping))
    column = {a: _quote(source.columns[a]) for a in attributes}
    sets = ", ".join("(" + ", ".join([*keys, *(column[a] for a in grouping)]) + ")" for grouping in groups)
    named = [f"{key} AS key{i}" for i, key in enumerate(keys)]
    named += [f"{value} AS value{i}" for i, value in enumerate(values)]
    for i, a in enumerate(attributes):
        named += [f"{column[a]} AS level{i}", f"grouping({column[a]}) AS absent{i}"]
    query = f"SELECT {', '.join(named)} FROM {relation} GROUP BY GROUPING SETS ({sets})"
    frame = connection.sql(query).df()
    for grouping, members in groups.items():
        chosen = np.full(len(frame), fill_value=True)
        for i, attribute in enumerate(attributes):
            chosen &= (frame[f"absent{i}"] == (0 if attribute in grouping else 1)).to_numpy()
        part = frame[chosen]
        number = np.zeros(len(part), np.int64)
        if grouping:
            levels = [part[f"level{attributes.index(a)}"].astype("str") for a in grouping]
            number = pd.MultiIndex.from_tuples(list(members)).get_indexer(pd.MultiIndex.from_arrays(levels))
        part = part.assign(group=number)
        yield grouping, part.sort_values([*(f"key{i}" for i in range(len(keys))), "group"], ignore_index=True)


def _count_single_label(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    source: Source,
    groups: Mapping[Grouping, Sequence[Group]],
    unit: str,
    measure: str = "count(*)",
) -> dict[Grouping, Counts]:
    # Plain columns are grouped by almost twice as fast as expressions, so predictions without an answer are removed afterwards.
    keys = ["truth", "predicted", "status", *([_quote(unit)] if unit else [])]
    counted = {}
    for grouping, frame in _grouped(connection, relation, source, groups, keys, [measure]):
        frame["key1"] = frame["key1"].where(frame["key2"] == "ok")
        names = tuple(dict.fromkeys([*source.labels, *frame["key0"], *frame["key1"].dropna()]))
        index = pd.Index(list(names))
        confusions = ConfusionCounts(
            names,
            frame["key3"].to_numpy(np.int64) if unit else np.zeros(len(frame), np.int64),
            frame["group"].to_numpy(np.int64),
            index.get_indexer(pd.Index(frame["key0"])).astype(np.int64),
            index.get_indexer(pd.Index(frame["key1"])).astype(np.int64),
            pd.Index(STATUSES).get_indexer(pd.Index(frame["key2"])).astype(np.int64),
            frame["value0"].to_numpy(np.int64),
        )
        counted[grouping] = one_vs_rest(confusions, grouping, source.labels, tuple(groups[grouping]), by_unit=bool(unit))
    return counted


def one_vs_rest(
    confusions: ConfusionCounts,
    grouping: Grouping,
    labels: tuple[str, ...],
    groups: tuple[Group, ...],
    *,
    by_unit: bool = False,
) -> Counts:
    """Counts of every label against all others, from truth x predicted.

    Parameters
    ----------
    confusions
        Truth x predicted; its first names are `labels`, in their order.
    grouping, labels, groups
        Of the result.
    by_unit
        Whether the result has one entry per unit and group that occurs, ordered by unit, instead of one per group.
    """
    number = confusions.count
    if by_unit:
        keys, entry = np.unique(confusions.unit * len(groups) + confusions.group, return_inverse=True)
    else:
        keys, entry = np.arange(len(groups)), confusions.group
    shape = (len(keys), len(labels))
    tp, fn, fp = (np.zeros(shape, np.int64) for _ in range(3))
    correct, total = (np.zeros(len(keys), np.int64) for _ in range(2))
    statuses = np.zeros((len(keys), len(STATUSES)), np.int64)
    hit = confusions.truth == confusions.predicted
    known = confusions.truth < len(labels)
    np.add.at(tp, (entry[hit & known], confusions.truth[hit & known]), number[hit & known])
    np.add.at(fn, (entry[~hit & known], confusions.truth[~hit & known]), number[~hit & known])
    false = ~hit & (confusions.predicted >= 0) & (confusions.predicted < len(labels))
    np.add.at(fp, (entry[false], confusions.predicted[false]), number[false])
    np.add.at(total, entry, number)
    np.add.at(correct, entry[hit], number[hit])
    np.add.at(statuses, (entry, confusions.status), number)
    tn = total[:, None] - tp - fn - fp
    unit, group = np.divmod(keys, len(groups))
    return Counts(grouping, labels, groups, unit, group, tp, fn, fp, tn, correct, total, total, statuses, confusions=confusions)


def _count_multi_label(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    source: Source,
    groups: Mapping[Grouping, Sequence[Group]],
    unit: str,
    weight: str = "",
) -> dict[Grouping, Counts]:
    numbers = range(len(source.labels))

    def measure(condition: str) -> str:
        return f"coalesce(sum({weight}) FILTER (WHERE {condition}), 0)" if weight else f"count(*) FILTER (WHERE {condition})"

    answered = "status = 'ok'"
    selected = [f'({answered} AND coalesce("predicted:{i}", 0) = 1)' for i in numbers]
    known = " OR ".join(f'"truth:{i}" IS NOT NULL' for i in numbers)
    right = " AND ".join(f'("truth:{i}" IS NULL OR ("truth:{i}" = 1) = {selected[i]})' for i in numbers)
    values = [
        *(measure(f'"truth:{i}" = {truth} AND {sign}{selected[i]}') for truth, sign in _SIGNS for i in numbers),
        measure(f"{answered} AND ({known}) AND {right}"),
        measure(known),
        measure("TRUE"),
        *(measure(f"status = '{status}'") for status in STATUSES),
    ]
    counted = {}
    for grouping, frame in _grouped(connection, relation, source, groups, [_quote(unit)] if unit else [], values):
        members = tuple(groups[grouping])
        table = frame[[f"value{i}" for i in range(len(values))]].to_numpy(np.int64)
        group = frame["group"].to_numpy(np.int64)
        if not unit:
            full = np.zeros((len(members), len(values)), np.int64)
            full[group] = table
            table, group = full, np.arange(len(members))
        cells = table[:, : 4 * len(source.labels)].reshape(len(table), 4, len(source.labels))
        units = frame["key0"].to_numpy(np.int64) if unit else np.zeros(len(members), np.int64)
        tp, fn, fp, tn = (cells[:, i] for i in range(4))
        correct, judged, total, *statuses = table[:, 4 * len(source.labels) :].T
        counted[grouping] = Counts(
            grouping, source.labels, members, units, group, tp, fn, fp, tn, correct, judged, total, np.stack(statuses, axis=1)
        )
    return counted


_SIGNS = ((1, ""), (1, "NOT "), (0, ""), (0, "NOT "))
"""Truth, and whether the label was not predicted, of TP, FN, FP and TN."""


def _count_scores(
    connection: duckdb.DuckDBPyConnection, relation: str, source: Source, groups: Mapping[Grouping, Sequence[Group]], unit: str
) -> dict[Grouping, BinnedScores]:
    parts: dict[Grouping, list[tuple[int, pd.DataFrame]]] = {grouping: [] for grouping in groups}
    for i in source.scored:
        label = source.labels[i].replace("'", "''")
        truth = f"truth = '{label}'" if source.task == "single-label" else f'"truth:{i}" = 1'
        rows = f"(SELECT * FROM {relation} WHERE status = 'ok' AND \"score:{i}\" IS NOT NULL"
        rows += ")" if source.task == "single-label" else f' AND "truth:{i}" IS NOT NULL)'
        keys = [bin_sql(f'"score:{i}"', source.scale), *([_quote(unit)] if unit else [])]
        values = [f"count(*) FILTER (WHERE {truth})", "count(*)"]
        for grouping, frame in _grouped(connection, rows, source, groups, keys, values):
            parts[grouping].append((i, frame))
    histograms = {}
    for grouping, frames in parts.items():
        column = {
            name: np.concatenate([f[name].to_numpy(np.int64) for _, f in frames])
            for name in ("group", "key0", "value0", "value1", *(["key1"] if unit else []))
        }
        histograms[grouping] = BinnedScores(
            source.scale,
            source.scored,
            np.concatenate([np.full(len(f), i, np.int64) for i, f in frames]),
            column["group"],
            column["key1"] if unit else np.zeros(len(column["group"]), np.int64),
            column["key0"],
            column["value0"],
            column["value1"] - column["value0"],
        )
    return histograms
