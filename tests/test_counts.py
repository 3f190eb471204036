"""Counts against boolean masks, scikit-learn and numpy on the rows they were counted from."""

from __future__ import annotations

import itertools

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import multilabel_confusion_matrix

from fairfer.metrics.counts import Source, count, count_weighted
from fairfer.metrics.score_bins import bin_of
from fairfer.vocabulary import EVERYONE, STATUSES

LABELS = ("anger", "fear", "joy")
GENDERS, RACES = ("f", "m"), ("a", "b, c", "unannotated")
COLUMNS = {"gender": "by0", "race": "by1"}
GROUPS = {
    EVERYONE: [EVERYONE],
    ("gender",): [(g,) for g in GENDERS],
    ("race",): [(r,) for r in RACES],
    ("gender", "race"): list(itertools.product(GENDERS, RACES)),
}
CELLS = ("tp", "fn", "fp", "tn")

FEW = settings(max_examples=10)  # each example opens a database


def members(table: pd.DataFrame, grouping: tuple[str, ...], group: tuple[str, ...]) -> np.ndarray:
    chosen = np.full(len(table), fill_value=True)
    for attribute, level in zip(grouping, group, strict=True):
        chosen &= (table[COLUMNS[attribute]] == level).to_numpy()
    return chosen


@st.composite
def single_label_rows(draw: st.DrawFn) -> pd.DataFrame:
    """Truth, answers (also of a label that is not audited), statuses, groups and units."""
    row = st.tuples(
        st.sampled_from(LABELS),
        st.sampled_from([*LABELS, "boredom"]),
        st.sampled_from(STATUSES),
        st.sampled_from(GENDERS),
        st.sampled_from(RACES),
        st.integers(0, 3),
    )
    rows = draw(st.lists(row, min_size=1, max_size=40))
    table = pd.DataFrame(rows, columns=["truth", "predicted", "status", "by0", "by1", "unit"])
    return table.assign(predicted=table["predicted"].where(table["status"] == "ok"))


@st.composite
def multi_label_rows(draw: st.DrawFn) -> pd.DataFrame:
    """Truth with unknown entries, decisions, statuses, groups and units."""
    truth, decision = st.sampled_from([0, 1, None]), st.sampled_from([0, 1])
    row = st.tuples(
        *[truth] * 3,
        *[decision] * 3,
        st.sampled_from(STATUSES),
        st.sampled_from(GENDERS),
        st.sampled_from(RACES),
        st.integers(0, 3),
    )
    names = [*(f"truth:{i}" for i in range(3)), *(f"predicted:{i}" for i in range(3)), "status", "by0", "by1", "unit"]
    table = pd.DataFrame(draw(st.lists(row, min_size=1, max_size=40)), columns=names)
    return table.astype(dict.fromkeys(names[:6], "Int8"))


@FEW
@given(single_label_rows())
def test_single_label_counts_are_masks_on_the_rows(table: pd.DataFrame) -> None:
    """Every count of every group; an answer that was not given is a miss, one that is not audited a false answer of none."""
    counts = count(Source(table, "single-label", LABELS, COLUMNS), GROUPS)
    answered = (table["status"] == "ok").to_numpy()
    for grouping, groups in GROUPS.items():
        c = counts[grouping]
        for i, group in enumerate(groups):
            mine = members(table, grouping, group)
            for j, label in enumerate(LABELS):
                true = (table["truth"] == label).to_numpy()
                says = answered & (table["predicted"] == label).to_numpy()
                expected = [(mine & t & p).sum() for t, p in ((true, says), (true, ~says), (~true, says), (~true, ~says))]
                assert [int(getattr(c, n)[i, j]) for n in CELLS] == expected
            right = mine & answered & (table["truth"] == table["predicted"]).to_numpy()
            assert (c.correct[i], c.judged[i], c.answered[i], c.total[i]) == (
                right.sum(),
                mine.sum(),
                (mine & answered).sum(),
                mine.sum(),
            )
        confusions = c.confusions
        assert confusions is not None
        for k in range(len(confusions.count)):
            mine = members(table, grouping, groups[confusions.group[k]])
            mine &= (table["truth"] == confusions.names[confusions.truth[k]]).to_numpy()
            mine &= (table["status"] == STATUSES[confusions.status[k]]).to_numpy()
            if confusions.predicted[k] >= 0:
                mine &= (table["predicted"] == confusions.names[confusions.predicted[k]]).to_numpy()
            assert confusions.count[k] == mine.sum() > 0
        assert confusions.count.sum() == len(table)


@FEW
@given(multi_label_rows())
def test_multi_label_counts_are_masks_on_the_rows(table: pd.DataFrame) -> None:
    """Unknown entries take part in no count; a sample without an answer predicts nothing."""
    counts = count(Source(table, "multi-label", LABELS, COLUMNS), GROUPS)
    answered = (table["status"] == "ok").to_numpy()
    truth = table[[f"truth:{i}" for i in range(3)]].to_numpy(float, na_value=np.nan)
    says = table[[f"predicted:{i}" for i in range(3)]].to_numpy(int) * answered[:, None] == 1
    known = ~np.isnan(truth)
    for grouping, groups in GROUPS.items():
        c = counts[grouping]
        assert c.confusions is None
        for i, group in enumerate(groups):
            mine = members(table, grouping, group)[:, None] & known
            expected = [
                (mine & (truth == t) & (says == p)).sum(axis=0) for t, p in ((1, True), (1, False), (0, True), (0, False))
            ]
            np.testing.assert_array_equal([getattr(c, n)[i] for n in CELLS], expected)
            judged = members(table, grouping, group) & known.any(axis=1)
            right = judged & answered & (~known | (truth == says)).all(axis=1)
            assert (c.judged[i], c.correct[i]) == (judged.sum(), right.sum())


@FEW
@given(multi_label_rows())
def test_multi_label_counts_without_unknowns_are_scikit_learns(table: pd.DataFrame) -> None:
    """`multilabel_confusion_matrix` on the rows of each group."""
    table = table.assign(status="ok", **{f"truth:{i}": table[f"truth:{i}"].fillna(0) for i in range(3)})
    counts = count(Source(table, "multi-label", LABELS, COLUMNS), GROUPS)
    for grouping, groups in GROUPS.items():
        for i, group in enumerate(groups):
            mine = members(table, grouping, group)
            if not mine.any():
                assert counts[grouping].total[i] == 0
                continue
            truth, says = (table.loc[mine, [f"{k}:{j}" for j in range(3)]].to_numpy(int) for k in ("truth", "predicted"))
            theirs = multilabel_confusion_matrix(truth, says)
            c = counts[grouping]
            ours = np.stack([np.stack([c.tn[i], c.fp[i]], -1), np.stack([c.fn[i], c.tp[i]], -1)], axis=1)
            np.testing.assert_array_equal(ours, theirs)


@FEW
@given(single_label_rows())
def test_single_label_is_the_special_case_of_multi_label(table: pd.DataFrame) -> None:
    """The same samples with one column per label give the same counts."""
    wide = table[["status", "by0", "by1"]].copy()
    for i, label in enumerate(LABELS):
        wide[f"truth:{i}"] = (table["truth"] == label).astype("Int8")
        wide[f"predicted:{i}"] = (table["predicted"] == label).astype("Int8")
    one = count(Source(table, "single-label", LABELS, COLUMNS), GROUPS)
    other = count(Source(wide, "multi-label", LABELS, COLUMNS), GROUPS)
    for grouping in GROUPS:
        for name in (*CELLS, "judged", "answered", "total"):
            np.testing.assert_array_equal(getattr(one[grouping], name), getattr(other[grouping], name))


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
@FEW
@given(data=st.data())
def test_units_add_up_to_their_group(task: str, data: st.DataObject) -> None:
    """Counts by unit are those of the unit's rows alone, ordered by unit, and sum to the group's."""
    table = data.draw(single_label_rows() if task == "single-label" else multi_label_rows())
    whole = count(Source(table, task, LABELS, COLUMNS), GROUPS)
    parts = count(Source(table, task, LABELS, COLUMNS), GROUPS, unit="unit")
    for grouping in GROUPS:
        summed = parts[grouping].by_group()
        for name in (*CELLS, "correct", "judged", "answered", "total"):
            np.testing.assert_array_equal(getattr(summed, name), getattr(whole[grouping], name))
        keys = list(zip(parts[grouping].unit, parts[grouping].group, strict=True))
        assert keys == sorted(set(keys))
        alone = count(Source(table[table["unit"] == table["unit"].iloc[0]], task, LABELS, COLUMNS), GROUPS)[grouping]
        mine = parts[grouping].unit == table["unit"].iloc[0]
        for group in parts[grouping].group[mine]:
            entry = mine & (parts[grouping].group == group)
            np.testing.assert_array_equal(parts[grouping].tp[entry][0], alone.tp[group])


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
@FEW
@given(data=st.data())
def test_weighted_counts_are_sums_of_weights(task: str, data: st.DataObject) -> None:
    """With weights 0 and 1 they are counts; with any weights they are sums over the rows."""
    table = data.draw(single_label_rows() if task == "single-label" else multi_label_rows())
    weight = np.array(data.draw(st.lists(st.floats(0, 1), min_size=len(table), max_size=len(table))))
    source = Source(table, task, LABELS, COLUMNS)
    inside = (table["by0"] == "f").to_numpy(float)
    weights, squares = count_weighted(source, ("gender",), {("f",): inside, ("m",): weight})
    plain = count(source, GROUPS)[("gender",)]
    first = weights.group == 0
    for name in CELLS:
        np.testing.assert_allclose(getattr(weights, name)[first].sum(axis=0), getattr(plain, name)[0], atol=1e-8)
    assert weights.total[~first].sum() == pytest.approx(weight.sum(), abs=1e-6)
    assert squares.total[~first].sum() == pytest.approx((weight**2).sum(), abs=1e-6)


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
@FEW
@given(data=st.data())
def test_histograms_hold_every_score(task: str, data: st.DataObject) -> None:
    """Every score of an answered sample with known truth is in the bin that numpy finds for it."""
    table = data.draw(single_label_rows() if task == "single-label" else multi_label_rows())
    score = st.floats(0, 1, width=32)
    for i in range(2):
        table[f"score:{i}"] = np.array(data.draw(st.lists(score, min_size=len(table), max_size=len(table))), np.float32)
    counts = count(Source(table, task, LABELS, COLUMNS, (0, 1)), GROUPS, scores=True)
    answered = (table["status"] == "ok").to_numpy()
    for grouping, groups in GROUPS.items():
        histograms = counts[grouping].histograms
        assert histograms is not None
        for i, (j, group) in itertools.product(range(2), enumerate(groups)):
            if task == "single-label":
                true = (table["truth"] == LABELS[i]).to_numpy()
                known = answered & members(table, grouping, group)
            else:
                true = (table[f"truth:{i}"] == 1).fillna(value=False).to_numpy(bool)
                known = answered & members(table, grouping, group) & table[f"truth:{i}"].notna().to_numpy()
            expected = pd.crosstab(bin_of(table.loc[known, f"score:{i}"]), true[known]) if known.any() else pd.DataFrame()
            mine = (histograms.label == i) & (histograms.group == j)
            assert sorted(histograms.bin[mine]) == sorted(expected.index)
            for b, p, n in zip(histograms.bin[mine], histograms.positives[mine], histograms.negatives[mine], strict=True):
                row = expected.loc[b]
                assert (p, n) == (row.get(True, 0), row.get(False, 0))


def test_a_relation_on_disk_is_streamed(tmp_path) -> None:
    """Parquet parts give the same counts as the table in memory."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "truth": generator.choice(LABELS, 300),
            "predicted": generator.choice(LABELS, 300),
            "status": generator.choice(STATUSES, 300),
            "by0": generator.choice(GENDERS, 300),
            "by1": generator.choice(RACES, 300),
        }
    )
    for i in range(3):
        table.iloc[i * 100 : (i + 1) * 100].to_parquet(tmp_path / f"part-{i}.parquet")
    disk = count(Source(f"read_parquet('{tmp_path}/part-*.parquet')", "single-label", LABELS, COLUMNS), GROUPS)
    memory = count(Source(table, "single-label", LABELS, COLUMNS), GROUPS)
    for grouping in GROUPS:
        np.testing.assert_array_equal(disk[grouping].tp, memory[grouping].tp)
        np.testing.assert_array_equal(disk[grouping].total, memory[grouping].total)


def test_attributes_may_have_any_name() -> None:
    """Columns called like SQL or like the result's own columns are counted all the same."""
    table = pd.DataFrame({"truth": ["fear"], "predicted": ["fear"], "status": ["ok"], 'key0" --': ["x"], "level0": ["y"]})
    columns = {"select": 'key0" --', "group": "level0"}
    groups = {EVERYONE: [EVERYONE], ("select", "group"): [("x", "y"), ("x", "z")]}
    counts = count(Source(table, "single-label", LABELS, columns), groups)
    assert counts["select", "group"].total.tolist() == [1, 0]


def test_one_scan_counts_every_grouping(monkeypatch) -> None:
    """The rows are read once, however many groupings there are."""
    queries = []
    table = pd.DataFrame({"truth": ["fear"], "predicted": ["fear"], "status": ["ok"], "by0": ["f"], "by1": ["a"]})
    connect = duckdb.connect

    class Spy:
        def __init__(self) -> None:
            self.real = connect()

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            self.real.close()

        def register(self, *args: object) -> None:
            self.real.register(*args)

        def sql(self, query: str):
            queries.append(query)
            return self.real.sql(query)

    monkeypatch.setattr(duckdb, "connect", Spy)
    count(Source(table, "single-label", LABELS, COLUMNS), GROUPS)
    assert len(queries) == 1
