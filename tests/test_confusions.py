"""Confusions per group, and rates at any threshold, against the rows they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

import fairfer
from fairfer.errors import UsageError
from fairfer.vocabulary import NO_ANSWER

LABELS = ["anger", "fear", "happiness"]


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(3)
    n = 300
    table = pd.DataFrame(
        {
            "truth": generator.choice(LABELS, n),
            "predicted": generator.choice([*LABELS, "sadness", None], n),
            "gender": generator.choice(["f", "m"], n),
            "subject": generator.integers(0, 40, n),
        }
    )
    return table.astype({"predicted": "object"})


@pytest.fixture(scope="module")
def audit(rows):
    return fairfer.audit(rows["truth"], rows["predicted"], groups=rows[["gender"]], minimum=60)


def test_every_confusion_is_a_share_of_the_rows(rows, audit):
    """Counts, rates and Wilson intervals of every group, with answers that are not audited and missing ones."""
    frame = audit.frame("confusions")
    assert set(frame["predicted"]) == {*LABELS, "sadness", NO_ANSWER}
    for row in audit.confusions:
        mine = rows["truth"] == row.truth
        if row.group:
            mine &= rows["gender"] == row.group[0]
        answered = rows["predicted"].fillna(NO_ANSWER)
        count, support = int((mine & (answered == row.predicted)).sum()), int(mine.sum())
        assert (row.count, row.support) == (count, support)
        assert row.rate == pytest.approx(count / support)
        assert (row.low, row.high) == pytest.approx(proportion_confint(count, support, method="wilson"), abs=1e-9)
        assert row.status == ("ok" if support >= 60 else "small")


def test_rates_of_one_truth_sum_to_one(audit):
    sums = audit.frame("confusions").groupby(["attribute", "group", "truth"])["rate"].sum()
    assert np.allclose(sums, 1)


def test_the_diagonal_is_the_tpr(audit):
    for row in audit.confusions:
        if row.truth == row.predicted:
            rate = audit.rate("TPR", label=row.truth, attribute=row.attribute, group=row.group)
            assert (row.count, row.support) == (rate.numerator, rate.denominator)


def test_a_group_without_the_label_has_no_rate():
    audit = fairfer.audit(["anger", "fear"], ["anger", "fear"], groups={"gender": ["f", "m"]})
    row = next(c for c in audit.confusions if c.group == ("f",) and c.truth == "fear")
    assert (row.rate, row.low, row.status, row.support) == (None, None, "not_estimable", 0)


def test_subjects_widen_the_intervals(rows):
    """Identical samples of one subject carry the information of one."""
    repeated = pd.concat([rows] * 4)
    groups = repeated[["gender"]]
    alone = fairfer.audit(rows["truth"], rows["predicted"], groups=rows[["gender"]])
    clustered = fairfer.audit(
        repeated["truth"], repeated["predicted"], groups=groups, subjects=np.tile(np.arange(len(rows)), 4)
    )
    for one, four in zip(alone.confusions, clustered.confusions, strict=True):
        assert four.rate == pytest.approx(one.rate)
        if 0 < one.rate < 1:
            assert four.high - four.low >= 0.95 * (one.high - one.low)


def test_multi_label_audits_have_no_confusions():
    audit = fairfer.audit(np.eye(3), np.eye(3), labels=LABELS)
    assert audit.confusions == []


@pytest.mark.slow
@settings(max_examples=8)
@given(threshold=st.one_of(st.integers(0, 1000).map(lambda k: k / 1000), st.floats(0, 1)))
def test_rates_at_any_threshold_are_those_of_the_rows(threshold):
    """Exact at multiples of 0.001, and within the stated error elsewhere."""
    generator = np.random.default_rng(0)
    truth = generator.choice(["anger", "fear"], 500)
    score = np.clip((truth == "fear") * 0.3 + generator.random(500) * 0.7, 0, 1).astype(np.float32)
    gender = generator.choice(["f", "m"], 500)
    audit = fairfer.audit(truth, scores=np.stack([1 - score, score], axis=1), labels=["anger", "fear"], groups={"g": gender})
    frame = audit.at_threshold("fear", threshold)
    assert set(frame["group"]) == {"*", "f", "m"}
    for row in frame.itertuples():
        mine = (gender == row.group) if row.group != "*" else np.full(500, fill_value=True)
        mine &= (truth == "fear") == (row.rate == "TPR")
        exact = (score[mine].astype(float) >= threshold).mean()
        assert abs(row.value - exact) <= row.error + 1e-12
        if round(threshold * 1000) / 1000 == threshold:
            assert row.error == 0


def test_thresholds_need_scores(audit):
    with pytest.raises(UsageError, match="no scores of 'fear'"):
        audit.at_threshold("fear", 0.5)
    logits = np.random.default_rng(0).normal(size=(50, 2)) * 5
    other = fairfer.audit(["anger", "fear"] * 25, scores=logits, labels=["anger", "fear"])
    assert other.score_scale == "unbounded"
    with pytest.raises(UsageError, match="not probabilities"):
        other.at_threshold("fear", 0.5)


@pytest.mark.slow
def test_the_limits_of_a_significant_ratio_exclude_1():
    """Rare confusions of ten groups: limits that were not those of the test included 1 (0.67 to 9.3 at q = 0.035)."""
    found = 0
    for seed in range(3):
        generator = np.random.default_rng(seed)
        group = generator.choice(10, 1500)
        truth = generator.choice(3, 1500)
        wrong = generator.random(1500) < np.where(group == 7, 0.3, 0.12)
        answer = np.where(wrong, (truth + generator.choice([1, 2], 1500, p=[0.8, 0.2])) % 3, truth)
        words = np.array(LABELS)
        audit = fairfer.audit(words[truth], words[answer], groups=pd.DataFrame({"g": group.astype(str)}), permutations=200)
        for row in audit.confusion_gaps:
            assert (row.low is not None) == (row.q is not None and row.q < 0.05)
            if row.low is not None:
                found += 1
                assert row.low > 1 or row.high < 1
                assert row.low <= row.ratio_to_rest
    assert found > 2
