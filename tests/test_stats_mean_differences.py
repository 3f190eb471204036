"""Differences of means with one max-T test, against loops, SciPy and simulations."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fairfer.stats import mean_differences as module
from fairfer.stats.mean_differences import mean_differences
from fairfer.stats.permuted_units import permuted_groups, units_of
from fairfer.stats.pixel_differences import pixel_differences
from fairfer.stats.unit_sums import as_student, statistic


def rng(*seed):
    return np.random.default_rng(seed)


def welch(a, b):
    """Absolute difference as a normal quantile, with SciPy's distributions."""
    parts = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    pooled = ((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / (len(a) + len(b) - 2)
    variance = max(sum(parts), 0.25 * pooled * (1 / len(a) + 1 / len(b)))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    return stats.norm.isf(stats.t.sf(abs(a.mean() - b.mean()) / np.sqrt(variance), freedom))


def by_loops(values, group, permutations, generator):
    """Adjusted p-values of all pairs, measure by measure and permutation by permutation."""
    pairs = list(itertools.combinations(range(group.max() + 1), 2))
    if len(pairs) > 1:
        pairs += [(g, -1) for g in range(group.max() + 1)]

    def all_of(labels):
        table = np.empty((len(pairs), values.shape[1]))
        for (i, (one, other)), j in itertools.product(enumerate(pairs), range(values.shape[1])):
            has = np.isfinite(values[:, j])
            a = values[has & (labels == one), j]
            b = values[has & ((labels != one) if other < 0 else (labels == other)), j]
            table[i, j] = welch(a, b)
        return table

    largest = np.array([all_of(generator.permutation(group)).max() for _ in range(permutations)])
    return (1 + (largest[:, None, None] >= all_of(group) - 1e-9).sum(axis=0)) / (1 + permutations)


# ---- single measures, against SciPy


@pytest.mark.parametrize("sizes", [(30, 30), (12, 80)])
def test_one_measure_of_two_groups_is_the_t_test_of_welch(sizes):
    values, group = rng(1).normal(0, 1, (sum(sizes), 1)), np.repeat([0, 1], sizes)
    values[group == 1] = 0.6 + 1.5 * values[group == 1]
    got = mean_differences(values, group, generator=rng(2), permutations=20_000)
    a, b = (values[group == g, 0] for g in (0, 1))
    test = stats.ttest_ind(a, b, equal_var=False)
    assert got.difference[0, 0] == pytest.approx(a.mean() - b.mean())
    assert got.error[0, 0] == pytest.approx((a.mean() - b.mean()) / test.statistic)
    deviation = np.sqrt((29 * a.var(ddof=1) + 29 * b.var(ddof=1)) / 58) if sizes == (30, 30) else None
    if deviation:
        assert got.standardized[0, 0] == pytest.approx((a.mean() - b.mean()) / deviation)
    limits = test.confidence_interval(0.95)
    np.testing.assert_allclose([got.low[0, 0], got.high[0, 0]], limits, atol=0.05)
    resampled = stats.permutation_test((a, b), welch, n_resamples=2000, alternative="greater", rng=rng(3))
    assert got.p[0, 0] == pytest.approx(resampled.pvalue, abs=4 * np.sqrt(resampled.pvalue / 2000) + 1e-3)
    assert (got.samples[:, 0] == sizes).all()
    assert (got.units == got.samples).all()
    assert got.raw[0, 0] == pytest.approx(got.difference[0, 0])
    assert got.expected[0, 0] == 0


def test_all_permutations_of_a_small_sample():
    """With few samples, the share of all arrangements is known."""
    values, group = np.array([[1.0], [2], [3], [11], [12], [14]]), np.array([0, 0, 0, 1, 1, 1])
    arrangements = list(itertools.combinations(range(6), 3))
    sizes = []
    for chosen in arrangements:
        label = np.isin(np.arange(6), chosen)
        sizes.append(welch(values[label, 0], values[~label, 0]))
    exact = np.mean(np.array(sizes) >= max(sizes) - 1e-9)
    got = mean_differences(values, group, generator=rng(0), permutations=20_000)
    assert exact == pytest.approx(2 / 20)
    assert got.p[0, 0] == pytest.approx(exact, abs=0.01)


def test_the_conversion_to_a_normal_quantile_is_close_to_that_of_scipy():
    t, freedom = np.meshgrid(np.linspace(0, 12, 40), [3.0, 5, 10, 30, 200])
    exact = stats.norm.isf(stats.t.sf(t, freedom))
    quantile = statistic(t, np.ones_like(t), freedom)
    np.testing.assert_allclose(quantile, exact, rtol=0.02, atol=0.01)
    for q, row in zip(quantile.T, t.T, strict=True):
        np.testing.assert_allclose([as_student(x, np.array(f)) for x, f in zip(q, freedom[:, 0], strict=True)], row, atol=1e-6)
    assert np.isnan(as_student(np.inf, np.array(5.0)))


# ---- several measures and groups, against loops


def test_adjusted_p_values_are_those_of_loops():
    values, group = rng(5).normal(0, 1, (60, 4)), np.repeat([0, 1, 2], [20, 12, 28])
    values[group == 1, 1] += 1.2
    values[:, 3] = values[:, 0] + 0.1 * values[:, 3]  # two measures that are nearly one
    values[rng(6).random(60) < 0.3, 2] = np.nan
    got = mean_differences(values, group, generator=rng(7), permutations=20_000)
    expected = by_loops(values, group, 400, rng(8))
    np.testing.assert_allclose(got.p, expected, atol=0.08)
    small = expected < 0.2
    assert small.any()
    np.testing.assert_allclose(got.p[small], expected[small], atol=0.05)
    np.testing.assert_array_equal(got.samples.sum(axis=0), np.isfinite(values).sum(axis=0))
    frame = pd.DataFrame(values).groupby(group).mean().to_numpy()
    np.testing.assert_allclose(got.mean, frame)


def test_a_rest_is_all_other_groups_together():
    values, group = rng(9).normal(0, 1, (90, 3)), np.repeat([0, 1, 2], 30)
    three = mean_differences(values, group, generator=rng(0), permutations=99)
    assert [three.comparisons.members(i) for i in range(6)][3:] == [([0], [1, 2]), ([1], [0, 2]), ([2], [0, 1])]
    for g in range(3):
        two = mean_differences(values, (group != g).astype(int), generator=rng(0), permutations=99)
        for name in ("difference", "error", "standardized", "raw"):
            np.testing.assert_allclose(getattr(three, name)[3 + g], getattr(two, name)[0])


def test_measures_with_other_missing_values_do_not_matter_for_a_measures_difference():
    values, group = rng(1).normal(0, 1, (80, 3)), np.repeat([0, 1], 40)
    values[::3, 1] = np.nan
    whole = mean_differences(values, group, generator=rng(0), permutations=99)
    for j in range(3):
        has = np.isfinite(values[:, j])
        alone = mean_differences(values[has][:, [j]], group[has], generator=rng(0), permutations=99)
        for name in ("difference", "error", "standardized", "mean", "samples"):
            np.testing.assert_allclose(getattr(whole, name)[:, j], getattr(alone, name)[:, 0])


def test_results_do_not_depend_on_how_the_work_is_divided(monkeypatch):
    values, group = rng(1).normal(0, 1, (50, 7)), np.repeat([0, 1, 2], [10, 20, 20])
    values[:9, 3] = np.nan
    whole = mean_differences(values, group, generator=rng(0), permutations=200)
    monkeypatch.setattr(module, "_CELLS", 100)
    parts = mean_differences(values, group, generator=rng(0), permutations=200)
    for name in ("difference", "error", "p", "low", "high"):
        np.testing.assert_allclose(getattr(whole, name), getattr(parts, name))


def test_a_measure_does_not_depend_on_its_unit():
    values, group = rng(1).normal(0, 1, (50, 3)), np.repeat([0, 1], 25)
    scale, shift = np.array([1, 1e-6, 1e8]), np.array([0, 1, -1e9])
    one, other = (mean_differences(v, group, generator=rng(0), permutations=300) for v in (values, values * scale + shift))
    np.testing.assert_allclose(one.p, other.p)
    np.testing.assert_allclose(one.high * scale, other.high, rtol=1e-4)


# ---- subjects and strata


def subjects_with(counts, seed, rho=0.5, measures=1):
    subject = np.repeat(np.arange(len(counts)), counts)
    own = rng(seed).normal(0, 1, (len(counts), measures))
    return subject, np.sqrt(rho) * own[subject] + np.sqrt(1 - rho) * rng(seed, 1).normal(0, 1, (len(subject), measures))


def test_standard_errors_with_subjects_are_those_of_a_ratio_of_sums():
    counts = np.array([3, 8, 1, 5, 9, 4, 4, 2, 7])
    subject, values = subjects_with(counts, 3)
    group = (subject >= 4).astype(int)
    got = mean_differences(values, group, subject=100 - subject, generator=rng(0), permutations=99)
    variance = 0.0
    for g in (0, 1):
        mine = np.unique(subject[group == g])
        mean = values[group == g].mean()
        residual = [values[subject == s].sum() - mean * (subject == s).sum() for s in mine]
        variance += sum(r**2 for r in residual) * len(mine) / (len(mine) - 1) / (group == g).sum() ** 2
    assert got.error[0, 0] == pytest.approx(np.sqrt(variance))
    assert list(got.units[:, 0]) == [4, 5]
    assert list(got.samples[:, 0]) == [17, 26]


def test_subjects_are_permuted_with_all_of_their_samples():
    subject, values = subjects_with(np.full(16, 25), 11, rho=1.0)
    group = (subject >= 8).astype(int)
    clustered = mean_differences(values, group, subject=subject, generator=rng(0), permutations=2000)
    means = pd.Series(values[:, 0]).groupby(subject).mean().to_numpy()
    alone = mean_differences(means[:, None], np.repeat([0, 1], 8), generator=rng(1), permutations=2000)
    assert clustered.p[0, 0] == pytest.approx(alone.p[0, 0], abs=0.04)
    independent = mean_differences(values, group, generator=rng(0), permutations=2000)
    assert independent.p[0, 0] < clustered.p[0, 0]


def test_a_subject_in_several_groups_is_compared_with_itself():
    """Large differences between subjects do not hide a small one within each of them."""
    subject = np.repeat(np.arange(12), 10)
    group = np.tile([0, 1], 60)
    values = 10 * rng(1).normal(0, 1, 12)[subject] + 0.8 * group + 0.5 * rng(2).normal(0, 1, 120)
    paired = mean_differences(values[:, None], group, subject=subject, generator=rng(0), permutations=999)
    assert paired.p[0, 0] == pytest.approx(1 / 1000)
    assert mean_differences(values[:, None], group, generator=rng(0), permutations=999).p[0, 0] > 0.05
    assert paired.difference[0, 0] == pytest.approx(-0.8, abs=0.3)


def test_groups_are_permuted_within_strata_and_subjects():
    group = rng(0).integers(0, 3, 200)
    stratum = rng(1).integers(0, 4, 200)
    units = units_of(group, stratum, None)
    labels = np.concatenate([part for _, part in permuted_groups(units, 50, 1)])
    for s in range(4):
        expected = np.bincount(group[stratum == s], minlength=3)
        assert all((np.bincount(row[stratum == s], minlength=3) == expected).all() for row in labels)
    assert (labels != group).any(axis=1).all()
    subject = np.repeat(np.arange(40), 5)
    group = np.where(subject < 20, subject % 2, rng(2).integers(0, 2, 200))  # the second half is in both groups
    units = units_of(group, np.zeros(200, int), subject)
    labels = np.concatenate([part for _, part in permuted_groups(units, 20, 1)])[:, units.of]
    assert (pd.DataFrame(labels.T).groupby(subject).nunique().to_numpy()[:20] == 1).all()
    both = subject >= 20
    sums = pd.DataFrame(labels[:, both].T).groupby(subject[both]).sum().to_numpy()
    assert (sums == np.bincount(subject[both], group[both])[20:, None]).all()
    # strata that are constant within subjects restrict the permutation; others do not
    level = (np.arange(40) % 4 < 2).astype(int)
    alone = (subject % 2)[subject < 20]
    units = units_of(alone, level[subject[subject < 20]], subject[subject < 20])
    assert len(np.unique(units.block)) == 2
    assert len(np.unique(units_of(alone, np.arange(100) % 2, subject[subject < 20]).block)) == 1


def test_a_difference_that_strata_explain_is_not_one_of_groups():
    """Groups with another mix of strata, and the same mean in each of them."""
    stratum = np.repeat([0, 1], 200)
    group = np.concatenate([np.arange(200) < 150, np.arange(200) < 50]).astype(int)
    values = 2.0 * stratum[:, None] + rng(4).normal(0, 1, (400, 1))
    got = mean_differences(values, group, stratum=stratum, generator=rng(0), permutations=999)
    assert mean_differences(values, group, generator=rng(0), permutations=999).p[0, 0] < 0.01
    assert got.p[0, 0] > 0.05
    means = pd.Series(values[:, 0]).groupby(stratum).transform("mean").to_numpy()
    assert got.expected[0, 0] == pytest.approx(means[group == 0].mean() - means[group == 1].mean())
    assert got.raw[0, 0] == pytest.approx(values[group == 0].mean() - values[group == 1].mean())
    assert got.difference[0, 0] == pytest.approx(got.raw[0, 0] - got.expected[0, 0])
    values[group == 1] += 0.5
    assert mean_differences(values, group, stratum=stratum, generator=rng(0), permutations=999).p[0, 0] < 0.01


# ---- what is not defined


def test_what_is_not_defined_is_nan():
    values = np.full((20, 5), np.nan)
    group = np.repeat([0, 1], 10)
    values[:, 0] = rng(0).normal(0, 1, 20)
    values[:, 1] = 3.0  # does not vary
    values[:11, 2] = values[:11, 0]  # one sample in the second group
    values[:10, 3] = values[:10, 0]  # none
    got = mean_differences(values, group, generator=rng(0), permutations=99)
    for name in ("difference", "error", "standardized", "p", "low", "high"):
        np.testing.assert_array_equal(np.isfinite(getattr(got, name)), [[True, False, False, False, False]], name)
    assert np.isnan(got.mean[1, 3])
    assert got.samples.tolist() == [[10, 10, 10, 10, 0], [10, 10, 1, 0, 0]]
    empty = mean_differences(values[:, 4:], group, generator=rng(0), permutations=99)
    assert empty.p_of_any == 1
    assert np.isnan(empty.p).all()
    assert got.p_of_any == got.p[0, 0]


def test_groups_without_variation_that_differ():
    values, group = np.repeat([[0.0], [1.0]], 15, axis=0), np.repeat([0, 1], 15)
    got = mean_differences(values, group, generator=rng(0), permutations=999)
    assert got.p[0, 0] < 0.01
    assert got.difference[0, 0] == -1
    assert np.isnan([got.low[0, 0], got.standardized[0, 0]]).all()


def test_a_small_group_without_variation_does_not_hide_other_differences():
    """A rare value is absent from most small groups, in permutations too; its statistic stays small."""
    values = np.stack([(rng(1).random(3000) < 0.01).astype(float), rng(2).normal(0, 1, 3000)], axis=1)
    group = np.repeat([0, 1], [20, 2980])
    values[:20, 0] = 0
    values[:20, 1] += 1.0
    got = mean_differences(values, group, generator=rng(0), permutations=1000)
    assert got.p[0, 1] < 0.01
    assert got.p[0, 0] > 0.5


@pytest.mark.parametrize(
    ("values", "group", "extra", "message"),
    [
        (np.ones(4), [0, 0, 1, 1], {}, "values have the shape"),
        (np.ones((4, 1)), [0, 0, 1], {}, "values have the shape"),
        (np.ones((4, 1)), [0, 0, 1, 1], {"subject": [0, 1]}, "values have the shape"),
        (np.ones((4, 1)), [0, 0, 0, 0], {}, r"groups are \[0\]; they need the numbers 0, 1"),
        (np.ones((4, 1)), [0, 0, 2, 2], {}, r"groups are \[0, 2\]"),
        (np.full((4, 1), np.inf), [0, 0, 1, 1], {}, "infinite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(values, group, extra, message):
    with pytest.raises(ValueError, match=message):
        mean_differences(values, group, generator=rng(0), permutations=9, **extra)


# ---- pixels


def test_pixels_that_differ_are_found_and_no_others():
    maps = rng(1).normal(0, 1, (120, 12, 10)).astype(np.float32)
    group = np.repeat([0, 1], 60)
    maps[:60, 3:5, 2:6] += 1.5
    maps[:, 0, 0] = 0
    got = pixel_differences(maps, group, generator=rng(0), permutations=500)
    planted = np.zeros((12, 10), bool)
    planted[3:5, 2:6] = True
    np.testing.assert_array_equal(got.significant[0], planted)
    assert np.isnan(got.p[0, 0, 0])
    assert got.p_of_any == np.nanmin(got.p)
    np.testing.assert_allclose(
        got.difference[0, 1:], maps[:60, 1:].mean(axis=0, dtype=float) - maps[60:, 1:].mean(axis=0, dtype=float), atol=1e-6
    )
    assert got.difference.shape == (1, 12, 10)


# ---- simulations; the program tests/simulations/mean_differences.py has more of them


def rejected(make, repetitions, permutations=199, **options):
    """Share of repetitions in which any measure is significant."""
    hits = 0
    for i in range(repetitions):
        values, group, further = make(rng(17, i))
        got = mean_differences(values, group, generator=rng(18, i), permutations=permutations, **further, **options)
        hits += got.p_of_any < 0.05
    return hits / repetitions


NOISE = 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "measures", "draw"),
    [
        ((60, 60), 40, lambda g, shape: g.normal(size=shape)),
        ((20, 200), 40, lambda g, shape: g.normal(size=shape)),
        ((20, 200), 40, lambda g, shape: g.standard_t(2, size=shape)),
        ((20, 200), 10, lambda g, shape: (g.random(shape) < 0.03) * g.exponential(size=shape)),
        ((40, 40, 40), 200, lambda g, shape: g.exponential(size=shape)),
        ((20, 200), 20, lambda g, shape: g.normal(size=shape) * np.repeat([3, 1], [20, 200])[:, None]),
    ],
    ids=["equal sizes", "20 vs. 200", "heavy tails", "sparse", "many measures, 3 groups", "other variance"],
)
def test_equal_groups_differ_in_at_most_5_percent(sizes, measures, draw):
    group = np.repeat(np.arange(len(sizes)), sizes)
    assert rejected(lambda g: (draw(g, (len(group), measures)), group, {}), 400) <= 0.05 + NOISE


@pytest.mark.slow
@pytest.mark.parametrize(("subjects", "faces"), [((5, 5), (40, 40)), ((10, 10), (30, 5)), ((6, 20), (20, 20))])
def test_equal_groups_of_subjects_differ_in_at_most_5_percent(subjects, faces):
    subject = np.repeat(np.arange(sum(subjects)), np.repeat(faces, subjects))
    group = (subject >= subjects[0]).astype(int)

    def make(generator):
        own = generator.normal(0, 1, (sum(subjects), 20))
        return own[subject] + generator.normal(0, 1, (len(subject), 20)), group, {"subject": subject}

    assert rejected(make, 400) <= 0.05 + NOISE
    independent = rejected(lambda g: (*make(g)[:2], {}), 60)
    assert independent > 0.5  # the mistake that subjects avoid


@pytest.mark.slow
def test_a_planted_difference_is_found_and_the_others_are_not():
    group = np.repeat([0, 1], 100)
    found, false, covered = 0, 0, 0
    for i in range(200):
        values = rng(1, i).normal(0, 1, (200, 30))
        values[group == 1, 4] += 0.8
        got = mean_differences(values, group, generator=rng(2, i), permutations=199)
        found += got.p[0, 4] < 0.05
        false += (np.delete(got.p[0], 4) < 0.05).any()
        truth = np.where(np.arange(30) == 4, -0.8, 0)
        covered += ((got.low[0] <= truth) & (truth <= got.high[0])).all()
    assert found > 190
    assert false / 200 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert covered / 200 >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)
