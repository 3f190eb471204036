"""Mistakes that other tools shipped, each as a test named after where it was found.

The tools are good ones and most have mended what is told here; the mistakes are easy to make again.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fm

from fairfer import audit, predict
from fairfer.audits.audit import measure_counts
from fairfer.audits.result import AuditPlan
from fairfer.errors import FairferError
from fairfer.labels import LabelSpace
from fairfer.metrics.counts import confusion, one_vs_rest
from fairfer.metrics.rates import group_rates, label_rates
from fairfer.models.model import Prediction
from fairfer.stats import Estimates, benjamini_hochberg, estimate_by_subjects, gap_bounds, newcombe, permutation_test, wilson
from fairfer.testing import FakeModel

LABELS = LabelSpace.of("three", ["anger", "fear", "neutral"])


def measured(data, model=None, **more):
    return audit(data, predict(data, model or FakeModel(LABELS)), **{"minimum": 1, "permutations": 200, **more})


def test_fairlearn_undefined_is_not_0(toy):
    """A group without positives has TPR 0.0 *and* FNR 0.0 in Fairlearn, and a TPR gap; here it has neither."""
    truth = ["anger"] * 30 + ["fear"] * 60
    data = toy(truth, {"g": ["f"] * 60 + ["m"] * 30}, said=[0] * 15 + [1] * 75, labels=LABELS)
    theirs = fm.MetricFrame(
        metrics={"TPR": fm.true_positive_rate, "FNR": fm.false_negative_rate},
        y_true=[int(t == "anger") for t in truth],
        y_pred=[1] * 15 + [0] * 75,
        sensitive_features=data.samples["g"],
    )
    assert theirs.by_group.loc["m"].tolist() == [0, 0]
    assert theirs.difference()["TPR"] == 0.5
    found = measured(data, by=["g"])
    for rate in ("TPR", "FNR"):
        row = found.rate(rate, label="anger", attribute="g", group="m")
        assert (row.value, row.status) == (None, "not_estimable")
    [gap] = [g for g in found.gaps if (g.label, g.rate) == ("anger", "TPR")]
    assert (gap.difference, gap.status) == (None, "too_few_groups")
    assert [str(o) for o in gap.excluded] == ["m (not_estimable, 0)"]


def test_fairlearn_difference_ci_equality_is_covered():
    """Three equal groups of 100: the bootstrap interval of max minus min never covers 0; the bounds nearly always do."""
    generator = np.random.default_rng(1)
    hits = generator.binomial(100, 0.8, size=(2000, 3))
    low, high = gap_bounds(Estimates.of_counts(hits, np.full(hits.shape, 100)))
    assert (low == 0).mean() > 0.94
    assert (high > 0).all()
    p = [permutation_test(k, [100] * 3, permutations=199, generator=generator).p for k in hits[:400]]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_fairlearn_degenerate_bootstrap_three_of_three():
    """A group of 3, all right, is not [1, 1]: neither as pictures nor as people."""
    low, high = wilson(3, 3)
    assert (round(float(low), 2), float(high)) == (0.44, 1)
    people = estimate_by_subjects([[5], [5], [5]], [[5], [5], [5]], generator=np.random.default_rng(0))
    assert people.limits(0.025)[0][0] < 0.4


def test_giskard_bh_ranks():
    """``p.argsort() + 1`` is no rank; and a family in which nothing passes is no error."""
    p = np.array([0.9, 0.001, 0.02, 0.5])
    assert benjamini_hochberg(p) == pytest.approx([0.9, 0.004, 0.04, 2 / 3])
    assert (benjamini_hochberg([0.9, 0.8]) > 0.05).all()


def test_fairpipe_29_vanished_groups(toy):
    """Small groups vanished and "EOD 0, CI [0, 0]" looked perfectly fair. Here they are named, and nothing is a gap of 0."""
    data = toy(["anger"] * 45, {"g": ["f"] * 40 + ["m"] * 5}, said=[0] * 40 + [1] * 5, labels=LABELS)
    found = measured(data, by=["g"], minimum=20)
    for gap in found.gaps:
        assert (gap.difference, gap.low, gap.high, gap.p, gap.status) == (None, None, None, None, "too_few_groups")
        assert "m" in [o.group for o in gap.excluded]
    shown = found.rate("TPR", label="anger", attribute="g", group="m")
    assert (shown.value, shown.status, shown.denominator) == (0, "small", 5)


def test_fairpipe_24_percentiles_of_the_gap_never_cover_equality():
    """An interval for "is there a difference" must hold 0 when there is none."""
    generator = np.random.default_rng(2)
    k = generator.binomial(60, 0.9, size=(1000, 2))
    low, high = newcombe(k[:, 0], 60, k[:, 1], 60)
    assert ((low <= 0) & (high >= 0)).mean() > 0.93


def test_fairlearn_1441_a_group_absent_in_a_resample():
    """One person of a kind among many is absent from a third of all resamples; the rest still says something."""
    hits, trials = np.zeros((30, 2)), np.zeros((30, 2))
    trials[:, 0], hits[:, 0] = 1, [1, 0] * 15
    trials[0, 1], hits[0, 1] = 4, 2
    known = estimate_by_subjects(hits, trials, generator=np.random.default_rng(3))
    low, high = known.limits(0.025)
    assert np.isfinite([low, high]).all()
    assert high[1] - low[1] > 0.8


def test_verifyml_one_class_group():
    """A group of one class only has a one-by-one confusion matrix in scikit-learn; here it has four counts."""
    table = pd.DataFrame(
        {"truth": ["anger"] * 4 + ["fear"] * 2, "said": ["anger"] * 4 + ["anger", "fear"], "g": ["f"] * 4 + ["m"] * 2}
    )
    counts = confusion(table, [("g",)])
    cells = one_vs_rest(counts, ["anger", "fear"], {"g": ["f", "m"]}).set_index(["group", "label"])
    assert cells.loc[("f", "fear"), ["tp", "fn", "fp", "tn"]].tolist() == [0, 0, 0, 4]
    rates = label_rates(cells.reset_index(), minimum=1, confidence=0.95).set_index(["group", "label", "rate"])
    assert rates.loc[("f", "fear", "TNR"), "value"] == 1
    assert rates.loc[("f", "fear", "TPR"), "status"] == "not_estimable"


def test_missing_annotation_is_a_group_and_no_side_of_a_gap(toy):
    """Faces without an annotation are counted, shown, and compared with nobody."""
    data = toy(["anger"] * 30, {"g": ["f"] * 10 + ["m"] * 10 + [None] * 10}, said=[0] * 20 + [1] * 10, labels=LABELS)
    found = measured(data, by=["g"])
    assert found.rate("accuracy", attribute="g", group="unannotated").value == 0
    [gap] = [g for g in found.gaps if g.rate == "accuracy"]
    assert (gap.difference, gap.groups) == (0, ["f", "m"])
    assert [o.reason for o in gap.excluded] == ["unannotated"]
    assert found.composition.representation[0].unannotated == 10


def test_macro_f1_without_pinned_labels():
    """Averaged over the labels that happen to occur, a group that lacks a hard one looks better than it is."""
    table = pd.DataFrame({"truth": ["anger", "anger"], "said": ["anger", "anger"], "g": ["f", "f"]})
    rates = group_rates(confusion(table, [("g",)]), ["anger", "fear"], {"g": ["f"]}, minimum=1, confidence=0.95)
    macro = rates[rates["rate"] == "macro-F1"].iloc[0]
    assert np.isnan(macro["value"])
    assert macro["status"] == "not_estimable"


def test_ai_verify_swallowed_exception(toy):
    """An error inside of a model was swallowed and the run reported as complete; here it is the user's to see."""

    class Broken(FakeModel):
        def predict(self, images):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measured(toy(["anger"] * 2, {"g": ["f", "m"]}, labels=LABELS), Broken(LABELS), by=["g"])

    class Silent(FakeModel):
        def predict(self, images):
            return [Prediction("error", None, "nothing works") for _ in images]

    with pytest.raises(FairferError, match="could answer for none"):
        measured(toy(["anger"] * 2, {"g": ["f", "m"]}, labels=LABELS), Silent(LABELS), by=["g"])


@pytest.mark.slow
def test_veritastool_55_a_random_attribute_is_fair():
    """Groups drawn by lot differ by chance alone: at most one family in twenty may hold a gap beyond it."""
    generator = np.random.default_rng(4)
    labels = list(LABELS.labels)
    truth = generator.choice(labels, 900, p=[0.2, 0.1, 0.7])
    said = np.where(generator.random(900) < 0.7, truth, generator.choice(labels, 900))
    settings = AuditPlan(by=[["g"]], unsupported_labels="drop", minimum=20, confidence=0.95, permutations=400, seed=0)
    families = 40
    alarms = 0
    for i in range(families):
        table = pd.DataFrame({"truth": truth, "said": said, "g": generator.choice(["a", "b", "c"], 900)})
        found = measure_counts(
            confusion(table, [("g",)]), labels, {"*": ["*"], "g": ["a", "b", "c"]}, settings.model_copy(update={"seed": i})
        )
        alarms += any(g.q is not None and g.q < 0.05 for g in found.gaps)
    assert alarms / families <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / families)


def test_fairfer_itself_numbers_never_turn_around():
    """A higher FPR is the worse side, a higher TPR the better one; swapping the groups swaps the names and nothing else."""
    settings = AuditPlan(by=[["g"]], unsupported_labels="drop", minimum=5, confidence=0.95, permutations=200, seed=0)
    rows = (
        [("anger", "anger", "f")] * 30
        + [("fear", "anger", "f")] * 20
        + [("anger", "fear", "m")] * 25
        + [("fear", "fear", "m")] * 25
    )
    table = pd.DataFrame(rows, columns=["truth", "said", "g"])
    turned = table.assign(g=table["g"].map({"f": "m", "m": "f"}))
    one, other = (
        measure_counts(confusion(t, [("g",)]), ["anger", "fear"], {"*": ["*"], "g": ["f", "m"]}, settings).gaps
        for t in (table, turned)
    )
    by_rate = {(g.label, g.rate): g for g in one}
    assert by_rate["anger", "TPR"].worst == "m"
    assert by_rate["anger", "FPR"].worst == "f"
    for a, b in zip(one, other, strict=True):
        assert (a.difference, a.low, a.high) == (b.difference, b.low, b.high)
        if a.difference:
            assert (a.worst, a.best) == (b.best, b.worst)
