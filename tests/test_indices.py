"""Confusion gaps, summary indices, impact ratios and the analyses that a plan asks for, on the audit of a table."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import fairfer
from fairfer.audits.result import Audit
from fairfer.errors import UsageError
from fairfer.report.sections import SECTIONS, csv_files
from fairfer.report.text.confusion_gaps import confusion_detail, confusion_sentence, no_confusion, significant_confusions
from fairfer.report.view import View

LABELS = ["anger", "disgust", "happiness"]
N = 1800


def frame_of(seed=0, *, planted=True):
    """Black women's angry faces are predicted as disgust more often than all others'."""
    generator = np.random.default_rng(seed)
    subject = generator.integers(0, 300, N)
    frame = pd.DataFrame(
        {
            "truth": generator.choice(LABELS, N),
            "gender": np.array(["female", "male"])[subject % 2],
            "race": np.array(["black", "white", "asian"])[subject % 3],
            "light": generator.choice(["dim", "lit"], N),
            "subject": subject.astype(str),
        }
    )
    right = generator.random(N) < 0.75
    other = generator.choice(LABELS, N)
    frame["predicted"] = np.where(right, frame["truth"], other)
    chosen = (frame["truth"] == "anger") & (frame["gender"] == "female") & (frame["race"] == "black")
    if planted:
        frame.loc[chosen & (generator.random(N) < 0.6), "predicted"] = "disgust"
    return frame


def audited(frame, *, scores=None, subjects=False, **options) -> Audit:
    return fairfer.audit(
        frame["truth"],
        frame["predicted"] if scores is None else None,
        groups=frame[["gender", "race", "light"]],
        subjects=frame["subject"] if subjects else None,
        scores=scores,
        **{"by": ["gender", "race", "gender,race"], "permutations": 300, **options},
    )


@pytest.fixture(scope="module")
def frame():
    return frame_of()


@pytest.fixture(scope="module")
def plain(frame) -> Audit:
    """With scores that agree with the predictions."""
    generator = np.random.default_rng(1)
    scores = generator.uniform(0, 0.5, (N, 3))
    scores[np.arange(N), [LABELS.index(p) for p in frame["predicted"]]] = generator.uniform(0.5, 1, N)
    return audited(frame, scores=pd.DataFrame(scores, columns=LABELS), pool=True, interaction=True, minimum=30)


@pytest.fixture(scope="module")
def by_subject(frame) -> Audit:
    return audited(frame, subjects=True, standardize=["light"], gee=True, interaction=True)


# Confusion gaps


def test_every_confusion_of_every_grouping_has_a_row(plain):
    assert len(plain.confusion_gaps) == 3 * 6
    assert all(g.truth != g.predicted for g in plain.confusion_gaps)


def test_rates_of_a_confusion_gap_are_those_of_the_rows(plain, frame):
    gap = next(g for g in plain.confusion_gaps if (g.attribute, g.truth, g.predicted) == (("race",), "anger", "disgust"))
    of_truth = frame[frame["truth"] == "anger"]
    rates = (of_truth["predicted"] == "disgust").groupby(of_truth["race"]).mean()
    assert (gap.worst, gap.best) == ((rates.idxmax(),), (rates.idxmin(),))
    assert (gap.worst_rate, gap.best_rate) == pytest.approx((rates.max(), rates.min()))
    assert gap.difference == pytest.approx(rates.max() - rates.min())
    rest = of_truth[of_truth["race"] != gap.group[0]]
    assert gap.rest_rate == pytest.approx((rest["predicted"] == "disgust").mean())
    assert gap.ratio_to_rest == pytest.approx(rates[gap.group[0]] / gap.rest_rate)


def test_p_of_two_groups_is_fishers_by_difference(plain, frame):
    """Two groups: all tables with the same totals, ordered by the difference of the rates."""
    gap = next(g for g in plain.confusion_gaps if (g.attribute, g.truth, g.predicted) == (("gender",), "happiness", "anger"))
    part = frame[frame["truth"] == "happiness"]
    table = pd.crosstab(part["gender"], part["predicted"] == "anger")
    trials, hits = table.sum(axis=1).to_numpy(), table[True].to_numpy()
    law = stats.hypergeom(trials.sum(), hits.sum(), trials[0])
    x = np.arange(hits.sum() + 1)
    apart = np.abs(x / trials[0] - (hits.sum() - x) / trials[1])
    observed = abs(hits[0] / trials[0] - hits[1] / trials[1])
    assert gap.p == pytest.approx(law.pmf(x[apart >= observed - 1e-12]).sum())


def test_the_planted_confusion_is_the_finding(plain):
    view = View(plain)
    first = significant_confusions(view)[0]
    assert (first.attribute, first.group, first.truth, first.predicted) == (
        ("gender", "race"),
        ("female", "black"),
        "anger",
        "disgust",
    )
    assert first.ratio_to_rest > 2
    assert 1 < first.low < first.ratio_to_rest < first.high
    sentence = confusion_sentence(view, first)
    assert sentence.startswith("Black women's angry faces are misclassified as disgust ")
    assert sentence.endswith("times as often as those of all other groups")
    assert "95 % interval of the ratio" in confusion_detail(view, first)
    repeated = [(g.truth, g.predicted) for g in significant_confusions(view)]
    assert len(repeated) == len(set(repeated))


def test_only_selected_gaps_have_limits(plain):
    for gap in plain.confusion_gaps:
        assert (gap.low is not None) == (gap.q is not None and gap.q < 0.05)


def test_a_random_attribute_gives_one_line():
    audit = audited(frame_of(3, planted=False), by=["light"])
    assert not [g for g in audit.confusion_gaps if g.q is not None and g.q < 0.05]
    assert no_confusion(View(audit)) == "None of 6 tested confusions differs significantly between groups."


def test_rare_confusions_are_no_member_of_the_family(frame):
    """A confusion that occurs once cannot be significant, whatever the group."""
    few = frame.assign(predicted=frame["truth"])
    few.loc[few.index[few["truth"] == "anger"][0], "predicted"] = "disgust"
    audit = audited(few, by=["gender"])
    assert {g.status for g in audit.confusion_gaps} == {"cannot_reject"}
    assert all(g.q is None for g in audit.confusion_gaps)
    assert no_confusion(View(audit)).startswith("No confusion could be tested")


def test_small_groups_are_left_out_of_confusions(frame):
    audit = audited(frame, by=["race"], minimum=600)
    assert {g.status for g in audit.confusion_gaps} == {"too_few_groups"}
    assert {e.reason for g in audit.confusion_gaps for e in g.excluded} == {"small"}


def test_subjects_are_permuted(by_subject, plain):
    """The planted group is found with subjects too, and the same rates are compared."""
    gap, same = (
        next(g for g in a.confusion_gaps if (g.attribute, g.truth, g.predicted) == (("gender", "race"), "anger", "disgust"))
        for a in (by_subject, plain)
    )
    assert gap.group == ("female", "black")
    assert gap.q < 0.05
    assert gap.group_rate == same.group_rate
    assert gap.low is not None


# Summary indices


def test_indices_agree_with_their_formulas_on_the_audit(plain):
    """From the published rates of the audit."""
    rows = {(i.label, i.attribute, i.index, i.rate): i for i in plain.indices}

    def rates(name):
        return [plain.rate(name, label="anger", attribute="race", group=g).value for g in plain.groups("race")]

    fpr, fnr, tpr, selected = map(rates, ("FPR", "FNR", "TPR", "selection rate"))

    def gini(x):
        n = len(x)
        return sum(abs(a - b) for a in x for b in x) / (2 * n * (n - 1) * sum(x) / n)

    key = ("anger", ("race",))
    expected = {
        ("MERG", "FNR"): max(fnr) / math.prod(fnr) ** (1 / 3),
        ("SER", "FPR"): max(fpr) / min(fpr),
        ("MERA", "FPR"): max(fpr) / np.mean(fpr),
        ("Gini", "FNR"): gini(fnr),
        ("GARBE", "FPR, FNR"): (gini(fpr) + gini(fnr)) / 2,
        ("Fairness Discrepancy Rate", "FPR, FNR"): 1 - (np.ptp(fpr) + np.ptp(fnr)) / 2,
        ("inequity rate", "FPR, FNR"): math.sqrt(max(fpr) / min(fpr) * max(fnr) / min(fnr)),
        ("equalized-odds difference", "TPR, FPR"): max(np.ptp(tpr), np.ptp(fpr)),
        ("impact ratio", "selection rate"): min(selected) / max(selected),
    }
    for (index, rate), value in expected.items():
        row = rows[(*key, index, rate)]
        assert row.value == pytest.approx(value), index
        assert row.low <= row.value <= (row.high or math.inf), index
        assert row.status == "ok"


def test_over_labels_the_equalized_odds_difference_has_a_mean_and_a_maximum(plain):
    for attribute in (("gender",), ("race",)):
        of = [i for i in plain.indices if i.attribute == attribute]
        each = [i.value for i in of if i.index == "equalized-odds difference"]
        mean, largest = (next(i for i in of if i.index == f"{n} equalized-odds difference") for n in ("mean", "largest"))
        assert (mean.value, largest.value) == pytest.approx((np.mean(each), max(each)))
        assert (mean.label, mean.labels) == ("*", 3)
        assert largest.low <= largest.value <= largest.high


def test_what_chance_gives_is_on_the_side_of_inequality(plain):
    for row in plain.indices:
        if row.expected_by_chance is not None and row.chance_median is not None:
            lower = row.index in ("Fairness Discrepancy Rate", "impact ratio")
            assert (row.expected_by_chance <= row.chance_median) == lower or row.expected_by_chance == row.chance_median


def test_a_rate_of_zero_is_not_a_number_and_not_fair(frame):
    perfect = frame.assign(predicted=np.where(frame["gender"] == "male", frame["truth"], frame["predicted"]))
    audit = audited(perfect, by=["gender"])
    rows = {(i.index, i.rate): i for i in audit.indices if i.label == "anger"}
    assert rows["SER", "FNR"].status == "zero_rate"
    assert rows["SER", "FNR"].value is None
    assert rows["SER", "FNR"].low > 1
    assert rows["SER", "FNR"].high is None
    assert rows["inequity rate", "FPR, FNR"].status == "zero_rate"
    trials = audit.rate("FNR", label="anger", attribute="gender", group="male").denominator
    worst = audit.rate("FNR", label="anger", attribute="gender", group="female").value
    assert rows["MERG", "FNR"].value == pytest.approx(worst / math.sqrt(worst * (1 - 0.05 ** (1 / trials))))
    assert rows["Gini", "FNR"].value == 1


def test_too_few_groups_have_no_index(frame):
    audit = audited(frame, by=["race"], minimum=5000)
    assert {i.status for i in audit.indices} == {"too_few_groups"}
    assert all(i.value is None and i.expected_by_chance is None for i in audit.indices)


def test_subjects_widen_the_intervals(frame):
    """Every face four times over as one subject's: the value stays, the interval is no narrower than that of the faces."""
    repeated = pd.concat([frame] * 4, ignore_index=True)
    repeated["subject"] = [str(i % N) for i in range(4 * N)]
    one, other = audited(frame, by=["gender"]), audited(repeated, by=["gender"], subjects=True)
    for a, b in zip(one.indices, other.indices, strict=True):
        assert a.value == pytest.approx(b.value)
        if a.index == "Gini":
            assert b.high >= a.high - 0.05


# Impact ratios


def test_selection_rates_and_impact_ratios_are_those_of_the_rows(plain, frame):
    rate = (frame["predicted"] == "anger").groupby(frame["race"]).mean()
    rows = [r for r in plain.impact_ratios if (r.label, r.attribute, r.rate) == ("anger", ("race",), "selection rate")]
    assert {r.group[0]: r.value for r in rows} == pytest.approx(dict(rate))
    assert {r.group[0]: r.impact_ratio for r in rows} == pytest.approx(dict(rate / rate.max()))
    assert sum(r.share for r in rows) == pytest.approx(1)
    assert all(r.ratio_low <= r.impact_ratio <= r.ratio_high <= 1 for r in rows)


def test_scoring_rates_are_shares_above_the_median_of_everyone():
    generator = np.random.default_rng(4)
    n = 999
    scores = pd.DataFrame({"happiness": generator.random(n)})
    scores["anger"] = 1 - scores["happiness"]
    group = generator.choice(["a", "b", "c"], n, p=[0.6, 0.39, 0.01])
    truth = np.where(generator.random(n) < 0.5, "happiness", "anger")
    audit = fairfer.audit(truth, groups={"g": group}, scores=scores, minimum=5, permutations=200)
    above = pd.Series(scores["happiness"] > scores["happiness"].median()).groupby(group).mean()
    rows = {r.group[0]: r for r in audit.impact_ratios if (r.label, r.rate) == ("happiness", "scoring rate")}
    for name, row in rows.items():
        assert row.value == pytest.approx(above[name], abs=0.01)
        assert row.low <= above[name] <= row.high
        assert row.below_2_percent == (name == "c")
        assert row.median_bin is not None
    index = next(i for i in audit.indices if (i.label, i.rate) == ("happiness", "scoring rate"))
    assert index.value == pytest.approx(min(r.value for r in rows.values()) / max(r.value for r in rows.values()))


def test_unannotated_groups_are_counted_and_have_no_ratio(frame):
    missing = frame.assign(gender=frame["gender"].mask(np.arange(N) % 7 == 0))
    audit = audited(missing, by=["gender"])
    rows = [r for r in audit.impact_ratios if r.status == "unannotated"]
    assert rows
    assert all(r.impact_ratio is None and r.share is None and r.samples > 0 for r in rows)
    html = "".join(str(b) for s in SECTIONS if s.key == "indices" for b in s.blocks(View(audit), ()))
    assert "Faces whose group is unknown" in html


# Options


def test_pooled_rates_lie_between_their_own_and_the_common_one(plain):
    rows = [r for r in plain.pooled if r.status == "ok"]
    assert {r.attribute for r in rows} == {("gender", "race")}
    assert {(r.label, r.rate) for r in rows} >= {("anger", "TPR"), ("anger", "FPR"), ("*", "accuracy")}
    for row in rows:
        assert row.pooled_low < row.pooled < row.pooled_high
        assert 0 < row.own_weight < 1
    spread = [np.ptp([getattr(r, n) for r in rows if (r.label, r.rate) == ("disgust", "TPR")]) for n in ("value", "pooled")]
    assert spread[1] < spread[0]


def test_the_planted_interaction_is_found(plain):
    row = next(r for r in plain.interactions if (r.label, r.rate) == ("anger", "TPR"))
    assert row.q < 0.05
    assert "black" in row.group
    assert (row.status, row.degrees_of_freedom) == ("ok", 2)


def test_interaction_is_not_available_with_subjects(by_subject):
    assert {r.status for r in by_subject.interactions} == {"subjects"}
    assert all(r.p is None for r in by_subject.interactions)
    blocks = next(s for s in SECTIONS if s.key == "interactions").blocks(View(by_subject), ())
    assert any("not available when several images show one subject" in str(b) for b in blocks)


def test_the_model_agrees_with_standardization(by_subject):
    """Covariates that do not matter: both give about the same difference, with the same groups."""
    rows = [r for r in by_subject.gee if r.status == "ok" and r.attribute == ("gender",)]
    assert {(r.label, r.rate) for r in rows} == {("*", "accuracy"), *((label, "TPR") for label in LABELS)}
    for row in rows:
        assert row.difference == pytest.approx(row.standardized, abs=0.02)
        assert row.low <= row.difference <= row.high
        assert row.subjects <= 300
        assert {g.group for g in row.groups} == {("female",), ("male",)}


def test_every_result_has_its_csv_file_and_section(plain, by_subject):
    files = csv_files(View(plain)) | csv_files(View(by_subject))
    expected = {"confusion_gaps.csv": 18, "indices.csv": len(by_subject.indices), "pooled_rates.csv": len(plain.pooled)}
    for name, rows in expected.items():
        assert len(files[name].splitlines()) == rows + 1
    assert {"impact_ratios.csv", "interactions.csv", "gee.csv", "gee_rates.csv"} <= set(files)
    for audit in (plain, by_subject):
        for section in SECTIONS:
            if section.applies(View(audit)):
                assert section.blocks(View(audit), ())


def test_results_survive_the_file(plain, by_subject, tmp_path):
    for audit in (plain, by_subject):
        audit.write(tmp_path / "audit.json")
        assert Audit.read(tmp_path / "audit.json") == audit


@pytest.mark.slow
def test_the_same_seed_gives_the_same_results(frame, by_subject):
    again = audited(frame, subjects=True, standardize=["light"], gee=True, interaction=True)
    assert again == by_subject.model_copy(update={"date": again.date})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": True, "by": ["gender"]}, "--pool: no grouping crosses"),
        ({"interaction": True, "by": ["gender,race,light"]}, "--interaction: no grouping crosses two"),
        ({"gee": True}, "add --subject COLUMN"),
        ({"gee": True, "subjects": True}, "add --standardize COLUMN"),
    ],
)
def test_an_analysis_that_could_have_no_result_is_refused(frame, options, message):
    with pytest.raises(UsageError, match=message):
        audited(frame, **options)


def test_a_missing_statsmodels_is_one_sentence(frame, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "statsmodels" else find(name, *a))
    with pytest.raises(UsageError, match=r"pip install 'fairfer\[regression\]'"):
        audited(frame, subjects=True, standardize=["light"], gee=True)


def test_multi_label_data_have_indices_but_no_confusions():
    generator = np.random.default_rng(6)
    truth = pd.DataFrame(generator.integers(0, 2, (400, 2)), columns=["AU1", "AU2"])
    flipped = generator.random((400, 2)) < 0.2
    audit = fairfer.audit(
        truth,
        (truth.astype(bool) ^ flipped).astype(int),
        groups={
            name: generator.choice(levels, 400)
            for name, levels in (("g", ["a", "b"]), ("h", ["c", "d"]), ("light", ["e", "f"]))
        },
        by=["g", "g,h"],
        subjects=[str(i // 4) for i in range(400)],
        standardize=["light"],
        gee=True,
        pool=True,
        permutations=200,
    )
    assert audit.confusion_gaps == []
    assert {i.label for i in audit.indices} == {"*", "AU1", "AU2"}
    assert {r.rate for r in audit.gee} == {"TPR"}
    assert {r.rate for r in audit.pooled} == {"TPR", "FPR", "subset accuracy"}
