"""Rates of single-label and multi-label counts: each agrees with its definition on the rows and with scikit-learn."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn_metrics
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, hamming_loss, multilabel_confusion_matrix

from fairfer.metrics.counts import Source, count
from fairfer.metrics.rate_definitions import LABEL_RATES
from fairfer.metrics.rates import compute_rates, group_counts, label_counts, overall_rates
from fairfer.vocabulary import ALL, EVERYONE

LABELS = ("anger", "fear", "neutral")
NO_FACE = "no_face"
PREDICTED = (*LABELS, "contempt", NO_FACE)
GROUPS = ("f", "m", "unannotated")
BY = ("g",)
GROUPS_OF = {EVERYONE: [EVERYONE], BY: [*((g,) for g in GROUPS), ("absent",)]}
"""The last group has no samples."""

WITHOUT_INTERVAL = ("F1", "macro-F1", "weighted macro-F1", "Hamming loss")

tables = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from(PREDICTED), st.sampled_from(GROUPS)), min_size=1, max_size=30
)
EDGE_CASES = [
    [("anger", "anger", "f")] * 3 + [("fear", "fear", "m")] * 2,  # all correct
    [("anger", "fear", "f"), ("fear", "anger", "m")],  # all wrong
    [("anger", NO_FACE, "f"), ("fear", NO_FACE, "m")],  # no answers
    [("anger", "anger", "f")],
    [("anger", "contempt", "f"), ("fear", "contempt", "unannotated")],  # a prediction that is not audited
    [("anger", "anger", "f"), ("fear", "fear", "f"), ("neutral", "neutral", "f"), ("anger", "anger", "m")],
]
_GENERATOR = np.random.default_rng(0)
EXAMPLES = [
    *EDGE_CASES,
    *([tuple(map(_GENERATOR.choice, (LABELS, PREDICTED, GROUPS))) for _ in range(n)] for n in (3, 9, 33)),
]
"""For properties that are not searched: one table costs a third of a second, most of it in Fairlearn."""


def with_edge_cases(test):
    for rows in EDGE_CASES:
        test = example(rows=rows)(test)
    return test


def rates_of(rows, minimum=1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows and their rates as data frames; groups as text."""
    return _rates_of(tuple(tuple(map(str, row)) for row in rows), minimum)


@functools.cache
def _rates_of(rows, minimum) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = pd.DataFrame(rows, columns=["truth", "predicted", "g"], dtype="str")
    return frame, as_frame(compute_rates(count_rows(frame), "single-label", minimum, 0.95))


def count_rows(frame, groups=GROUPS_OF, labels=LABELS):
    table = frame.assign(status=np.where(frame["predicted"] == NO_FACE, NO_FACE, "ok"))
    return count(Source(table, "single-label", labels, {"g": "g"}), groups)


def as_frame(rates) -> pd.DataFrame:
    frame = pd.DataFrame([r.model_dump() for r in rates])
    for column in ("attribute", "group"):
        frame[column] = [",".join(x) or ALL for x in frame[column]]
    return frame.astype({"value": float, "low": float, "high": float, "numerator": "Int64", "denominator": "Int64"})


def part_of(frame: pd.DataFrame, group: str) -> pd.DataFrame:
    return frame if group == ALL else frame[frame["g"] == group]


def definition(part: pd.DataFrame, label: str, rate: str) -> tuple[int, int]:
    """Numerator and denominator of a rate, from its definition on the rows."""
    true, predicted = part["truth"] == label, part["predicted"] == label
    both = int((true & predicted).sum())
    return {
        "TPR": (both, int(true.sum())),
        "FNR": (int((true & ~predicted).sum()), int(true.sum())),
        "FPR": (int((~true & predicted).sum()), int((~true).sum())),
        "TNR": (int((~true & ~predicted).sum()), int((~true).sum())),
        "PPV": (both, int(predicted.sum())),
        "selection rate": (int(predicted.sum()), len(part)),
        "prevalence": (int(true.sum()), len(part)),
        "prediction bias": (int(predicted.sum()) - int(true.sum()), len(part)),
        "F1": (2 * both, int(true.sum()) + int(predicted.sum())),
    }[rate]


@with_edge_cases
@settings(max_examples=3)
@given(rows=tables)
def test_rates_of_a_label_agree_with_their_definitions(rows):
    """Numerator, denominator and value of every label, group and rate, by boolean masks."""
    frame, rates = rates_of(rows)
    of_labels = rates[rates["label"] != ALL]
    assert len(of_labels) == len(LABELS) * (2 + len(GROUPS)) * len(LABEL_RATES)
    for row in of_labels.itertuples():
        part = part_of(frame, row.group)
        numerator, denominator = definition(part, row.label, row.rate)
        assert (row.numerator, row.denominator) == (numerator, denominator)
        has_label = bool((part["truth"] == row.label).any())
        if denominator and (has_label or row.rate != "F1"):  # F1 is undefined where no sample has the label
            assert row.value == pytest.approx(numerator / denominator, abs=1e-12)
            assert row.status == "ok"
        else:
            assert np.isnan(row.value)
            assert row.status == ("not_estimable" if len(part) else "empty")


FAIRLEARN = {
    "TPR": fairlearn_metrics.true_positive_rate,
    "FNR": fairlearn_metrics.false_negative_rate,
    "FPR": fairlearn_metrics.false_positive_rate,
    "TNR": fairlearn_metrics.true_negative_rate,
    "selection rate": fairlearn_metrics.selection_rate,
}


@with_edge_cases
@settings(max_examples=2)
@given(rows=tables)
def test_rates_agree_with_fairlearn_on_the_rows(rows):
    """Where a rate is defined; where it is not, Fairlearn returns 0.0 and fairfer no value."""
    frame, rates = rates_of(rows)
    values = rates[rates["attribute"] == "g"].set_index(["label", "rate", "group"])
    for label in LABELS:
        metric_frame = fairlearn_metrics.MetricFrame(
            metrics=FAIRLEARN,
            y_true=(frame["truth"] == label).to_numpy(int),
            y_pred=(frame["predicted"] == label).to_numpy(int),
            sensitive_features=frame["g"],
        )
        for group, expected in metric_frame.by_group.iterrows():
            for rate in FAIRLEARN:
                row = values.loc[label, rate, group]
                if row["denominator"]:
                    assert row["value"] == pytest.approx(expected[rate], abs=1e-12)
                else:
                    assert np.isnan(row["value"])


def test_an_undefined_rate_is_not_estimable_instead_of_0():
    """A group without positives has TPR 0.0 and FNR 0.0 in Fairlearn, and a gap that does not exist."""
    y = [1, 0, 0]
    metric_frame = fairlearn_metrics.MetricFrame(metrics=FAIRLEARN, y_true=y, y_pred=y, sensitive_features=["f", "f", "m"])
    assert metric_frame.by_group.loc["m", "TPR"] == metric_frame.by_group.loc["m", "FNR"] == 0
    assert metric_frame.difference()["TPR"] == 1
    _, rates = rates_of([("anger", "anger", "f"), ("fear", "fear", "f"), ("fear", "fear", "m")])
    group = rates[(rates["label"] == "anger") & (rates["group"] == "m")].set_index("rate")
    undefined = group.loc[["TPR", "FNR", "PPV"]]
    assert list(undefined["status"]) == ["not_estimable"] * 3
    assert undefined[["value", "low", "high"]].isna().all(axis=None)
    assert group.loc["prevalence", "value"] == 0  # defined: none of one sample has the label
    assert group.loc["prevalence", "status"] == "ok"


@pytest.mark.parametrize("rows", EXAMPLES)
def test_rates_satisfy_their_identities(rows):
    """TPR + FNR = 1 and FPR + TNR = 1; selection rates sum to the answers with audited labels, prevalences to 1."""
    frame, rates = rates_of(rows)
    of_labels = rates[rates["label"] != ALL]
    wide = of_labels.pivot_table(index=["label", "group"], columns="rate", values="value", dropna=False)
    for one, other in (("TPR", "FNR"), ("FPR", "TNR")):
        assert np.allclose((wide[one] + wide[other]).dropna(), 1)
        assert (wide[one].isna() == wide[other].isna()).all()
    overall = rates[rates["label"] == ALL].set_index(["group", "rate"])
    for group in (ALL, *GROUPS):
        part = part_of(frame, group)
        if part.empty:
            continue
        cells = of_labels[of_labels["group"] == group].set_index("rate")
        not_audited = int(part["predicted"].eq("contempt").sum())
        assert cells.loc["selection rate", "numerator"].sum() == overall.loc[(group, "coverage"), "numerator"] - not_audited
        assert cells.loc["prevalence", "value"].sum() == pytest.approx(1)
        assert cells.loc["TPR", "numerator"].sum() == overall.loc[(group, "accuracy"), "numerator"]


@pytest.mark.parametrize("rows", EXAMPLES)
def test_rates_over_all_labels_agree_with_scikit_learn(rows):
    """Accuracy, F1 and coverage of each group; macro-F1 only where the group has samples of every label."""
    frame, rates = rates_of(rows)
    overall = rates[rates["label"] == ALL]
    assert len(overall) == (2 + len(GROUPS)) * len(overall_rates("single-label"))
    for group, lines in overall.set_index("rate").groupby("group", sort=False):
        part = part_of(frame, group)
        if part.empty:
            assert set(lines["status"]) == {"empty"}
            assert lines["value"].isna().all()
            continue
        assert lines.loc["accuracy", "value"] == pytest.approx(accuracy_score(part["truth"], part["predicted"]))
        assert lines.loc["coverage", "value"] == pytest.approx((part["predicted"] != NO_FACE).mean())
        weighted, macro = (
            f1_score(part["truth"], part["predicted"], labels=list(LABELS), average=a, zero_division=0.0)
            for a in ("weighted", "macro")
        )
        assert lines.loc["weighted macro-F1", "value"] == pytest.approx(weighted)
        if set(part["truth"]) >= set(LABELS):
            assert lines.loc["macro-F1", "value"] == pytest.approx(macro)
            assert lines.loc["macro-F1", "status"] == "ok"
        else:
            assert np.isnan(lines.loc["macro-F1", "value"])
            assert lines.loc["macro-F1", "status"] == "not_estimable"


def test_macro_f1_needs_samples_of_every_label():
    """A group with one label has neither a perfect macro-F1 nor a third of it."""
    _, rates = rates_of([("anger", "anger", "m")] * 5 + [(n, n, "f") for n in LABELS])
    macro = rates[rates["rate"] == "macro-F1"].set_index("group")
    assert macro.loc["m", "status"] == "not_estimable"
    assert np.isnan(macro.loc["m", "value"])
    assert macro.loc["f", "value"] == macro.loc[ALL, "value"] == 1


@pytest.mark.parametrize(("n", "minimum", "status"), [(19, 20, "small"), (20, 20, "ok"), (1, 1, "ok"), (1, 2, "small")])
def test_a_denominator_below_the_minimum_is_small(n, minimum, status):
    """The denominator of the rate decides, not the size of the group; the value is kept."""
    _, rates = rates_of([("anger", "anger", "f")] * n + [("fear", "fear", "f")] * 100, minimum=minimum)
    group = rates[rates["group"] == "f"].set_index(["label", "rate"])
    assert group.loc[("anger", "TPR"), "status"] == status
    assert group.loc[("anger", "TPR"), "value"] == 1
    assert group.loc[("anger", "FPR"), "status"] == "ok"
    assert group.loc[(ALL, "accuracy"), "status"] == "ok"


@pytest.mark.parametrize("rows", EXAMPLES)
def test_a_rate_lies_within_its_interval(rows):
    """The interval lies within [0, 1], or [-1, 1] for prediction bias; what is not a proportion has none."""
    _, rates = rates_of(rows)
    present = rates["low"].notna()
    assert (present == (rates["value"].notna() & ~rates["rate"].isin(WITHOUT_INTERVAL))).all()
    inside = rates[present]
    assert (inside["low"] >= np.where(inside["rate"] == "prediction bias", -1, 0)).all()
    assert (inside["high"] <= 1).all()
    assert (inside["low"] <= inside["value"] + 1e-12).all()
    assert (inside["value"] <= inside["high"] + 1e-12).all()


def test_three_correct_samples_of_three_have_a_wide_interval():
    """Wilson's lower limit is far below 1; a bootstrap would return [1, 1]."""
    _, rates = rates_of([("anger", "anger", "f")] * 3)
    row = rates[(rates["rate"] == "accuracy") & (rates["group"] == "f")].iloc[0]
    assert row["value"] == 1
    assert row["low"] == pytest.approx(0.4385, abs=1e-4)
    assert row["high"] == 1


@pytest.mark.parametrize("rows", EXAMPLES[::4])
def test_repeated_rows_do_not_change_rates(rows):
    """Every row seven times over."""
    once, repeated = (rates_of(rows * n)[1]["value"] for n in (1, 7))
    assert np.allclose(once, repeated, equal_nan=True)


def test_numerators_are_parts_of_their_denominators():
    """Nothing is counted in a numerator that is not counted in its denominator."""
    for numerator, denominator in LABEL_RATES.values():
        assert all(denominator.get(cell, 0) >= weight for cell, weight in numerator.items())


def test_values_are_exact_quotients():
    """3 of 10 is 0.3, not 0.30000000000000004."""
    _, rates = rates_of([("anger", "anger", "f")] * 3 + [("anger", "fear", "f")] * 7)
    defined = rates.dropna(subset=["value", "denominator"])
    assert (defined["value"] == defined["numerator"].astype(float) / defined["denominator"].astype(float)).all()


def test_a_single_sample_has_rates():
    """One label, one answer, no groups: Fairlearn gets a table of one row."""
    frame = pd.DataFrame({"truth": ["anger"], "predicted": ["anger"], "g": ["f"]}, dtype="str")
    counts = count_rows(frame, {EVERYONE: [EVERYONE]}, ("anger",))
    rates = as_frame(compute_rates(counts, "single-label", 1, 0.95)).set_index(["label", "rate"])
    assert rates.loc[("anger", "TPR"), "value"] == 1
    assert rates.loc[("anger", "FPR"), "status"] == "not_estimable"
    assert set(rates.loc[ALL, "value"]) == {1}


def test_rows_of_counts_and_sizes_are_those_of_the_counts():
    """One row per group and label, and one per group, with the group as a tuple."""
    frame = pd.DataFrame(EXAMPLES[-1], columns=["truth", "predicted", "g"], dtype="str")
    counts = count_rows(frame)
    assert len(label_counts(counts)) == len(LABELS) * (2 + len(GROUPS))
    for row in label_counts(counts):
        part = frame if row.group == EVERYONE else frame[frame["g"] == row.group[0]]
        true, predicted = part["truth"] == row.label, part["predicted"] == row.label
        masks = (true & predicted, true & ~predicted, ~true & predicted, ~true & ~predicted)
        assert (row.tp, row.fn, row.fp, row.tn) == tuple(int(m.sum()) for m in masks)
    for row in group_counts(counts):
        part = frame if row.group == EVERYONE else frame[frame["g"] == row.group[0]]
        answered, correct = int((part["predicted"] != NO_FACE).sum()), int((part["truth"] == part["predicted"]).sum())
        assert (row.total, row.judged, row.answered, row.correct) == (len(part), len(part), answered, correct)
        assert row.statuses == {"ok": answered, "no_face": len(part) - answered, "refused": 0, "unreadable": 0, "error": 0}


# --- multi-label -----------------------------------------------------------------------------------------------------

entries = st.sampled_from([0, 1])
multi_label_rows = st.tuples(
    st.tuples(entries, entries, entries), st.tuples(entries, entries, entries), st.sampled_from("fm"), st.booleans()
)
"""Truth, prediction, group, and whether there is an answer."""


def multi_label_rates(rows, minimum=1):
    """Arrays of truth (NaN: unknown), prediction, group and answered, and the rates by group, label and name."""
    truth = np.array([[np.nan if x is None else x for x in row[0]] for row in rows], float)
    predicted = np.array([row[1] for row in rows], bool)
    group = np.array([row[2] for row in rows])
    answered = np.array([row[3] for row in rows], bool)
    columns = {f"truth:{i}": pd.array(truth[:, i], dtype="Int8") for i in range(len(LABELS))}
    columns |= {f"predicted:{i}": pd.array(predicted[:, i], dtype="Int8") for i in range(len(LABELS))}
    table = pd.DataFrame({**columns, "g": group, "status": np.where(answered, "ok", "no_face")})
    groups = {EVERYONE: [EVERYONE], BY: [("f",), ("m",)]}
    counts = count(Source(table, "multi-label", LABELS, {"g": "g"}), groups)
    rates = {(r.group, r.label, r.rate): r for r in compute_rates(counts, "multi-label", minimum, 0.95)}
    # A sample without an answer has no label predicted.
    return truth, predicted & answered[:, None], group, answered, rates


@settings(max_examples=3)
@given(rows=st.lists(multi_label_rows, min_size=1, max_size=25))
@example(rows=[((1, 1, 1), (1, 1, 1), "f", True), ((0, 1, 0), (0, 0, 0), "m", False)])
@example(rows=[((0, 0, 0), (0, 0, 0), "f", True)])
def test_multi_label_rates_agree_with_scikit_learn(rows):
    """Without unknown entries and with all samples answered, by group."""
    truth, predicted, group, answered, rates = multi_label_rates([(*row[:3], True) for row in rows])
    truth = truth.astype(int)
    assert answered.all()
    for key, members in ((EVERYONE, np.ones(len(truth), bool)), (("f",), group == "f"), (("m",), group == "m")):
        if not members.any():
            assert {r.status for (g, _, _), r in rates.items() if g == key} == {"empty"}
            continue
        y_true, y_pred = truth[members], predicted[members].astype(int)
        subset, hamming = rates[key, ALL, "subset accuracy"], rates[key, ALL, "Hamming loss"]
        assert subset.value == pytest.approx(np.mean((y_true == y_pred).all(axis=1)))
        assert subset.value == pytest.approx(accuracy_score(y_true, y_pred))
        assert hamming.value == pytest.approx(hamming_loss(y_true, y_pred))
        assert (hamming.numerator, hamming.denominator) == ((y_true != y_pred).sum(), y_true.size)
        macro, weighted = rates[key, ALL, "macro-F1"], rates[key, ALL, "weighted macro-F1"]
        if y_true.any(axis=0).all():
            assert macro.value == pytest.approx(f1_score(y_true, y_pred, average="macro", zero_division=0))
        else:
            assert (macro.value, macro.status) == (None, "not_estimable")
        if y_true.any():
            assert weighted.value == pytest.approx(f1_score(y_true, y_pred, average="weighted", zero_division=0))
        else:
            assert (weighted.value, weighted.status) == (None, "not_estimable")
        for i, matrix in enumerate(multilabel_confusion_matrix(y_true, y_pred, labels=range(len(LABELS)))):
            (tn, fp), (fn, tp) = matrix
            tpr, fpr = (rates[key, LABELS[i], r] for r in ("TPR", "FPR"))
            assert (tpr.numerator, tpr.denominator, fpr.numerator, fpr.denominator) == (tp, tp + fn, fp, fp + tn)


unknown = st.sampled_from([0, 1, None])


@settings(max_examples=5)
@given(
    rows=st.lists(
        st.tuples(
            st.tuples(unknown, unknown, unknown), st.tuples(entries, entries, entries), st.sampled_from("fm"), st.booleans()
        ),
        min_size=1,
        max_size=25,
    )
)
@example(rows=[((None, None, None), (1, 0, 1), "f", True), ((1, None, None), (1, 1, 1), "f", True)])
@example(rows=[((0, 0, None), (0, 0, 1), "f", False)])
def test_multi_label_rates_with_unknown_entries_agree_with_masks(rows):
    """Unknown entries are part of no count; subset accuracy is over samples with a known label, and needs an answer."""
    truth, predicted, group, answered, rates = multi_label_rates(rows)
    for key, members in ((EVERYONE, np.ones(len(truth), bool)), (("f",), group == "f"), (("m",), group == "m")):
        if not members.any():
            continue
        y, known, hit, ok = truth[members] == 1, ~np.isnan(truth[members]), predicted[members], answered[members]
        judged = known.any(axis=1)
        correct = judged & ok & ((y == hit) | ~known).all(axis=1)
        subset = rates[key, ALL, "subset accuracy"]
        assert (subset.numerator, subset.denominator) == (correct.sum(), judged.sum())
        wrong = known & (y != hit)
        hamming = rates[key, ALL, "Hamming loss"]
        assert (hamming.numerator, hamming.denominator) == (wrong.sum(), known.sum())
        assert hamming.value == (pytest.approx(wrong.sum() / known.sum()) if known.any() else None)
        coverage = rates[key, ALL, "coverage"]
        assert (coverage.numerator, coverage.denominator) == (ok.sum(), members.sum())
        f1, positives = np.zeros(len(LABELS)), np.zeros(len(LABELS))
        for i, label in enumerate(LABELS):
            k, true, positive = known[:, i], y[:, i], hit[:, i]
            tp, errors = (k & true & positive).sum(), (k & (true != positive)).sum()
            positives[i] = (k & true).sum()
            f1[i] = 2 * tp / (2 * tp + errors) if tp + errors else 0
            expected = {
                "TPR": (tp, positives[i]),
                "FPR": ((k & ~true & positive).sum(), (k & ~true).sum()),
                "PPV": (tp, (k & positive).sum()),
                "selection rate": ((k & positive).sum(), k.sum()),
                "prevalence": (positives[i], k.sum()),
            }
            for rate, fraction in expected.items():
                row = rates[key, label, rate]
                assert (row.numerator, row.denominator) == fraction
        macro, weighted = rates[key, ALL, "macro-F1"], rates[key, ALL, "weighted macro-F1"]
        assert macro.value == (pytest.approx(f1.mean()) if positives.all() else None)
        assert weighted.value == (pytest.approx(f1 @ positives / positives.sum()) if positives.any() else None)


def test_hamming_loss_and_f1_are_small_by_the_number_of_judged_samples():
    """They have no denominator of independent trials; samples with a known label count."""
    rows = [((1, 1, 1), (1, 1, 1), "f", True)] * 4 + [((None, None, None), (1, 1, 1), "f", True)] * 10
    *_, rates = multi_label_rates(rows, minimum=5)
    for rate in ("Hamming loss", "macro-F1", "weighted macro-F1", "subset accuracy"):
        assert rates[EVERYONE, ALL, rate].status == "small"
    assert rates[EVERYONE, ALL, "coverage"].status == "ok"
