"""Score-based metrics: scikit-learn on rows, variances by their definitions, the bound of the error of binning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from fairfer.metrics import score_metrics as metrics
from fairfer.metrics.score_bins import BINS, EDGES, HIGH, LOW, bin_of
from fairfer.metrics.score_metrics import ScoreCounts

MIDDLE = (LOW + HIGH) / 2


def counts_of(truth, scores, subject=None) -> ScoreCounts:
    y = np.asarray(truth, int)
    return ScoreCounts.from_entries(np.zeros(len(y), int), bin_of(scores), y, 1 - y, pairs=1, subject=subject)


@st.composite
def rows(draw, *, both: bool = True):
    """Truth and scores, some of them saturated or tied."""
    score = st.one_of(st.floats(0, 1), st.floats(0, 1e-3), st.sampled_from([0.0, 0.25, 0.5, 1.0, 1 - 1e-6]))
    n = draw(st.integers(2, 40))
    scores = np.array(draw(st.lists(score, min_size=n, max_size=n)))
    truth = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    if both:
        truth[:2] = 0, 1
    return truth, scores


def of(estimates) -> tuple[float, float, float, float]:
    return tuple(float(a[0]) for a in (estimates.value, estimates.low, estimates.high, estimates.error))


# --- values and the bound of the error of binning


@given(rows())
def test_the_binning_error_is_an_upper_bound(data):
    truth, scores = data
    counts = counts_of(truth, scores)
    for function, exact in (
        (metrics.auroc, roc_auc_score(truth, scores)),
        (metrics.average_precision, average_precision_score(truth, scores)),
        (metrics.brier_score, np.mean((truth - scores) ** 2)),
    ):
        value, low, high, error = of(function(counts))
        assert abs(value - exact) <= error + 1e-9
        assert 0 <= low <= value <= high <= 1


@given(rows())
def test_values_are_those_of_scikit_learn_on_binned_scores(data):
    truth, scores = data
    binned = bin_of(scores)
    counts = counts_of(truth, scores)
    assert of(metrics.auroc(counts))[0] == pytest.approx(roc_auc_score(truth, binned))
    assert of(metrics.average_precision(counts))[0] == pytest.approx(average_precision_score(truth, binned))
    value, *_, error = of(metrics.brier_score(counts))
    assert abs(value - brier_score_loss(truth, scores)) <= error + 1e-12
    assert error <= 0.001


def test_the_binning_error_is_small_for_a_usual_model():
    generator = np.random.default_rng(1)
    truth = generator.random(5000) < 0.2
    counts = counts_of(truth, special.expit(generator.normal(np.where(truth, 4, -4), 3)))
    assert of(metrics.auroc(counts))[3] < 5e-4
    assert of(metrics.average_precision(counts))[3] < 2e-3
    assert of(metrics.brier_score(counts))[3] < 3e-4
    assert of(metrics.expected_calibration_error(counts, generator))[3] < 5e-4


def test_calibration_edges_are_score_edges_of_nearly_equal_width():
    assert set(metrics.CALIBRATION_EDGES) <= set(EDGES)
    assert np.diff(metrics.CALIBRATION_EDGES) == pytest.approx(1 / 15, abs=0.001)


@given(rows(both=False))
def test_calibration_error_and_curve_are_those_of_the_rows(data):
    truth, scores = data
    counts = counts_of(truth, scores)
    where = np.minimum(np.searchsorted(metrics.CALIBRATION_EDGES, scores, side="right") - 1, 14)
    curve = metrics.reliability_curve(counts)
    total = 0.0
    for k in range(15):
        inside = where == k
        assert curve.n[0, k] == inside.sum()
        if inside.any():
            total += abs((truth - scores)[inside].sum()) / len(truth)
            assert curve.mean_score[0, k] == pytest.approx(scores[inside].mean(), abs=5.001e-4)
            assert curve.share[0, k] == pytest.approx(truth[inside].mean())
            interval = stats.binomtest(int(truth[inside].sum()), int(inside.sum())).proportion_ci(method="wilson")
            assert (curve.low[0, k], curve.high[0, k]) == pytest.approx(tuple(interval))
        else:
            assert np.isnan(curve.share[0, k])
    value, low, high, error = of(metrics.expected_calibration_error(counts, np.random.default_rng(0)))
    assert abs(value - total) <= error + 1e-12
    assert 0 <= low <= value <= high <= 1


@given(rows(), st.one_of(st.floats(0, 1), st.integers(0, 1000).map(lambda k: k / 1000)))
def test_rates_at_a_threshold_are_those_of_the_rows(data, threshold):
    truth, scores = data
    tpr, fpr = metrics.rates_at_threshold(counts_of(truth, scores), threshold)
    for estimates, side in ((tpr, truth == 1), (fpr, truth == 0)):
        value, low, high, error = of(estimates)
        assert abs(value - np.mean(scores[side] >= threshold)) <= error + 1e-12
        assert low <= value <= high
        if threshold in EDGES[:-1]:
            assert error == 0
            interval = stats.binomtest(int((scores[side] >= threshold).sum()), int(side.sum())).proportion_ci(method="wilson")
            assert (low, high) == pytest.approx(tuple(interval))


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_thresholds_outside_0_and_1_are_refused(threshold):
    with pytest.raises(ValueError, match="threshold is"):
        metrics.rates_at_threshold(counts_of([0, 1], [0.1, 0.9]), threshold)


# --- variances


def delong_variance(truth, scores) -> float:
    """By the definition: the kernel of every pair, O(mn)."""
    x, y = scores[truth == 1], scores[truth == 0]
    psi = (x[:, None] > y).astype(float) + 0.5 * (x[:, None] == y)
    return float(np.var(psi.mean(axis=1), ddof=1) / len(x) + np.var(psi.mean(axis=0), ddof=1) / len(y))


def obuchowski_variance(truth, scores, subject) -> float:
    """By the definition (Obuchowski 1997), subject by subject."""
    x, y = scores[truth == 1], scores[truth == 0]
    m, n = len(x), len(y)
    area = roc_auc_score(truth, scores)
    of_x = np.array([np.mean((a > y) + 0.5 * (a == y)) for a in x])
    of_y = np.array([np.mean((x > b) + 0.5 * (x == b)) for b in y])
    parts = [
        (
            (of_x[subject[truth == 1] == s] - area).sum(),
            (of_y[subject[truth == 0] == s] - area).sum(),
            (subject[truth == 1] == s).any(),
            (subject[truth == 0] == s).any(),
        )
        for s in np.unique(subject)
    ]
    a, b, with_x, with_y = (np.array(p) for p in zip(*parts, strict=True))
    i10, i01, subjects = with_x.sum(), with_y.sum(), len(parts)
    s10, s01 = i10 / ((i10 - 1) * m) * (a**2).sum(), i01 / ((i01 - 1) * n) * (b**2).sum()
    s11 = subjects / (subjects - 1) * (a * b).sum()
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def scored_subjects(seed: int, subjects: int = 30, faces: int = 6):
    generator = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), faces)
    truth = (generator.random(len(subject)) < 0.4).astype(int)
    logit = truth * 1.5 - 1 + generator.normal(0, 1, subjects)[subject] + generator.normal(0, 1, len(subject))
    return truth, MIDDLE[bin_of(special.expit(logit))], subject


def effective(low: float, value: float, degrees_of_freedom: float) -> float:
    """Number of trials of Wilson's interval, from its lower limit."""
    t = stats.t.ppf(0.975, degrees_of_freedom)
    return t * t * low * (1 - low) / (value - low) ** 2


def satterthwaite(*samples: np.ndarray) -> float:
    """Degrees of freedom of a sum of variances, each with its own sampling variance, estimated from fourth moments."""
    variance = sum(len(x) * np.mean(x**2) for x in samples)
    spread = sum(len(x) * (np.mean(x**4) - np.mean(x**2) ** 2) for x in samples)
    return 2 * variance**2 / spread


@pytest.mark.parametrize("seed", range(3))
def test_the_variance_of_auroc_is_delongs(seed):
    truth, scores, _ = scored_subjects(seed)
    value, low, *_ = of(metrics.auroc(counts_of(truth, scores)))
    x, y = scores[truth == 1], scores[truth == 0]
    psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    freedom = satterthwaite((psi.mean(axis=1) - value) / len(x), (psi.mean(axis=0) - value) / len(y))
    assert effective(low, value, freedom) == pytest.approx(value * (1 - value) / delong_variance(truth, scores), rel=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_the_variance_of_auroc_with_subjects_is_obuchowskis(seed):
    truth, scores, subject = scored_subjects(seed)
    value, low, *_ = of(metrics.auroc(counts_of(truth, scores, subject)))
    x, y = scores[truth == 1], scores[truth == 0]
    psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    of_subject = np.bincount(subject[truth == 1], (psi.mean(axis=1) - value) / len(x), 30)
    of_subject += np.bincount(subject[truth == 0], (psi.mean(axis=0) - value) / len(y), 30)
    freedom = min(29, satterthwaite(of_subject))
    assert effective(low, value, freedom) == pytest.approx(value * (1 - value) / obuchowski_variance(truth, scores, subject))


def test_one_face_per_subject_is_nearly_no_clustering():
    truth, scores, _ = scored_subjects(0)
    subject = np.arange(len(truth))
    plain, clustered = counts_of(truth, scores), counts_of(truth, scores, subject)
    for function in (metrics.auroc, metrics.brier_score, lambda c: metrics.rates_at_threshold(c, 0.3)[0]):
        assert of(function(clustered)) == pytest.approx(of(function(plain)), abs=0.01)


def test_average_precision_has_the_logit_interval_of_boyd_eng_and_page():
    truth, scores, _ = scored_subjects(1)
    value, low, high, _ = of(metrics.average_precision(counts_of(truth, scores)))
    half = 1.959964 / np.sqrt(truth.sum() * value * (1 - value))
    assert (special.logit(low), special.logit(high)) == pytest.approx(
        (special.logit(value) - half, special.logit(value) + half)
    )


def test_the_linearized_average_precision_is_its_derivative():
    """The variance with subjects rests on it; here against the change of the value when one bin gets a few more faces."""
    truth, scores, _ = scored_subjects(2)
    counts = counts_of(truth, scores)
    p, n = counts.positives[:, ::-1], counts.negatives[:, ::-1]
    true, false = np.cumsum(p, axis=1), np.cumsum(n, axis=1)
    value = metrics.average_precision(counts).value
    precision = np.where(p > 0, true / np.maximum(true + false, 1), 0)
    parts = metrics._average_precision_influence(p, true, false, value, precision)
    for side, influence in (("positives", parts.positives), ("negatives", parts.negatives)):
        for b in np.flatnonzero(getattr(counts, side)[0]):
            more = {name: getattr(counts, name).copy() for name in ("positives", "negatives")}
            more[side][0, b] += 1e-6
            change = (metrics.average_precision(ScoreCounts(**more)).value[0] - value[0]) / 1e-6
            assert influence[0, BINS - 1 - b] == pytest.approx(change, abs=1e-4)


def test_subjects_that_agree_widen_every_interval():
    truth, scores, subject = scored_subjects(3, subjects=40, faces=1)
    truth, scores, subject = (np.repeat(a, 10) for a in (truth, scores, subject))
    plain, clustered = counts_of(truth, scores), counts_of(truth, scores, subject)
    functions = [
        metrics.auroc,
        metrics.average_precision,
        metrics.brier_score,
        lambda c: metrics.expected_calibration_error(c, np.random.default_rng(0)),
        lambda c: metrics.rates_at_threshold(c, 0.4)[0],
        lambda c: metrics.rates_at_threshold(c, 0.4)[1],
    ]
    for function in functions:
        value, low, high, error = of(function(plain))
        clustered_value, clustered_low, clustered_high, clustered_error = of(function(clustered))
        assert (clustered_value, clustered_error) == (value, error)
        # Ten copies of each face are one face: the standard error is about sqrt(10) times as large, where limits allow.
        assert clustered_high - clustered_low > 1.8 * (high - low)
    a, b = metrics.reliability_curve(plain), metrics.reliability_curve(clustered)
    wider = (b.high - b.low > a.high - a.low)[a.n > 0]
    assert wider.all()


# --- coverage, kept small; tests/simulations/scores.py has more


def coverage(function, truth_value: float, sample, repetitions: int = 400) -> float:
    inside = 0
    for seed in range(repetitions):
        estimates = function(sample(np.random.default_rng(seed)))
        inside += bool(estimates.low[0] - estimates.error[0] <= truth_value <= estimates.high[0] + estimates.error[0])
    return inside / repetitions


def binormal(generator, n=60, positives=0.3):
    """Logits of variance 1 that differ by 1.5, so that AUROC is Φ(1.5 / √2)."""
    truth = (generator.random(n) < positives).astype(int)
    truth[:2] = 0, 1
    return counts_of(truth, special.expit(generator.normal(1.5 * truth, 1)))


def test_the_interval_of_auroc_covers():
    assert coverage(metrics.auroc, stats.norm.cdf(1.5 / np.sqrt(2)), binormal) >= 0.93


def calibrated(generator, n=200):
    scores = generator.beta(0.5, 2, n)
    return counts_of((generator.random(n) < scores).astype(int), scores)


def test_the_interval_of_the_calibration_error_covers_0_for_a_calibrated_model():
    assert coverage(lambda c: metrics.expected_calibration_error(c, np.random.default_rng(0)), 0, calibrated) >= 0.94


def test_the_interval_of_the_brier_score_covers():
    # E[s (1 - s)] for s ~ Beta(a, b) is a b / ((a + b) (a + b + 1)).
    assert coverage(metrics.brier_score, 0.5 * 2 / (2.5 * 3.5), calibrated) >= 0.93


# --- rows

PAIRS = [("happy", ("gender",), ("female",)), ("sad", (), ())]


def rows_of(counts, **options):
    return metrics.score_rows(PAIRS[: len(counts.positives)], counts, minimum=10, generator=np.random.default_rng(0), **options)


@pytest.mark.parametrize(("truth", "status"), [([0, 0, 0], "not_estimable"), ([1, 1], "not_estimable"), ([0, 1], "small")])
def test_undefined_metrics_are_null_with_a_status(truth, status):
    found = {r.metric: r for r in rows_of(counts_of(truth, np.linspace(0.2, 0.8, len(truth))))}
    for metric in ("auroc", "average_precision"):
        assert found[metric].status == status
        assert (found[metric].value is None) == (status == "not_estimable")
    assert found["brier_score"].status == found["expected_calibration_error"].status == "small"


def test_a_pair_without_faces_has_no_metric():
    empty = ScoreCounts(np.zeros((1, BINS)), np.zeros((1, BINS)))
    assert {(r.status, r.value, r.low, r.high) for r in rows_of(empty)} == {("not_estimable", None, None, None)}
    assert metrics.reliability_rows(PAIRS[:1], empty) == []
    with_subjects = ScoreCounts.from_entries([0, 0], [5, 9], [1, 0], [0, 1], pairs=2, subject=[3, 4])
    assert {r.status for r in rows_of(with_subjects) if r.label == "sad"} == {"not_estimable"}


def test_unbounded_scores_have_rank_metrics_only():
    truth = np.tile([0, 1], 20)
    logits = np.random.default_rng(0).normal(3 * truth, 2)
    counts = ScoreCounts.from_entries(np.zeros(40, int), bin_of(logits, "unbounded"), truth, 1 - truth, pairs=1)
    found = {r.metric: r for r in rows_of(counts, scale="unbounded")}
    assert found["auroc"].value == pytest.approx(roc_auc_score(truth, logits), abs=0.003)
    assert {found[m].status for m in ("auroc", "average_precision")} == {"ok"}
    assert {found[m].status for m in ("brier_score", "expected_calibration_error")} == {"unbounded_scores"}
    assert found["brier_score"].value is None


def test_rows_name_their_pair_and_hold_its_metrics():
    truth, scores, subject = scored_subjects(0)
    pair = (subject % 2).astype(int)
    counts = ScoreCounts.from_entries(pair, bin_of(scores), truth, 1 - truth, pairs=2, subject=subject)
    found = rows_of(counts)
    for (label, grouping, group), number in zip(PAIRS, (0, 1), strict=True):
        own = {r.metric: r for r in found if (r.label, r.attribute, r.group) == (label, grouping, group)}
        inside = pair == number
        assert own["auroc"].value == pytest.approx(roc_auc_score(truth[inside], scores[inside]))
        assert own["auroc"].positives == truth[inside].sum()
        alone = counts_of(truth[inside], scores[inside], subject[inside])
        _, low, high, error = of(metrics.auroc(alone))
        assert (own["auroc"].low, own["auroc"].high) == pytest.approx((low - error, min(high + error, 1)))
        assert own["brier_score"].value == pytest.approx(of(metrics.brier_score(alone))[0])
    curve = metrics.reliability_rows(PAIRS, counts)
    assert sum(r.total for r in curve) == len(truth)
    assert sum(r.positives for r in curve) == truth.sum()
    assert {(r.label, r.group) for r in curve} == {("happy", ("female",)), ("sad", ())}


def test_the_calibration_interval_is_the_same_for_the_same_seed():
    counts = counts_of(*scored_subjects(0)[:2])
    one, other = (of(metrics.expected_calibration_error(counts, np.random.default_rng(7))) for _ in range(2))
    assert one == other


def test_entries_with_equal_keys_are_added():
    one = ScoreCounts.from_entries([0, 0, 0], [4, 4, 7], [1, 2, 0], [0, 1, 5], pairs=1, subject=[1, 1, 2])
    other = ScoreCounts.from_entries([0, 0], [4, 7], [3, 0], [1, 5], pairs=1, subject=[1, 2])
    for name in ("auroc", "brier_score", "average_precision"):
        assert of(getattr(metrics, name)(one)) == of(getattr(metrics, name)(other))
