"""Mistakes of other tools, each as a test named after the place where it was found.

Most of these tools have fixed them; the mistakes are easy to repeat.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn_metrics
from scipy import stats
from sklearn.metrics import confusion_matrix

import fairfer
from fairfer.audits.audit import measure_counts
from fairfer.errors import FairferError
from fairfer.labels import LabelSpace
from fairfer.metrics.counts import Source, count
from fairfer.metrics.gaps import compute_gaps
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.metrics.rates import compute_rates
from fairfer.metrics.results import Rate
from fairfer.models.model import Prediction
from fairfer.predictions.inference import predict
from fairfer.stats import Estimates, benjamini_hochberg, estimate_by_subjects, gap_bounds, newcombe, wilson
from fairfer.testing import FakeModel
from fairfer.vocabulary import EVERYONE

LABELS = LabelSpace.of("three", ["anger", "fear", "neutral"])
BY = ("g",)


def audited(dataset, model=None, **options):
    predictions = predict(dataset, model or FakeModel(LABELS))
    return fairfer.audit(dataset, predictions, **{"by": BY, "minimum": 1, "permutations": 200, **options})


def count_rows(table, labels, groups):
    """Counts of a table of truth, predicted and g, all samples answered."""
    source = Source(table.assign(status="ok"), "single-label", labels, {"g": "g"})
    return count(source, {EVERYONE: [EVERYONE], BY: [(g,) for g in groups]})


def rates_of(table, labels, groups):
    rates = compute_rates(count_rows(table, labels, groups), "single-label", 1, 0.95)
    return {(r.group, r.label, r.rate): r for r in rates}


def test_fairlearn_undefined_is_not_0(toy):
    """A group without positives has TPR 0.0 and FNR 0.0 in Fairlearn, and a gap of TPR; here it has neither."""
    truth = ["anger"] * 30 + ["fear"] * 60
    dataset = toy(truth, {"g": ["f"] * 60 + ["m"] * 30}, said=[0] * 15 + [1] * 75, labels=LABELS)
    metric_frame = fairlearn_metrics.MetricFrame(
        metrics={"TPR": fairlearn_metrics.true_positive_rate, "FNR": fairlearn_metrics.false_negative_rate},
        y_true=[int(t == "anger") for t in truth],
        y_pred=[1] * 15 + [0] * 75,
        sensitive_features=dataset.samples["g"],
    )
    assert metric_frame.by_group.loc["m"].tolist() == [0, 0]
    assert metric_frame.difference()["TPR"] == 0.5
    audit = audited(dataset)
    for rate in ("TPR", "FNR"):
        row = audit.rate(rate, label="anger", attribute="g", group="m")
        assert (row.value, row.status) == (None, "not_estimable")
    [gap] = [g for g in audit.gaps if (g.label, g.rate) == ("anger", "TPR")]
    assert (gap.difference, gap.status) == (None, "too_few_groups")
    assert [str(e) for e in gap.excluded] == ["m (not_estimable, 0)"]


def test_fairlearn_bootstrap_of_a_difference_never_covers_0():
    """Three equal groups of 100: the bootstrap interval of the largest difference excludes 0; the bounds rarely do."""
    generator = np.random.default_rng(1)
    hits = generator.binomial(100, 0.8, size=(2000, 3))
    low, high = gap_bounds(Estimates.of_counts(hits, np.full(hits.shape, 100)))
    assert (low == 0).mean() > 0.94
    assert (high > 0).all()


def test_fairlearn_bootstrap_of_three_hits_of_three_has_no_width():
    """The interval of a group of three samples, or of three subjects, reaches far below 1."""
    low, high = wilson(3, 3)
    assert (round(float(low), 2), float(high)) == (0.44, 1)
    subjects = estimate_by_subjects([[5], [5], [5]], [[5], [5], [5]], generator=np.random.default_rng(0))
    assert subjects.limits(0.025)[0][0] < 0.4


def test_giskard_benjamini_hochberg_ranks():
    """``p.argsort() + 1`` is not the rank; and a family without a significant test is not an error."""
    p = np.array([0.9, 0.001, 0.02, 0.5])
    assert benjamini_hochberg(p) == pytest.approx([0.9, 0.004, 0.04, 2 / 3])
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))
    assert (benjamini_hochberg([0.9, 0.8]) > 0.05).all()


def test_fairpipe_29_dropped_groups_look_fair(toy):
    """Small groups were dropped and the gap was 0 with interval [0, 0]. Here they are listed and there is no gap."""
    dataset = toy(["anger"] * 45, {"g": ["f"] * 40 + ["m"] * 5}, said=[0] * 40 + [1] * 5, labels=LABELS)
    audit = audited(dataset, minimum=20)
    for gap in audit.gaps:
        assert (gap.difference, gap.leading, gap.high, gap.p, gap.status) == (None, None, None, None, "too_few_groups")
        assert ("m",) in [e.group for e in gap.excluded]
    row = audit.rate("TPR", label="anger", attribute="g", group="m")
    assert (row.value, row.status, row.denominator) == (0, "small", 5)


def test_fairpipe_24_percentiles_of_the_absolute_gap_never_cover_equality():
    """The interval of a signed difference covers 0 when there is none."""
    hits = np.random.default_rng(2).binomial(60, 0.9, size=(1000, 2))
    low, high = newcombe(hits[:, 0], 60, hits[:, 1], 60)
    assert ((low <= 0) & (high >= 0)).mean() > 0.93


def test_fairlearn_1441_a_group_missing_from_a_resample():
    """One subject of 30 is missing from a third of all resamples; the others still give an interval."""
    hits, trials = np.zeros((30, 2)), np.zeros((30, 2))
    trials[:, 0], hits[:, 0] = 1, [1, 0] * 15
    trials[0, 1], hits[0, 1] = 4, 2
    low, high = estimate_by_subjects(hits, trials, generator=np.random.default_rng(3)).limits(0.025)
    assert np.isfinite([low, high]).all()
    assert high[1] - low[1] > 0.8


@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
def test_verifyml_a_group_with_one_class():
    """Its confusion matrix in scikit-learn has one entry; here it has four counts."""
    truth, predicted = ["anger"] * 4 + ["fear"] * 2, ["anger"] * 4 + ["anger", "fear"]
    table = pd.DataFrame({"truth": truth, "predicted": predicted, "g": ["f"] * 4 + ["m"] * 2})
    assert confusion_matrix(truth[:4], predicted[:4]).shape == (1, 1)
    counts = count_rows(table, ("anger", "fear"), "fm")[BY]
    fear = counts.labels.index("fear")
    assert [int(getattr(counts, cell)[0, fear]) for cell in ("tp", "fn", "fp", "tn")] == [0, 0, 0, 4]
    rates = rates_of(table, ("anger", "fear"), "fm")
    assert rates[("f",), "fear", "TNR"].value == 1
    assert rates[("f",), "fear", "TPR"].status == "not_estimable"


def test_unannotated_samples_are_reported_and_not_compared(toy):
    """They are counted and have rates."""
    dataset = toy(["anger"] * 30, {"g": ["f"] * 10 + ["m"] * 10 + [None] * 10}, said=[0] * 20 + [1] * 10, labels=LABELS)
    audit = audited(dataset)
    assert audit.rate("accuracy", attribute="g", group="unannotated").value == 0
    [gap] = [g for g in audit.gaps if g.rate == "accuracy"]
    assert (gap.difference, gap.groups) == (0, [("f",), ("m",)])
    assert [e.reason for e in gap.excluded] == ["unannotated"]
    assert audit.dataset_bias.representation[0].unannotated == 10


def test_macro_f1_is_over_fixed_labels():
    """Averaged over the labels that occur, a group without a difficult label would look better."""
    table = pd.DataFrame({"truth": ["anger", "anger"], "predicted": ["anger", "anger"], "g": ["f", "f"]})
    macro = rates_of(table, ("anger", "fear"), "f")[("f",), "*", "macro-F1"]
    assert (macro.value, macro.status) == (None, "not_estimable")


def test_ai_verify_swallowed_exception(toy):
    """An exception inside a model is raised, and a run without any answer is refused."""
    dataset = toy(["anger"] * 2, {"g": ["f", "m"]}, labels=LABELS)

    class Broken(FakeModel):
        def predict(self, images):
            raise ZeroDivisionError

    class Failing(FakeModel):
        def predict(self, images):
            return [Prediction("error", None, "out of memory") for _ in images]

    with pytest.raises(ZeroDivisionError):
        audited(dataset, Broken(LABELS))
    with pytest.raises(FairferError, match="has no answer for any of 2 images"):
        audited(dataset, Failing(LABELS))


@pytest.mark.slow
def test_veritastool_55_a_random_attribute_is_fair():
    """Random groups differ by chance alone: at most 5 % of families may have a significant gap."""
    generator = np.random.default_rng(4)
    labels = LABELS.labels
    truth = generator.choice(labels, 900, p=[0.2, 0.1, 0.7])
    predicted = np.where(generator.random(900) < 0.7, truth, generator.choice(labels, 900))
    families, significant = 40, 0
    for seed in range(families):
        table = pd.DataFrame({"truth": truth, "predicted": predicted, "g": generator.choice(["a", "b", "c"], 900)})
        counts = count_rows(table, labels, "abc")[BY]
        # As far as gaps need them; `compute_rates` makes all other rates too, which takes most of the time.
        rates = [
            Rate(
                label=label,
                attribute=BY,
                group=group,
                rate=rate,
                value=None,
                numerator=int(hits[i]),
                denominator=int(trials[i]),
                low=None,
                high=None,
                status="ok" if trials[i] >= 20 else "small",
            )
            for rate, label in [(r, n) for n in labels for r in ("TPR", "FPR")] + [("accuracy", "*")]
            for hits, trials in [counts.fraction(rate, label)]
            for i, group in enumerate(counts.groups)
        ]
        gaps = compute_gaps(rates, [BY], MetricSettings(20, 0.95, 400, seed))
        significant += any(g.q is not None and g.q < 0.05 for g in gaps)
    assert significant / families <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / families)


def test_fairfer_direction_of_rates():
    """A higher FPR is the worse one, a higher TPR the better one; swapped groups swap only the names."""
    settings = MetricSettings(5, 0.95, 200, 0)
    rows = (
        [("anger", "anger", "f")] * 30
        + [("fear", "anger", "f")] * 20
        + [("anger", "fear", "m")] * 25
        + [("fear", "fear", "m")] * 25
    )
    table = pd.DataFrame(rows, columns=["truth", "predicted", "g"])
    swapped = table.assign(g=table["g"].map({"f": "m", "m": "f"}))
    one, other = (
        measure_counts(count_rows(t, ("anger", "fear"), "fm"), "single-label", settings).gaps for t in (table, swapped)
    )
    by_rate = {(g.label, g.rate): g for g in one}
    assert by_rate["anger", "TPR"].worst == ("m",)
    assert by_rate["anger", "FPR"].worst == ("f",)
    for a, b in zip(one, other, strict=True):
        assert (a.difference, a.high) == (b.difference, b.high)
        if a.difference:
            assert (a.worst, a.best) == (b.best, b.worst)
