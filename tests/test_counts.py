"""Counting: every sample is in exactly one cell of every grouping, and nobody is in none."""

from __future__ import annotations

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfer.errors import UsageError
from fairfer.metrics.counts import EVERYONE, confusion, count_relation, grouping_name, one_vs_rest, unanswered

LABELS = ("anger", "fear", "neutral")
SAID = (*LABELS, "contempt", "(no_face)", "(error)")
GENDER, RACE = ("f", "m", "unannotated"), ("x", "y", "*")

rows = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from(SAID), st.sampled_from(GENDER), st.sampled_from(RACE)),
    min_size=1,
    max_size=40,
)
GROUPINGS = [("gender",), ("race",), ("gender", "race")]


def table(found) -> pd.DataFrame:
    """Rows of samples."""
    return pd.DataFrame(found, columns=["truth", "said", "gender", "race"], dtype="str")


def groups_of(frame: pd.DataFrame, grouping) -> pd.Series:
    """Each row's group, by hand."""
    if not grouping:
        return pd.Series(EVERYONE, index=frame.index)
    return frame[list(grouping)].agg(",".join, axis=1)


@settings(max_examples=12)
@given(rows)
def test_counts_are_those_of_plain_loops(found):
    """Row by row in Python: the same cells with the same numbers, and none besides."""
    frame = table(found)
    counts = confusion(frame, GROUPINGS)
    wanted: dict[tuple[str, ...], int] = {}
    for grouping in [(), *GROUPINGS]:
        for (_, row), group in zip(frame.iterrows(), groups_of(frame, grouping), strict=True):
            key = (grouping_name(grouping), group, row["truth"], row["said"])
            wanted[key] = wanted.get(key, 0) + 1
    got = {tuple(r[:4]): r[4] for r in counts.itertuples(index=False)}
    assert got == wanted
    assert len(counts) == len(got)


@settings(max_examples=12)
@given(rows)
def test_every_grouping_counts_everyone_once(found):
    """The sum over any grouping is the number of samples: nobody vanishes and nobody counts twice."""
    counts = confusion(table(found), GROUPINGS)
    assert set(counts.groupby("attribute")["n"].sum()) == {len(found)}


@settings(max_examples=10)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(found, random):
    """The same samples give the same table, row for row."""
    shuffled = list(found)
    random.shuffle(shuffled)
    pd.testing.assert_frame_equal(confusion(table(found), GROUPINGS), confusion(table(shuffled), GROUPINGS))


def test_everyone_comes_first_and_a_grouping_once():
    """Asking twice counts once; the empty grouping is always there."""
    counts = confusion(table([("anger", "fear", "f", "x")]), [("gender",), (), ("gender",)])
    assert list(counts["attribute"]) == [EVERYONE, "gender"]
    assert list(counts["n"]) == [1, 1]


@pytest.mark.parametrize("name", ["truth", "said", "n", "level0", "without0", "predicted", "Truth", 'a "b"', "select", "*"])
def test_an_attribute_may_have_any_name(name):
    """Also that of a column which the counting itself uses, told by its own column."""
    frame = pd.DataFrame({"truth": ["anger"] * 3, "said": ["anger", "fear", "fear"], "by0": ["x", "x", "y"]}, dtype="str")
    counts = confusion(frame, [(name,)], {name: "by0"})
    got = {(r.group, r.predicted): r.n for r in counts.itertuples() if r.attribute == name and (name != "*" or r.group != "*")}
    assert got == {("x", "anger"): 1, ("x", "fear"): 1, ("y", "fear"): 1}


def test_a_group_called_like_the_aggregate_is_a_group_of_its_attribute():
    """``gender=*`` and everyone are two things."""
    counts = confusion(table([("anger", "anger", "*", "x"), ("anger", "fear", "f", "x")]), [("gender",)])
    sizes = counts.groupby(["attribute", "group"])["n"].sum().to_dict()
    assert sizes == {("*", "*"): 2, ("gender", "*"): 1, ("gender", "f"): 1}


def test_levels_with_commas_cannot_be_crossed():
    """``a,b`` x ``c`` and ``a`` x ``b,c`` would be one name; alone such a level is fine."""
    frame = table([("anger", "anger", "a,b", "c"), ("anger", "anger", "a", "b,c")])
    assert set(confusion(frame, [("gender",)])["group"]) == {"*", "a,b", "a"}
    with pytest.raises(UsageError, match="--by gender,race: the level 'a,b' of gender holds a comma; rename it to cross it"):
        confusion(frame, [("gender", "race")])


def test_tables_are_counted_where_they_lie(tmp_path):
    """Arrow tables and Parquet files, in one reading; the same numbers."""
    frame = table([("anger", "fear", "f", "x"), ("fear", "fear", "m", "y")] * 3)
    wanted = confusion(frame, GROUPINGS)
    arrow = pa.Table.from_pandas(frame)
    pd.testing.assert_frame_equal(confusion(arrow, GROUPINGS), wanted)
    frame.to_parquet(tmp_path / "t.parquet")
    with duckdb.connect() as connection:
        found = count_relation(connection, f"read_parquet('{tmp_path}/t.parquet')", [(), *GROUPINGS])
    pd.testing.assert_frame_equal(found, wanted)


@settings(max_examples=12)
@given(rows)
def test_one_label_against_the_rest_is_what_masks_on_the_rows_say(found):
    """TP, FN, FP and TN of each label and group, straight from the definition; groups without samples have zeros."""
    frame = table(found)
    groups = {
        EVERYONE: [EVERYONE],
        "gender": [*GENDER, "nobody"],
        "gender,race": [f"{g},{r}" for g in GENDER for r in RACE],
    }
    cells = one_vs_rest(confusion(frame, [("gender",), ("gender", "race")]), LABELS, groups)
    order = [(a, g, label) for a, names in groups.items() for g in names for label in LABELS]
    assert list(zip(cells["attribute"], cells["group"], cells["label"], strict=True)) == order
    for cell in cells.itertuples():
        grouping = () if cell.attribute == EVERYONE else tuple(cell.attribute.split(","))
        part = frame[groups_of(frame, grouping) == cell.group]
        true, said = part["truth"] == cell.label, part["said"] == cell.label
        assert (cell.tp, cell.fn, cell.fp, cell.tn) == (
            (true & said).sum(),
            (true & ~said).sum(),
            (~true & said).sum(),
            (~true & ~said).sum(),
        )


def test_an_answer_not_given_is_in_brackets():
    """No label can be spelled so (see the label spaces)."""
    assert unanswered("no_face") == "(no_face)"
