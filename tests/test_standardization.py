"""Directly standardized gaps: stratum by stratum on the rows, Simpson's paradox, subjects, and invalid columns."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fairfer
from fairfer.errors import UsageError
from fairfer.labels import LabelSpace
from fairfer.metrics.counts import Source, count
from fairfer.metrics.gaps import compute_gaps
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.metrics.results import Gap, Rate, StandardizedGap
from fairfer.metrics.standardization import Strata, _estimates, standardized_gaps
from fairfer.predictions.inference import predict
from fairfer.stats import change_by_standardization, wilson
from fairfer.testing import FakeModel
from fairfer.vocabulary import UNANNOTATED

LABELS = LabelSpace.of("two", ["anger", "fear"])
BY = ("g",)


def audited(dataset, **options):
    return fairfer.audit(dataset, predict(dataset, FakeModel(LABELS)), **{"minimum": 1, "permutations": 200, **options})


def dataset_of(toy, rows):
    """Rows of (number of the true label, of the predicted label, group, light)."""
    truth, predicted, group, light = zip(*rows, strict=True)
    return toy([LABELS.labels[t] for t in truth], {"g": group, "light": light}, said=list(predicted), labels=LABELS)


def definition(frame, gap):
    """Standardized rate of each group, and the share of samples covered.

    Strata of label and light that all groups have are weighted by all of their samples.
    """
    if gap.rate == "TPR":
        frame = frame[frame["truth"] == gap.label]
    elif gap.rate == "FPR":
        frame = frame[frame["truth"] != gap.label]
    hit = frame["predicted"] == (frame["truth"] if gap.rate == "accuracy" else gap.label)
    frame = frame.assign(hit=hit)[[(g,) in gap.groups for g in frame["g"]]]
    strata = [part for _, part in frame.groupby(["truth", "light"]) if part["g"].nunique() == len(gap.groups)]
    covered = sum(map(len, strata))
    if not covered:
        return None, 0.0
    rates = {
        group: sum(len(part) / covered * part[part["g"] == group[0]]["hit"].mean() for part in strata) for group in gap.groups
    }
    return rates, covered / len(frame)


some_rows = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from("fm"), st.sampled_from(["dim", "lit", "sun"])),
    min_size=2,
    max_size=40,
)


@settings(max_examples=4)
@given(rows=some_rows)
@example(rows=[(0, 0, "f", "dim"), (0, 1, "m", "lit")])  # no common stratum
@example(rows=[(t, p, g, x) for t, p, g, x in itertools.product((0, 1), (0, 1), "fm", ["dim", "sun"])] * 2)
def test_a_standardized_gap_agrees_with_its_definition(rows, toy):
    """The rate of each group, the share of samples covered, and the unstandardized gap over the same samples."""
    audit = audited(dataset_of(toy, rows), by=["g"], standardize=["light"], permutations=100)
    frame = pd.DataFrame(rows, columns=["truth", "predicted", "g", "light"]).replace(dict(enumerate(LABELS.labels)))
    plain = {(g.label, g.rate): g for g in audit.gaps}
    assert len(audit.standardized) == len(plain) - 1  # all but coverage
    for gap in audit.standardized:
        unstandardized = plain[gap.label, gap.rate]
        if unstandardized.status == "too_few_groups":
            assert gap.status == "too_few_groups"
            continue
        rates, covered_share = definition(frame, unstandardized)
        if rates is None:
            assert (gap.status, gap.difference, gap.covered_share) == ("no_common_strata", None, 0)
            continue
        assert {g.group: g.value for g in gap.groups} == pytest.approx(rates)
        assert gap.difference == pytest.approx(max(rates.values()) - min(rates.values()))
        assert gap.covered_share == pytest.approx(covered_share)
        assert (gap.low or 0) <= gap.difference + 1e-9
        assert gap.difference <= gap.high + 1e-9
        assert all(g.low - 1e-9 <= g.value <= g.high + 1e-9 for g in gap.groups)


def gaps_of(numbers) -> tuple[Gap, StandardizedGap]:
    """TPR gap of anger, plain and standardized, from (hits, misses) by group and light."""
    rows = [
        ("anger", predicted, group, light)
        for (group, light), of_cell in numbers.items()
        for predicted, n in zip(LABELS.labels, of_cell, strict=True)
        for _ in range(n)
    ]
    return gaps_of_table(pd.DataFrame(rows, columns=["truth", "predicted", "g", "light"]), 400, "TPR", "anger")


def plain_rate(group, hits, trials, rate, label) -> Rate:
    """As far as gaps need it; `compute_rates` makes all others too, which takes most of the time."""
    return Rate(
        label=label,
        attribute=BY,
        group=group,
        rate=rate,
        value=hits / trials,
        numerator=int(hits),
        denominator=int(trials),
        low=None,
        high=None,
        status="ok",
    )


def gaps_of_table(table, permutations, rate, label, *, subject=None) -> tuple[Gap, StandardizedGap]:
    """One gap, plain and standardized over light, without the other tables of an audit.

    `subject` gives (rows,) subjects, by which the standardized gap is then tested.
    """
    settings = MetricSettings(1, 0.95, permutations, 0)
    groups = {BY: [("f",), ("m",)]}
    stratum = table.groupby(["light", "truth"]).ngroup()
    unit = stratum if subject is None else pd.Series(list(zip(stratum, subject, strict=True)))
    number, units = pd.factorize(unit)
    source = Source(table.assign(status="ok", unit=number), "single-label", LABELS.labels, {"g": "g"})
    hits, trials = count(source, groups)[BY].fraction(rate, label)
    rates = [plain_rate(*of_group, rate, label) for of_group in zip(groups[BY], hits, trials, strict=True)]
    counts = count(source, groups, unit="unit")
    strata = (
        Strata(counts, units.to_numpy())
        if subject is None
        else Strata(counts, np.array([s for s, _ in units]), np.array([p for _, p in units]))
    )
    [plain] = compute_gaps(rates, [BY], settings)
    [standardized] = standardized_gaps([plain], strata, settings)
    return plain, standardized


def test_a_gap_caused_by_the_mix_disappears():
    """One group was photographed in the dark: the plain gap is significant, the standardized one is 0."""
    numbers = {("f", "dim"): (40, 160), ("f", "sun"): (45, 5), ("m", "dim"): (10, 40), ("m", "sun"): (180, 20)}
    plain, standardized = gaps_of(numbers)
    assert plain.difference > 0.4
    assert plain.q < 0.05
    assert standardized.difference == pytest.approx(0)
    assert standardized.p == 1
    assert standardized.low is None
    assert standardized.unstandardized == pytest.approx(plain.difference)


def test_a_gap_hidden_by_the_mix_appears():
    """The groups are about equal overall, and one is worse in every light."""
    numbers = {("f", "dim"): (10, 40), ("f", "sun"): (140, 60), ("m", "dim"): (80, 120), ("m", "sun"): (70, 0)}
    plain, standardized = gaps_of(numbers)
    assert plain.difference < 0.05
    assert standardized.worst == ("f",)
    assert standardized.difference > 0.2
    assert standardized.q < 0.05
    assert standardized.low > 0


@pytest.mark.parametrize("strata", [1, 4])
def test_intervals_of_standardized_rates_have_their_coverage(strata):
    """With a planted rate per stratum; the standard error of 1,500 repetitions is 0.006."""
    generator = np.random.default_rng(3)
    trials = generator.integers(5, 60, size=(strata, 2))
    truth = np.linspace(0.3, 0.95, strata)[:, None] * np.ones(2) if strata > 1 else np.full((1, 2), 0.8)
    weights = trials.sum(axis=1) / trials.sum()
    covered = np.zeros(2)
    for _ in range(1500):
        low, high = _estimates(generator.binomial(trials, truth), trials, weights, None)[0].limits(0.025)
        covered += (low <= weights @ truth) & (weights @ truth <= high)
    assert (covered / 1500 > 0.925).all()
    assert (covered / 1500 < 0.99).all()


def test_the_interval_of_a_small_group_uses_its_own_rates():
    """A large group with other rates carries no information about the variance of a small one."""
    generator = np.random.default_rng(5)
    trials = np.array([[30, 3000], [30, 3000]])
    truth, weights = np.array([[0.5, 0.99], [0.4, 0.98]]), np.array([0.5, 0.5])
    covered = np.zeros(2)
    for _ in range(1500):
        low, high = _estimates(generator.binomial(trials, truth), trials, weights, None)[0].limits(0.025)
        covered += (low <= weights @ truth) & (weights @ truth <= high)
    assert (covered / 1500 > 0.93).all()


def subjects_table(seed, *, copies=8, subjects=40) -> pd.DataFrame:
    """Subjects with rates of their own; light and group belong to the subject, and the groups are equal."""
    generator = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), copies)
    correct = generator.random(len(subject)) < np.repeat(generator.beta(2, 1, subjects), copies)
    return pd.DataFrame(
        {
            "truth": "anger",
            "predicted": np.where(correct, "anger", "fear"),
            "g": np.array(["f", "m"])[subject % 2],
            "light": np.array(["dim", "lit"])[subject // 2 % 2],
            "subject": subject,
        }
    )


@pytest.mark.slow
def test_equal_groups_of_subjects_are_rarely_significant_after_standardization():
    """Samples of one subject are dependent: as independent samples, equal groups would often be significant."""
    repetitions = 20
    significant = {"by subject": 0, "independent": 0}
    for seed in range(repetitions):
        table = subjects_table(seed)
        for name in significant:
            subject = table["subject"].to_numpy() if name == "by subject" else None
            _, gap = gaps_of_table(table, 200, "accuracy", "*", subject=subject)
            significant[name] += gap.p <= 0.05
    assert significant["by subject"] / repetitions <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)
    assert significant["independent"] / repetitions > 0.2


def test_subjects_change_intervals_but_not_standardized_rates(toy):
    """With one sample per subject, intervals are about those of independent samples."""

    def standardized(table):
        rows = [(0, LABELS.labels.index(p), g, x) for p, g, x in table[["predicted", "g", "light"]].to_numpy()]
        dataset = dataset_of(toy, rows)
        dataset = dataset.replace(samples=dataset.samples.assign(actor=[f"p{s}" for s in table["subject"]]))
        return [audited(dataset, by=["g"], standardize=["light"], subject=s).standardized for s in ("", "actor")]

    def width(gaps):
        [group, _] = next(g for g in gaps if g.rate == "accuracy").groups
        return group.high - group.low

    independent, by_subject = standardized(subjects_table(1))
    for one, other in zip(independent, by_subject, strict=True):
        for field in ("worst", "difference", "unstandardized", "strata"):
            assert getattr(one, field) == getattr(other, field)
    assert width(by_subject) > 1.2 * width(independent)
    independent, by_subject = standardized(subjects_table(1, copies=1, subjects=200))
    assert width(by_subject) == pytest.approx(width(independent), rel=0.05)


def test_one_stratum_gives_the_plain_rate_and_interval():
    """There is nothing to standardize over; Wilson's interval is the oracle."""
    estimates, _ = _estimates(np.array([[16, 30]]), np.array([[20, 60]]), np.ones(1), None)
    assert estimates.size == pytest.approx([20, 60])
    low, high = estimates.limits(0.025)
    expected = [[float(x) for x in wilson(hits, trials)] for hits, trials in ((16, 20), (30, 60))]
    assert list(zip(low, high, strict=True)) == [pytest.approx(e) for e in expected]


def test_numbers_are_cut_into_fifths(toy):
    """``--standardize age``: five groups of about the same size, with ties and missing values, named by their edges."""
    n = 200
    dataset = toy(["anger"] * n, {"g": ["f", "m"] * (n // 2)}, labels=LABELS)
    age = pd.Series([np.nan, *np.arange(1.0, n)], index=dataset.samples.index)
    audit = audited(dataset.replace(samples=dataset.samples.assign(age=age)), by=["g"], standardize=["age"])
    [attribute] = [a for a in audit.data.attributes if a.name == "age"]
    assert len(attribute.levels) == 6
    assert attribute.levels[0].startswith("up to 40")
    assert attribute.levels[-1] == UNANNOTATED
    assert audit.groupings == [BY]
    [gap] = [g for g in audit.standardized if g.rate == "accuracy"]
    assert gap.strata == 5  # the one sample without an age belongs to one group only
    assert gap.covered_share == pytest.approx(199 / 200)


def test_standardization_changes_no_other_table(toy):
    """Nor the identity of the data."""
    dataset = dataset_of(toy, list(itertools.product((0, 1), (0, 1), "fm", ("dim", "sun"))))
    plain, standardized = audited(dataset, by=["g"]), audited(dataset, by=["g"], standardize=["light"])
    assert standardized.gaps == plain.gaps
    assert standardized.rates == plain.rates
    assert standardized.data.digest == plain.data.digest == dataset.digest
    assert plain.standardized == []
    assert {g.rate for g in standardized.standardized} == {"TPR", "FPR", "accuracy"}


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        ("lihgt", "--standardize lihgt: toy has no such column; did you mean 'light'"),
        ("label", "--standardize label: the label is always standardized over"),
        ("age", "--standardize age: the column is empty in toy"),
    ],
)
def test_invalid_columns_are_refused(toy, column, complaint):
    """One line, before the model runs."""
    dataset = dataset_of(toy, [(0, 0, "f", "dim"), (0, 0, "m", "sun")])
    dataset = dataset.replace(samples=dataset.samples.assign(age=np.nan))
    plan = fairfer.AuditPlan(by=["g"], standardize=[column])
    with pytest.raises(UsageError, match=complaint):
        fairfer.check_plan(plan, dataset, LABELS)


def influence_by_jackknife(hits, trials):
    """Standard error of the change from leaving out one sample at a time: the infinitesimal jackknife of all samples."""

    def change(k, n):
        weight = n.sum(axis=1) / n.sum()
        standardized, plain = weight @ (k / n), k.sum(axis=0) / n.sum(axis=0)
        return (standardized[0] - standardized[1]) - (plain[0] - plain[1])

    total, squares, mean = trials.sum(), 0.0, []
    for s, g in itertools.product(*map(range, trials.shape)):
        for hit, number in ((1, hits[s, g]), (0, trials[s, g] - hits[s, g])):
            if number:
                k, n = hits.copy(), trials.copy()
                n[s, g] -= 1
                k[s, g] -= hit
                mean.append((change(k, n), number))
    center = sum(v * m for v, m in mean) / total
    squares = sum(m * (v - center) ** 2 for v, m in mean)
    return change(hits, trials), np.sqrt(squares * (total - 1) / total)


def test_the_change_and_its_standard_error_agree_with_the_jackknife():
    """On counts that are large enough that shrinking variances does not matter."""
    hits = np.array([[380, 150], [200, 250], [90, 400]])
    trials = np.array([[400, 200], [300, 500], [200, 900]])
    change, error = influence_by_jackknife(hits, trials)
    found = change_by_standardization(hits, trials, (0, 1), 0.025)
    assert found.change == pytest.approx(change)
    half = (found.high - found.low) / 2
    assert half == pytest.approx(1.96 * error, rel=0.01)
    assert found.change == pytest.approx((found.low + found.high) / 2)
    reverse = change_by_standardization(hits, trials, (1, 0), 0.025)
    assert (reverse.low, reverse.high) == pytest.approx((-found.high, -found.low))


def test_the_change_is_certain_where_neither_gap_is():
    """Both gaps are of the same faces: their own intervals say nothing about the change."""
    hits, trials = np.array([[18, 72], [40, 10]]), np.array([[20, 80], [80, 20]])
    found = change_by_standardization(hits, trials, (1, 0), 0.025)
    assert found.plain == pytest.approx(0.24)
    assert found.standardized == pytest.approx(0.0)
    assert found.high < -0.1
    one_stratum = change_by_standardization(hits[:1], trials[:1], (1, 0), 0.025)
    assert (one_stratum.low, one_stratum.high) == (0, 0)


def test_the_change_of_a_gap_is_signed_like_the_gap(toy):
    """For FPR too, and with subjects; the interval with subjects is wider when all faces of a subject are alike."""
    table = subjects_table(1, copies=8, subjects=60)
    rows = [(0, LABELS.labels.index(p), g, x) for p, g, x in table[["predicted", "g", "light"]].to_numpy()]
    dataset = dataset_of(toy, rows)
    dataset = dataset.replace(samples=dataset.samples.assign(actor=[f"p{s}" for s in table["subject"]]))
    width = {}
    for subject in ("", "actor"):
        audit = audited(dataset, by=["g"], standardize=["light"], subject=subject, minimum_subjects=1)
        plain = {(g.label, g.rate): g for g in audit.gaps}
        for gap in audit.standardized:
            if gap.status == "ok":
                assert gap.covered_share == 1
                assert gap.unstandardized == pytest.approx(plain[gap.label, gap.rate].difference)
                assert gap.change == pytest.approx(gap.standardized - gap.unstandardized)
                assert abs(gap.standardized) == pytest.approx(gap.difference)
        [accuracy] = [g for g in audit.standardized if g.rate == "accuracy"]
        width[subject] = accuracy.change_high - accuracy.change_low
    assert width["actor"] > 1.3 * width[""]


@pytest.mark.parametrize("by", ["g", "g,h"])
def test_a_column_that_is_compared_cannot_be_standardized_over(toy, by):
    """Before, it was accepted, and nothing was compared."""
    dataset = toy(["anger"] * 4, {"g": ["f", "m"] * 2, "h": ["a", "b"] * 2})
    with pytest.raises(UsageError, match=f"--standardize g: --by {by} compares groups that differ in g") as caught:
        audited(dataset, by=[by], standardize=["g"])
    assert "\n" not in str(caught.value)


def test_a_copy_of_the_grouping_covers_no_face(toy):
    """Under another name it is not refused, and the first thing that is said is that no face can be compared."""
    dataset = toy(["anger"] * 80, {"g": ["f", "m"] * 40, "sex": ["F", "M"] * 40})
    audit = audited(dataset, by=["g"], standardize=["sex"])
    assert {(g.status, g.covered_share, g.change) for g in audit.standardized} <= {
        ("no_common_strata", 0.0, None),
        ("too_few_groups", 0.0, None),
    }
    assert "no_common_strata" in {g.status for g in audit.standardized}
