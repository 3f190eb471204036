"""Confusion counts: predictions x truth x groups, counted by DuckDB. The only place that touches rows.

One row of the result says how many samples of one group had one truth and were given one answer. Everything after it works on
these counts, so its cost does not grow with the number of images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from fairfer.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

EVERYONE = "*"
"""Attribute and group of everyone together; label of a rate over all labels."""

_BILLION = 10**9

Grouping = tuple[str, ...]
"""Attributes whose levels are crossed; ``("gender",)``, or ``("gender", "race")`` for an intersection."""


def unanswered(status: str) -> str:
    """How the counts show an answer that was not given, such as ``(no_face)``: no label is spelled in brackets."""
    return f"({status})"


def grouping_name(grouping: Grouping) -> str:
    """``gender,race``; `EVERYONE` for the empty grouping."""
    return ",".join(grouping) or EVERYONE


def confusion(
    table: pd.DataFrame | pa.Table, groupings: Sequence[Grouping], columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Count answers per group.

    Parameters
    ----------
    table
        One row a sample: ``truth``, ``said`` (a label, or see `unanswered`) and one text column per attribute.
    groupings
        What to count by; everyone together is always counted first.
    columns
        The column of each attribute where it is not called as the attribute is.

    Returns
    -------
    DataFrame
        ``attribute, group, truth, predicted, n``, sorted; only combinations that occur.

    Raises
    ------
    UsageError
        When the levels of an intersection hold a comma, so that its groups could not be told apart by name.
    """
    rows = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
    wanted = list(dict.fromkeys([(), *groupings]))
    with duckdb.connect() as connection:
        connection.register("samples", rows)
        return count_relation(connection, "samples", wanted, columns)


def confusion_by_unit(
    table: pd.DataFrame, groupings: Sequence[Grouping], unit: str, columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """As `confusion`, for each unit (a person, a stratum, faces with the same votes) within each group.

    Parameters
    ----------
    table, groupings, columns
        As for `confusion`.
    unit
        Column with the number of each row's unit.

    Returns
    -------
    DataFrame
        ``attribute, unit, group, truth, predicted, n``; everyone together first.
    """
    text = table.assign(**{unit: table[unit].astype("str")})
    crossed = confusion(text, [(unit, *g) for g in [(), *groupings]], {**(columns or {}), unit: unit})
    crossed = crossed[crossed["attribute"] != EVERYONE]
    attribute = crossed["attribute"].str.removeprefix(unit).str.removeprefix(",").replace("", EVERYONE)
    parts = crossed["group"].str.partition(",")
    group = parts[2].mask(attribute == EVERYONE, EVERYONE)
    number = parts[0].astype("int64")
    found = crossed.assign(attribute=attribute, unit=number, group=group)
    return found[["attribute", "unit", "group", "truth", "predicted", "n"]].reset_index(drop=True)


def weighted_confusion(table: pd.DataFrame, weights: Mapping[str, NDArray[np.float64]]) -> pd.DataFrame:
    """Sums of weights, and of their squares, by truth and answer.

    Parameters
    ----------
    table
        One row a sample: ``truth`` and ``said``, and its ``unit`` where sums are wanted by unit.
    weights
        (samples,) by name, from 0 to 1.

    Returns
    -------
    DataFrame
        ``name, unit, truth, predicted, weight, square``; the unit is 0 where the table has none.

    Notes
    -----
    Weights are summed as whole billionths: a sum of floats would depend on the order in which parallel threads add it up.
    """
    rows = pa.table(
        {
            "truth": pa.array(table["truth"], pa.string()),
            "said": pa.array(table["said"], pa.string()),
            "unit": table["unit"].to_numpy(np.int64) if "unit" in table else np.zeros(len(table), np.int64),
            **{f"w{i}": np.rint(w * _BILLION).astype(np.int64) for i, w in enumerate(weights.values())},
            **{f"s{i}": np.rint(w * w * _BILLION).astype(np.int64) for i, w in enumerate(weights.values())},
        }
    )
    sums = "".join(f", sum(w{i}) AS w{i}, sum(s{i}) AS s{i}" for i in range(len(weights)))
    with duckdb.connect() as connection:
        connection.register("samples", rows)
        keys = "unit, truth, said"
        query = f"SELECT {keys}{sums} FROM samples GROUP BY {keys} ORDER BY {keys}"  # noqa: S608 - numbers only
        found = connection.sql(query).df()
    parts = [
        pd.DataFrame(
            {
                "name": name,
                "unit": found["unit"].astype("int64"),
                "truth": found["truth"].astype("str"),
                "predicted": found["said"].astype("str"),
                "weight": found[f"w{i}"].astype("float64") / _BILLION,
                "square": found[f"s{i}"].astype("float64") / _BILLION,
            }
        )
        for i, name in enumerate(weights)
    ]
    return pd.concat(parts, ignore_index=True)


def count_relation(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    groupings: Sequence[Grouping],
    columns: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """As `confusion`, on a table, view or ``read_parquet(...)`` that an open connection knows; it is read once, streaming."""
    attributes = list(dict.fromkeys(a for g in groupings for a in g))
    column = {a: _quote((columns or {}).get(a, a)) for a in attributes}
    sets = ", ".join("(truth, said" + "".join(f", {column[a]}" for a in g) + ")" for g in groupings)
    # The result's columns are named by position: an attribute may have any name, even one of these.
    named = "".join(f", {column[a]} AS level{i}, grouping({column[a]}) AS without{i}" for i, a in enumerate(attributes))
    query = f"SELECT truth, said{named}, count(*) AS n FROM {relation} GROUP BY GROUPING SETS ({sets})"  # noqa: S608 - quoted
    found = connection.sql(query).df()
    levels = {a: found[f"level{i}"].astype("str") for i, a in enumerate(attributes)}
    parts = []
    for grouping in groupings:
        mask = pd.Series(data=True, index=found.index)
        for i, attribute in enumerate(attributes):
            mask &= found[f"without{i}"] == (0 if attribute in grouping else 1)
        part = found[mask]
        group = pd.Series(EVERYONE, index=part.index, dtype="str")
        if grouping:
            group = levels[grouping[0]][mask]
            for attribute in grouping[1:]:
                group = group + "," + levels[attribute][mask]
        if len(grouping) > 1:
            for attribute in grouping:
                _refuse_commas(levels[attribute][mask], attribute, grouping)
        counted = pd.DataFrame(
            {
                "attribute": grouping_name(grouping),
                "group": group,
                "truth": part["truth"].astype("str"),
                "predicted": part["said"].astype("str"),
                "n": part["n"].astype("int64"),
            }
        )
        parts.append(counted.sort_values(["group", "truth", "predicted"]))
    return pd.concat(parts, ignore_index=True)


def one_vs_rest(counts: pd.DataFrame, labels: Sequence[str], groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """TP, FN, FP and TN per attribute, group and label.

    Parameters
    ----------
    counts
        As `confusion` returns.
    labels
        The labels audited. An answer that is none of them (not given, or a label that the data never hold) is wrong for the
        true label and a positive for none.
    groups
        The groups of each attribute; one without samples gets zeros.

    Returns
    -------
    DataFrame
        ``attribute, group, label, tp, fn, fp, tn``, in the order of `groups` and `labels`.
    """
    frames = []
    keys = pd.MultiIndex.from_tuples([(a, g) for a, names in groups.items() for g in names], names=["attribute", "group"])

    def total(rows: pd.DataFrame) -> pd.Series:
        return rows.groupby(["attribute", "group"])["n"].sum().reindex(keys, fill_value=0)

    everyone = total(counts)
    for label in labels:
        is_truth, is_said = counts["truth"] == label, counts["predicted"] == label
        tp, fn, fp = total(counts[is_truth & is_said]), total(counts[is_truth & ~is_said]), total(counts[~is_truth & is_said])
        frames.append(pd.DataFrame({"label": label, "tp": tp, "fn": fn, "fp": fp, "tn": everyone - tp - fn - fp}))
    cells = pd.concat(frames).reset_index()
    order = {key: i for i, key in enumerate(keys)}
    position = pd.Series([order[key] for key in zip(cells["attribute"], cells["group"], strict=True)])
    return cells.iloc[position.argsort(kind="stable")].reset_index(drop=True)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _refuse_commas(levels: pd.Series, attribute: str, grouping: Grouping) -> None:
    bad = levels[levels.str.contains(",", regex=False)]
    if len(bad):
        message = (
            f"--by {grouping_name(grouping)}: the level {bad.iloc[0]!r} of {attribute} holds a comma; rename it to cross it"
        )
        raise UsageError(message)
