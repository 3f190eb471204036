"""Rates: each is its definition on the rows, and what cannot be estimated is never 0."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fm
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from fairfer.metrics.counts import EVERYONE, confusion, one_vs_rest
from fairfer.metrics.rates import COLUMNS, FRACTIONS, GROUP_RATES, LABEL_RATES, group_rates, label_rates

LABELS = ("anger", "fear", "neutral")
SAID = (*LABELS, "contempt", "(no_face)")
GROUPS = ("f", "m", "unannotated")
ALL_GROUPS = (*GROUPS, "nobody")

rows = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(SAID), st.sampled_from(GROUPS)), min_size=1, max_size=30)
# All right, all wrong, nobody answered, one row, a group whose truth lacks labels, a label that nobody has.
HARD = [
    [("anger", "anger", "f")] * 3 + [("fear", "fear", "m")] * 2,
    [("anger", "fear", "f"), ("fear", "anger", "m")],
    [("anger", "(no_face)", "f"), ("fear", "(no_face)", "m")],
    [("anger", "anger", "f")],
    [("anger", "contempt", "f"), ("fear", "contempt", "unannotated")],
    [("anger", "anger", "f"), ("fear", "fear", "f"), ("neutral", "neutral", "f"), ("anger", "anger", "m")],
]


GENERATOR = np.random.default_rng(0)
CORPUS = [
    *HARD,
    *(
        [(GENERATOR.choice(LABELS), GENERATOR.choice(SAID), GENERATOR.choice(GROUPS)) for _ in range(n)]
        for n in (2, 3, 5, 9, 17, 33)
    ),
]
"""Tables for properties that need not be searched: measuring one takes a third of a second, most of it Fairlearn's."""


def hard_examples(test):
    """Add each of the hard tables to a property that is searched."""
    for found in HARD:
        test = example(found=found)(test)
    return test


def measured(found, minimum=1, confidence=0.95) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The rows as a table, and both tables of rates of them."""
    return _measured(tuple(tuple(map(str, row)) for row in found), minimum, confidence)


@functools.cache
def _measured(found, minimum, confidence) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    frame = pd.DataFrame(found, columns=["truth", "said", "g"], dtype="str")
    groups = {EVERYONE: [EVERYONE], "g": list(ALL_GROUPS)}
    counts = confusion(frame, [("g",)])
    by_label = label_rates(one_vs_rest(counts, LABELS, groups), minimum=minimum, confidence=confidence)
    by_group = group_rates(counts, LABELS, groups, minimum=minimum, confidence=confidence)
    return frame, by_label, by_group


def part_of(frame: pd.DataFrame, group: str) -> pd.DataFrame:
    """The rows of one group."""
    return frame if group == EVERYONE else frame[frame["g"] == group]


def by_hand(part: pd.DataFrame, label: str, rate: str) -> tuple[int, int]:
    """Numerator and denominator of a rate, each written out from its definition on the rows."""
    true, said = part["truth"] == label, part["said"] == label
    both = int((true & said).sum())
    return {
        "TPR": (both, int(true.sum())),
        "FNR": (int((true & ~said).sum()), int(true.sum())),
        "FPR": (int((~true & said).sum()), int((~true).sum())),
        "TNR": (int((~true & ~said).sum()), int((~true).sum())),
        "PPV": (both, int(said.sum())),
        "selection rate": (int(said.sum()), len(part)),
        "prevalence": (int(true.sum()), len(part)),
        "prediction bias": (int(said.sum()) - int(true.sum()), len(part)),
        "F1": (2 * both, int(true.sum()) + int(said.sum())),
    }[rate]


@hard_examples
@settings(max_examples=8)
@given(found=rows)
def test_each_rate_of_a_label_is_its_definition_on_the_rows(found):
    """Numerator, denominator and value of every label, group and rate, by boolean masks."""
    frame, rates, _ = measured(found)
    assert list(rates.columns) == list(COLUMNS)
    assert len(rates) == len(LABELS) * (1 + len(ALL_GROUPS)) * len(LABEL_RATES)
    for row in rates.itertuples():
        part = part_of(frame, row.group)
        above, below = by_hand(part, row.label, row.rate)
        assert (row.numerator, row.denominator) == (above, below)
        if below:
            assert row.value == pytest.approx(above / below, abs=1e-12)
            assert row.status == "ok"
        else:
            assert np.isnan(row.value)
            assert row.status == ("not_estimable" if len(part) else "empty")


FAIRLEARN = {
    "TPR": fm.true_positive_rate,
    "FNR": fm.false_negative_rate,
    "FPR": fm.false_positive_rate,
    "TNR": fm.true_negative_rate,
    "selection rate": fm.selection_rate,
}


@hard_examples
@settings(max_examples=5)
@given(found=rows)
def test_fairlearns_metric_frame_on_the_unaggregated_rows_agrees_cell_by_cell(found):
    """Where a rate is defined; where it is not, Fairlearn says 0.0 and fairfer says nothing."""
    frame, rates, _ = measured(found)
    values = rates[rates["attribute"] == "g"].set_index(["label", "rate", "group"])
    for label in LABELS:
        rows_frame = fm.MetricFrame(
            metrics=FAIRLEARN,
            y_true=(frame["truth"] == label).to_numpy(int),
            y_pred=(frame["said"] == label).to_numpy(int),
            sensitive_features=frame["g"],
        )
        for group, line in rows_frame.by_group.iterrows():
            for rate in FAIRLEARN:
                row = values.loc[label, rate, group]
                if row["denominator"]:
                    assert row["value"] == pytest.approx(line[rate], abs=1e-12)
                else:
                    assert np.isnan(row["value"])


def test_fairlearn_undefined_is_0_and_ours_is_not_estimable():
    """The trap itself: a group without any anger has Fairlearn's TPR 0.0 and FNR 0.0, a gap that does not exist."""
    found = [("anger", "anger", "f"), ("fear", "fear", "f"), ("fear", "fear", "m")]
    true, said = [1, 0, 0], [1, 0, 0]
    trap = fm.MetricFrame(metrics=FAIRLEARN, y_true=true, y_pred=said, sensitive_features=["f", "f", "m"])
    assert trap.by_group.loc["m", "TPR"] == trap.by_group.loc["m", "FNR"] == 0
    assert trap.difference()["TPR"] == 1
    _, rates, _ = measured(found)
    ours = rates[(rates["label"] == "anger") & (rates["group"] == "m")].set_index("rate")
    assert list(ours.loc[["TPR", "FNR", "PPV"], "status"]) == ["not_estimable"] * 3
    assert ours.loc[["TPR", "FNR", "PPV"], ["value", "low", "high"]].isna().all(axis=None)
    assert ours.loc["prevalence", "value"] == 0  # defined: of one face, none is angry
    assert ours.loc["prevalence", "status"] == "ok"


@pytest.mark.parametrize("found", CORPUS)
def test_rates_obey_their_identities(found):
    """Per cell TPR+FNR=1, FPR+TNR=1; per group selection rates add up to the audited share of answers, prevalences to 1."""
    frame, rates, by_group = measured(found)
    wide = rates.pivot_table(index=["label", "attribute", "group"], columns="rate", values="value", dropna=False)
    for one, other in (("TPR", "FNR"), ("FPR", "TNR")):
        total = (wide[one] + wide[other]).dropna()
        assert np.allclose(total, 1)
        assert (wide[one].isna() == wide[other].isna()).all()
    coverage = by_group[by_group["rate"] == "coverage"].set_index(["attribute", "group"])
    accuracy = by_group[by_group["rate"] == "accuracy"].set_index(["attribute", "group"])
    for (attribute, group), line in coverage.iterrows():
        part = part_of(frame, group)
        if not len(part):
            continue
        cell = rates[(rates["attribute"] == attribute) & (rates["group"] == group)]
        outside = int(part["said"].eq("contempt").sum())  # answered, with a label that the data never hold
        selected = cell[cell["rate"] == "selection rate"]["numerator"].sum()
        assert selected == line["numerator"] - outside
        assert cell[cell["rate"] == "prevalence"]["value"].sum() == pytest.approx(1)
        hits = cell[cell["rate"] == "TPR"]["numerator"].sum()
        assert hits == accuracy.loc[(attribute, group), "numerator"]


@pytest.mark.parametrize("found", CORPUS)
def test_rates_over_all_labels_are_sklearns_on_the_rows(found):
    """Accuracy, F1 and coverage of each group; macro-F1 only where the group's truth holds every label."""
    frame, _, rates = measured(found)
    assert len(rates) == (1 + len(ALL_GROUPS)) * len(GROUP_RATES)
    for (_, group), line in rates.set_index("rate").groupby(["attribute", "group"], sort=False):
        part = part_of(frame, group)
        if not len(part):
            assert set(line["status"]) == {"empty"}
            assert line["value"].isna().all()
            continue
        assert line.loc["accuracy", "value"] == pytest.approx(accuracy_score(part["truth"], part["said"]))
        assert line.loc["coverage", "value"] == pytest.approx((~part["said"].str.startswith("(")).mean())
        weighted = f1_score(part["truth"], part["said"], labels=list(LABELS), average="weighted", zero_division=0.0)
        assert line.loc["weighted-F1", "value"] == pytest.approx(weighted)
        if set(part["truth"]) >= set(LABELS):
            macro = f1_score(part["truth"], part["said"], labels=list(LABELS), average="macro", zero_division=0.0)
            assert line.loc["macro-F1", "value"] == pytest.approx(macro)
            assert line.loc["macro-F1", "status"] == "ok"
        else:
            assert np.isnan(line.loc["macro-F1", "value"])
            assert line.loc["macro-F1", "status"] == "not_estimable"


def test_a_group_that_lacks_two_of_three_emotions_has_no_macro_f1():
    """One-class groups, the trap of confusion matrices without labels: neither a perfect 1.0 nor a third of it."""
    found = [("anger", "anger", "m")] * 5 + [(n, n, "f") for n in LABELS]
    _, _, rates = measured(found)
    macro = rates[rates["rate"] == "macro-F1"].set_index("group")
    assert macro.loc["m", "status"] == "not_estimable"
    assert np.isnan(macro.loc["m", "value"])
    assert macro.loc["f", "value"] == macro.loc["*", "value"] == 1


@pytest.mark.parametrize(
    ("n", "minimum", "status"),
    [(19, 20, "small"), (20, 20, "ok"), (1, 1, "ok"), (1, 2, "small")],
)
def test_a_rate_on_fewer_than_the_minimum_is_marked_small(n, minimum, status):
    """By its own denominator, not by the size of the group; the value stays visible."""
    found = [("anger", "anger", "f")] * n + [("fear", "fear", "f")] * 100
    _, rates, by_group = measured(found, minimum=minimum)
    cell = rates[(rates["label"] == "anger") & (rates["group"] == "f")].set_index("rate")
    assert cell.loc["TPR", "status"] == status
    assert cell.loc["TPR", "value"] == 1
    assert cell.loc["FPR", "status"] == "ok"
    assert by_group.set_index(["group", "rate"]).loc[("f", "accuracy"), "status"] == "ok"


@pytest.mark.parametrize("found", CORPUS)
def test_a_rate_lies_inside_its_own_interval(found):
    """And the interval within 0 and 1; what is not a proportion has none."""
    _, rates, by_group = measured(found)
    both = pd.concat([rates, by_group])
    has = both["low"].notna()
    assert (has == (both["value"].notna() & ~both["rate"].isin(["F1", "macro-F1", "weighted-F1"]))).all()
    inside = both[has]
    assert (inside["low"] >= np.where(inside["rate"] == "prediction bias", -1, 0)).all()
    assert (inside["high"] <= 1).all()
    assert (inside["low"] <= inside["value"] + 1e-12).all()
    assert (inside["value"] <= inside["high"] + 1e-12).all()


def test_three_of_three_is_not_certainty():
    """The interval of a rate of 1 on three faces reaches far below 1 (a bootstrap would say [1, 1])."""
    _, _, rates = measured([("anger", "anger", "f")] * 3)
    row = rates[(rates["rate"] == "accuracy") & (rates["group"] == "f")].iloc[0]
    assert row["value"] == 1
    assert row["low"] == pytest.approx(0.4385, abs=1e-4)
    assert row["high"] == 1


@pytest.mark.parametrize("found", CORPUS[::3])
def test_many_equal_faces_have_the_rates_of_one(found):
    """Weights are counts: every row seven times over changes no value."""
    _, once, once_group = measured(found)
    _, often, often_group = measured(found * 7)
    assert np.allclose(once["value"], often["value"], equal_nan=True)
    assert np.allclose(once_group["value"].astype(float), often_group["value"].astype(float), equal_nan=True)


def test_every_fraction_has_its_numerator_inside_its_denominator():
    """A share: nothing is counted above that is not counted below (F1 counts hits twice on both sides)."""
    assert set(FRACTIONS) == set(LABEL_RATES)
    for above, below in FRACTIONS.values():
        assert all(below.get(cell, 0) >= weight for cell, weight in above.items())


def test_values_are_the_very_fractions():
    """What is printed as 3 of 10 is 0.3, not 0.30000000000000004."""
    found = [("anger", "anger", "f")] * 3 + [("anger", "fear", "f")] * 7
    _, rates, by_group = measured(found)
    both = pd.concat([rates, by_group]).dropna(subset=["value", "denominator"])
    assert (both["value"] == both["numerator"].astype(float) / both["denominator"].astype(float)).all()


def test_a_single_cell_is_a_table_too():
    """One label, one answer, no groups: everything there is fits in one row, which Fairlearn takes for a number."""
    frame = pd.DataFrame({"truth": ["anger"], "said": ["anger"]}, dtype="str")
    counts = confusion(frame, [])
    groups = {EVERYONE: [EVERYONE]}
    rates = label_rates(one_vs_rest(counts, ["anger"], groups), minimum=1, confidence=0.95).set_index("rate")
    assert rates.loc["TPR", "value"] == 1
    assert rates.loc["FPR", "status"] == "not_estimable"
    assert set(group_rates(counts, ["anger"], groups, minimum=1, confidence=0.95)["value"]) == {1}
