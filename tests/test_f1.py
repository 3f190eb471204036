"""F1 per group: table, intervals, differences with their tests, and the mean over groups."""

from __future__ import annotations

import csv
import io
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn.metrics import f1_score, precision_score, recall_score

import fairfer
from fairfer.gate.judge import judge
from fairfer.gate.policy import Policy
from fairfer.report.sections import csv_files
from fairfer.report.sections.f1 import F1Section
from fairfer.report.tables.f1 import f1_gaps_table, f1_labels_table, f1_table
from fairfer.report.view import View
from fairfer.stats.macro_f1 import F1Test, UnitTable, average_f1, score_limits
from fairfer.vocabulary import EVERYONE

LABELS = ["AU1", "AU6", "AU12"]
OPTIONS = {"labels": LABELS, "minimum": 1, "minimum_occurrences": 0, "minimum_subjects": 1, "permutations": 100}


def audit(truth, predicted, group, **options) -> fairfer.Audit:
    """An audit of arrays; NaN is unknown."""
    return fairfer.audit(np.array(truth, float), np.array(predicted, float), groups={"g": list(group)}, **(OPTIONS | options))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- the function and its error ---------------------------------------------------------------------------------------

counts = st.lists(st.lists(st.integers(0, 5), min_size=9, max_size=9), min_size=2, max_size=8)


@given(counts, st.booleans())
def test_the_average_is_that_of_scikit_learn(rows, weighted):
    """Over labels with positives; from rows that have these counts."""
    sums = np.array(rows).sum(axis=0).reshape(3, 3)
    scores, supports = [], []
    for hits, false, missed in sums.T:
        truth = [1] * hits + [0] * false + [1] * missed
        decided = [1] * (hits + false) + [0] * missed
        if hits + missed:
            scores.append(f1_score(truth, decided, zero_division=0))
            supports.append(hits + missed)
    value = average_f1(sums, weighted=weighted)
    if not scores:
        assert np.isnan(value)
        return
    assert value == pytest.approx(np.average(scores, weights=supports if weighted else None))


@given(counts, st.booleans())
def test_the_error_is_that_of_numerical_derivatives(rows, weighted):
    """Sum of squared influences, each the derivative of the function along the counts of one unit."""
    units = np.array(rows, float).reshape(-1, 3, 3) + 0.5  # away from labels without positives
    table = UnitTable(units, np.ones((len(units), 1), np.int64))
    total, step = units.sum(axis=0), 1e-6
    influence = [
        (average_f1(total + step * u, weighted=weighted) - average_f1(total - step * u, weighted=weighted)) / (2 * step)
        for u in units
    ]
    n = len(units)
    assert table.errors(weighted=weighted)[0] == pytest.approx(np.sqrt(np.sum(np.square(influence)) * n / (n - 1)), abs=1e-8)


def test_the_error_is_that_of_a_bootstrap():
    """Of 60 subjects; 4 % is the error of the bootstrap's own variance, and of the approximation."""
    draw = np.random.default_rng(0)
    units = draw.poisson(3 + 2 * draw.random((60, 1, 1)), (60, 3, 4))
    table = UnitTable.of(units, np.zeros(60, int), 1)
    for weighted in (False, True):
        resampled = units[draw.integers(0, 60, (20_000, 60))].sum(axis=1)
        expected = average_f1(resampled, weighted=weighted).std() * np.sqrt(60 / 59)
        assert table.errors(weighted=weighted)[0] == pytest.approx(expected, rel=0.04)


def test_equal_units_are_one_kind():
    """With the numbers of units of each group."""
    units = np.array([[[1, 0], [0, 0], [0, 1]], [[0, 0], [1, 0], [0, 0]], [[1, 0], [0, 0], [0, 1]]])
    table = UnitTable.of(units, [0, 1, 1], 2, [2, 3, 4])
    assert table.table.tolist() == [[0, 3], [2, 4]]
    assert table.units.tolist() == [2, 7]
    assert table.only([[0, 1]]).table.tolist() == [[3], [6]]


def test_limits_are_between_0_and_1_and_absent_without_variation():
    """Student's quantile on the logit scale; a value of 0 or 1 and a single unit have none."""
    low, high = score_limits([0.9, 1.0, 0.0, 0.5], [0.05, 0.1, 0.1, 0.1], [10, 10, 10, 1], 0.95)
    reach = scipy_stats.t(9).ppf(0.975) * 0.05 / (0.9 * 0.1)
    assert (low[0], high[0]) == pytest.approx(1 / (1 + np.exp(-(np.log(9) + np.array([-reach, reach])))))
    assert np.isnan(low[1:]).all()
    assert np.isnan(high[1:]).all()


# --- the test ---------------------------------------------------------------------------------------------------------


def enumerated(units: np.ndarray, size: int) -> np.ndarray:
    """Difference of macro-F1 of every division of the units into two groups, computed one by one."""
    found = []
    for first in itertools.combinations(range(len(units)), size):
        chosen = np.isin(np.arange(len(units)), first)
        found.append(average_f1(units[chosen].sum(axis=0)) - average_f1(units[~chosen].sum(axis=0)))
    return np.array(found)


def test_permutations_are_those_of_all_divisions():
    """The gap under permutation has the distribution of an enumeration of all 252 divisions of ten subjects."""
    units = np.random.default_rng(4).integers(1, 6, (10, 3, 2))
    test = F1Test(UnitTable.of(units, [0] * 5 + [1] * 5, 2), np.random.default_rng(0))
    _, gaps = test.draw(20_000)
    exact = np.abs(enumerated(units, 5))
    assert test.difference[0] == pytest.approx(average_f1(units[:5].sum(axis=0)) - average_f1(units[5:].sum(axis=0)))
    assert np.quantile(gaps, [0.1, 0.5, 0.9, 0.95]) == pytest.approx(np.quantile(exact, [0.1, 0.5, 0.9, 0.95]), abs=0.006)
    assert set(np.round(np.unique(gaps), 9)) <= set(np.round(exact, 9))


def test_many_kinds_of_units_give_normal_sums_with_the_same_distribution(monkeypatch):
    """Both ways agree in the quantiles of the statistic and of the gap."""
    units = np.random.default_rng(1).integers(0, 2, (900, 3, 4))
    table = UnitTable.of(units, np.random.default_rng(2).integers(0, 3, 900), 3)
    assert len(table.kinds) > 500
    for weighted in (False, True):
        normal = F1Test(table, np.random.default_rng(0), weighted=weighted).draw(3000)
        with monkeypatch.context() as context:
            context.setattr("fairfer.stats.macro_f1._DIRECT_KINDS", 10_000)
            direct = F1Test(table, np.random.default_rng(0), weighted=weighted).draw(300)
        for one, other in zip(normal, direct, strict=True):
            assert np.median(one) == pytest.approx(np.median(other), rel=0.1)
            assert np.quantile(one, 0.9) == pytest.approx(np.quantile(other, 0.9), rel=0.15)


def test_a_group_without_positives_counts_as_extreme():
    """It has no F1, and a permutation without one is never evidence of a difference."""
    units = np.array([[[1], [0], [0]], *[[[0], [0], [0]]] * 5])
    test = F1Test(UnitTable.of(units, [0, 0, 0, 1, 1, 1], 2), np.random.default_rng(0))
    largest, gaps = test.draw(50)
    assert np.isinf(largest).all()
    assert (gaps == 1).all()


def test_a_comparison_is_also_tested_with_its_own_units():
    """Two of three groups, or one group and the rest of them; two groups have one comparison."""
    units = np.random.default_rng(1).integers(0, 4, (30, 3, 2))
    group = np.arange(30) % 3
    test = F1Test(UnitTable.of(units, group, 3), np.random.default_rng(0), subjects=True)
    for comparison, (one, other) in {0: ([0], [1]), 3: ([0], [1, 2])}.items():
        single = test.single(comparison)
        sums = [units[np.isin(group, side)].sum(axis=0) for side in (one, other)]
        assert single.difference == pytest.approx([average_f1(sums[0]) - average_f1(sums[1])])
        assert single.difference[0] == pytest.approx(test.difference[comparison])
        assert single.single(0) is None


def simulated(draw: np.random.Generator, subjects: int, images: int, better: float) -> np.ndarray:
    """Counts of subjects who differ in their labels and in how well they are recognized."""
    prevalence = 1 / (1 + np.exp(0.8 - draw.normal(0, 0.8, (subjects, 1, 4))))
    quality = 1 / (1 + np.exp(-1.2 - better - draw.normal(0, 0.8, (subjects, 1, 1))))
    truth = draw.random((subjects, images, 4)) < prevalence
    decided = truth ^ (draw.random(truth.shape) > quality)
    return np.stack([(truth & decided).sum(1), (~truth & decided).sum(1), (truth & ~decided).sum(1)], axis=1)


def rejections(runs: int, sizes: tuple[int, int], images: tuple[int, int], better: float) -> int:
    """How often a difference at the level of 5 % is found."""
    number = 0
    for seed in range(runs):
        draw = np.random.default_rng(seed)
        units = [simulated(draw, n, m, better * i) for i, (n, m) in enumerate(zip(sizes, images, strict=True))]
        test = F1Test(UnitTable.of(np.concatenate(units), np.repeat([0, 1], sizes), 2), draw, subjects=True)
        largest, _ = test.draw(400)
        number += (1 + (largest >= test.observed[0] - 1e-12).sum()) / 401 <= 0.05
    return number


@pytest.mark.slow
def test_few_subjects_do_not_give_false_alarms_and_differences_are_found():
    """20 subjects: 5 % of 600 runs, and twice its standard error; also with unequal groups and numbers of images."""
    for sizes, images in (((10, 10), (30, 30)), ((10, 10), (10, 60)), ((5, 15), (30, 30)), ((5, 15), (60, 10))):
        assert rejections(600, sizes, images, 0) <= 600 * 0.05 + 2 * np.sqrt(600 * 0.05 * 0.95)
    assert rejections(100, (10, 10), (30, 30), 1.6) >= 80
    assert rejections(100, (30, 30), (30, 30), 0.8) >= 80


# --- in an audit ------------------------------------------------------------------------------------------------------

cell = st.sampled_from([0.0, 1.0])
entry = st.sampled_from([0.0, 1.0, np.nan])
rows = st.lists(
    st.tuples(st.tuples(entry, entry, entry), st.tuples(cell, cell, cell), st.sampled_from("fm")), min_size=2, max_size=30
)


@settings(max_examples=15)
@given(rows)
@example([((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), "f"), ((1.0, 1.0, np.nan), (1.0, 1.0, 1.0), "m")])
def test_the_tables_equal_scikit_learn(rows):
    """On random multi-label data with unknown entries; a label without positives is undefined, neither 0 nor 1."""
    truth, predicted, group = (np.array(x) for x in zip(*rows, strict=True))
    usable = ~np.isnan(truth).all(axis=1)
    if not usable.any():
        return
    truth, predicted, group = truth[usable], predicted[usable], group[usable]
    view = View(audit(truth, predicted, group))
    files = csv_files(view)
    overall = {r["group"]: r for r in rows_of(files["f1.csv"])}
    for row in rows_of(files["f1_labels.csv"]):
        i, members = LABELS.index(row["label"]), np.ones(len(group), bool) if row["group"] == "*" else group == row["group"]
        known = members & ~np.isnan(truth[:, i])
        y, decided = truth[known, i], predicted[known, i]
        assert int(row["positives"]) == (y == 1).sum()
        if not (y == 1).any():
            assert (row["f1"], row["f1_low"], row["tpr"]) == ("", "", "")
            assert row["f1_status"] == ("not_estimable" if members.any() else "empty")
            assert row["label"] in overall[row["group"]]["labels_without_faces"]
            assert overall[row["group"]]["macro_f1"] == ""
            continue
        assert float(row["f1"]) == pytest.approx(f1_score(y, decided, zero_division=0))
        assert float(row["f1_low"]) <= float(row["f1"]) + 1e-12
        assert float(row["f1_high"]) >= float(row["f1"]) - 1e-12
        assert float(row["tpr"]) == pytest.approx(recall_score(y, decided))
        if decided.any():
            assert float(row["precision"]) == pytest.approx(precision_score(y, decided))
    for name, row in overall.items():
        own = [r for r in rows_of(files["f1_labels.csv"]) if r["group"] == name]
        if all(r["f1"] for r in own):
            assert float(row["macro_f1"]) == pytest.approx(np.mean([float(r["f1"]) for r in own]))
        if positives := sum(int(r["positives"]) for r in own):
            weighted = sum(float(r["f1"] or 0) * int(r["positives"]) for r in own) / positives
            assert float(row["weighted_macro_f1"]) == pytest.approx(weighted)


def data(n: int = 240, seed: int = 0, better: float = 0.0):
    """Truth, answers, group and subject of samples; ten of whose subjects are men."""
    draw = np.random.default_rng(seed)
    subject = np.arange(n) % 20
    group = np.where(subject < 10, "f", "m")
    truth = draw.random((n, 3)) < 0.4
    wrong = draw.random((n, 3)) < np.where(group == "m", 0.3 - better, 0.3)[:, None]
    return truth, truth ^ wrong, group, subject


@pytest.mark.parametrize("by_subject", [False, True])
def test_intervals_and_differences_are_those_of_the_units(by_subject):
    """Recomputed from the rows: errors from per-unit sums, limits by Student's t; the F1 of a label from Wilson's interval."""
    truth, decided, group, subject = data()
    result = audit(truth, decided, group, **({"subjects": [f"s{i}" for i in subject]} if by_subject else {}))
    unit = subject if by_subject else np.arange(len(truth))
    outcome = np.stack([truth & decided, ~truth & decided, truth & ~decided], axis=1)
    error = {}
    for level in "fm":
        names = np.unique(unit[group == level])
        sums = np.array([outcome[(group == level) & (unit == u)].sum(axis=0) for u in names])
        total = sums.sum(axis=0)
        for measure in ("macro-F1", "weighted macro-F1"):
            weighted = measure != "macro-F1"
            jackknife = np.array([average_f1(total - s, weighted=weighted) for s in sums])
            spread = np.sqrt((len(names) - 1) / len(names) * ((jackknife - jackknife.mean()) ** 2).sum())
            row = result.rate(measure, attribute="g", group=level)
            half = (np.log(row.high / (1 - row.high)) - np.log(row.low / (1 - row.low))) / 2
            found = half * row.value * (1 - row.value) / scipy_stats.t(len(names) - 1).ppf(0.975)
            assert row.value == pytest.approx(average_f1(total, weighted=weighted))
            assert found == pytest.approx(spread, rel=0.05)
            error[measure, level] = found
    for gap in result.f1_gaps:
        [difference] = gap.differences
        values = {level: result.rate(gap.measure, attribute="g", group=level).value for level in "fm"}
        assert gap.difference == difference.difference == pytest.approx(abs(values["f"] - values["m"]))
        assert (gap.best, gap.worst) == ((max(values, key=values.get),), (min(values, key=values.get),))
        reach = gap.critical_value * np.hypot(error[gap.measure, "f"], error[gap.measure, "m"])
        assert (difference.low, difference.high) == pytest.approx((gap.difference - reach, gap.difference + reach))
    if not by_subject:
        row = result.rate("F1", label="AU6", attribute="g", group="f")
        tp, fp, fn = outcome[group == "f"].sum(axis=0)[:, LABELS.index("AU6")]
        low, high = scipy_stats.binomtest(int(tp), int(tp + fp + fn)).proportion_ci(method="wilson")
        assert (row.low, row.high) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))


@pytest.mark.parametrize("by_subject", [False, True])
def test_a_planted_difference_is_significant_and_its_interval_excludes_0(by_subject):
    """And there is none where there is none."""
    for better, significant in ((0.25, True), (0.0, False)):
        truth, decided, group, subject = data(600, 3, better)
        options = {"subjects": [f"s{i}" for i in subject]} if by_subject else {}
        gaps = audit(truth, decided, group, **options, permutations=2000).f1_gaps
        assert [g.significant for g in gaps] == [significant] * 2
        for gap in gaps:
            [difference] = gap.differences
            assert difference.significant == significant == (difference.low > 0)
            assert (gap.q < 0.05) == significant
            assert gap.q >= gap.p


def test_single_label_audits_have_the_same_tables():
    """Macro-F1 and its test; the outcome of a sample is its true and predicted label."""
    draw = np.random.default_rng(0)
    truth = draw.choice(["anger", "fear", "happiness"], 300)
    decided = np.where(draw.random(300) < 0.6, truth, draw.choice(["anger", "fear", "happiness"], 300))
    group = draw.choice(["a", "b", "c"], 300)
    result = fairfer.audit(truth, decided, groups={"g": group}, permutations=100)
    assert result.rate("macro-F1").value == pytest.approx(f1_score(truth, decided, average="macro"))
    assert result.rate("macro-F1").low < result.rate("macro-F1").value < result.rate("macro-F1").high
    assert [len(g.differences) for g in result.f1_gaps] == [6, 6]
    assert "the rest" in str(f1_gaps_table(View(result)).rows)


def test_a_missing_answer_counts_as_not_predicted():
    """In the outcomes of samples as in the counts."""
    truth, decided, group, _ = data(60)
    answers = decided.astype(float)
    answers[::7] = np.nan
    without = decided.copy()
    without[::7] = False
    one, other = (audit(truth, d, group) for d in (answers, without))
    assert one.f1_gaps == other.f1_gaps
    assert one.rate("macro-F1") == other.rate("macro-F1")


def test_subjects_in_several_groups_are_not_tested():
    """The difference is stated, with the reason."""
    truth, decided, group, subject = data()
    group[:4] = "m"
    result = audit(truth, decided, group, subjects=[f"s{i}" for i in subject])
    assert {(g.status, g.p, g.q) for g in result.f1_gaps} == {("shared_subjects", None, None)}
    assert all(g.difference is not None for g in result.f1_gaps)
    [index] = [i for i in result.indices if i.index == "fair F1"]
    assert (index.low, index.high) == (None, None)
    table = f1_gaps_table(View(result))
    assert {r[-1] for r in table.rows} == {"not tested: some subjects are in several groups"}


def test_one_group_is_not_compared():
    """Nor a group that lacks a label."""
    truth, decided, group, _ = data(60)
    truth[group == "m", 0] = False
    result = audit(truth, decided, group)
    assert [g.status for g in result.f1_gaps] == ["too_few_groups", "ok"]
    excluded = result.f1_gaps[0].excluded
    assert [(e.group, e.reason) for e in excluded] == [(("m",), "not_estimable")]
    [index] = [i for i in result.indices if i.index == "fair F1"]
    assert (index.status, index.value) == ("too_few_groups", None)
    table = f1_table(View(result), ("g",))
    assert [r[-1] for r in table.rows] == ["", "", "no face with AU1"]
    assert f1_gaps_table(View(result)).rows[0][-1] == "not tested: too few groups"


def test_fair_f1_is_the_mean_over_groups():
    """Its interval is that of a mean of independent estimates."""
    truth, decided, group, _ = data()
    result = audit(truth, decided, group)
    [index] = [i for i in result.indices if i.index == "fair F1"]
    rows = [result.rate("macro-F1", attribute="g", group=g) for g in "fm"]
    by_hand = [f1_score(truth[group == g], decided[group == g], average="macro") for g in "fm"]
    assert index.value == pytest.approx(np.mean(by_hand)) == pytest.approx(np.mean([r.value for r in rows]))
    widths = [r.high - r.low for r in rows]
    assert index.high - index.low == pytest.approx(np.hypot(*widths) / 2, rel=0.05)
    assert (index.chance_median, index.expected_by_chance, index.labels) == (None, None, 3)


def test_the_order_of_samples_changes_nothing():
    """Outcomes are numbered by what they are."""
    truth, decided, group, _ = data(80)
    order = np.random.default_rng(5).permutation(80)
    one, other = audit(truth, decided, group), audit(truth[order], decided[order], group[order])
    assert one.f1_gaps == other.f1_gaps


def test_the_section_shows_every_group_and_label():
    """Tables like those of paper 001: one row per group that the model was tested on."""
    truth, decided, group, _ = data()
    view = View(audit(truth, decided, group))
    table = f1_table(view, ("g",))
    assert table.columns[:6] == ("model", "tested on", "faces", "macro-F1", "weighted macro-F1", "subset accuracy")
    assert [r[1] for r in table.rows] == ["everyone", "f", "m"]
    assert len(f1_labels_table(view, ("g",)).rows) == 6
    assert len(f1_table(view, EVERYONE).rows) == 1
    names = set(F1Section.csv_names)
    assert names <= set(csv_files(view))
    alone = fairfer.audit(truth.astype(float), decided.astype(float), **OPTIONS)
    assert names & set(csv_files(View(alone))) == {"f1.csv", "f1_labels.csv"}
    assert len(F1Section().blocks(View(alone), [])) == 4
    older = view.audit.model_copy(update={"f1_gaps": []})
    assert not F1Section().applies(View(older))


def test_many_groups_are_in_the_csv_files_only():
    """The page would be unreadable."""
    truth, decided, _, _ = data(420)
    result = audit(truth, decided, [f"g{i % 21}" for i in range(420)])
    blocks = F1Section().blocks(View(result), [])
    assert "The many groups of g are in the CSV files only." in [getattr(b, "text", "") for b in blocks]
    assert len(rows_of(csv_files(View(result))["f1.csv"])) == 22


# --- gate -------------------------------------------------------------------------------------------------------------


def rare() -> fairfer.Audit:
    """AU1 in four of 400 faces; every answer is right."""
    truth = np.random.default_rng(0).random((400, 3)) < 0.5
    truth[:, 0] = np.arange(400) < 4
    options = {"labels": LABELS, "permutations": 100}
    return fairfer.audit(truth.astype(float), truth.astype(float), groups={"g": ["f", "m"] * 200}, **options)


def policy(**options) -> Policy:
    rule = {"name": "gap", "rate": "TPR", "max_gap": 0.2, "attribute": "g"} | options.pop("rule", {})
    return Policy.model_validate({"rules": [rule]} | options)


def test_a_label_that_was_not_audited_is_no_pass():
    """It is an obstacle, unless the policy ignores what is too small, and then it is stated."""
    result = rare()
    assert result.labels.rare == {"AU1": 4}
    verdict = judge(policy(), result)
    assert verdict.outcome == "inconclusive"
    assert "AU1 (4)" in verdict.to_json()
    ignored = judge(policy(small_groups="ignore"), result)
    assert ignored.outcome == "pass"
    assert "small_groups: labels that too few faces have: AU1 (4)" in ignored.ignored


def test_a_rule_for_a_label_that_was_not_audited_is_refused():
    """With the number of faces, and what to do."""
    with pytest.raises(fairfer.FairferError, match=r"AU1 was not audited, because only 4 faces have it; audit with a smaller"):
        judge(policy(rule={"label": "AU1"}), rare())


def test_tables_of_an_audit_as_frames():
    """`Audit.frame` has the differences."""
    truth, decided, group, _ = data()
    frame = audit(truth, decided, group).frame("f1_gaps")
    assert isinstance(frame, pd.DataFrame)
    assert frame["measure"].tolist() == ["macro-F1", "weighted macro-F1"]
