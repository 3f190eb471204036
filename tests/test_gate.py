"""The gate: outcomes, error rates, independent oracles, and that nothing passes by accident."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import fairfer
from fairfer.audits.comparison import Change, Comparison, Side
from fairfer.audits.result import Audit
from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import Dataset
from fairfer.errors import FairferError, RunError, UsageError
from fairfer.gate.checks import Target, create_check
from fairfer.gate.judge import decide, judge
from fairfer.gate.measurements import measure_paired_loss
from fairfer.gate.policy import JUDGED_RATES, Policy
from fairfer.labels import LabelSpace
from fairfer.predictions.predictions import Predictions
from fairfer.stats import Estimates
from fairfer.stats.exact import ArcLimits, difference_bounds, paired_bounds
from fairfer.stats.intervals import ratio_limits
from fairfer.vocabulary import UNANNOTATED

LABELS = LabelSpace.of("two", ["happiness", "neutral"])
TODAY = dt.date(2026, 1, 1)


def audited(groups, **options) -> Audit:
    """An audit whose groups have these (hits, trials) of happiness; the other faces are neutral and classified correctly."""
    return _audited(tuple(groups.items()), **options)


@functools.cache
def _audited(groups, *, neutral=30, name="made", subjects=None, **options) -> Audit:
    rows = []
    for group, (hits, trials) in groups:
        rows += [("happiness", "happiness" if i < hits else "neutral", group) for i in range(trials)]
        rows += [("neutral", "neutral", group)] * neutral
    truth, predicted, group = zip(*rows, strict=True)
    index = pd.Index([f"s{i:05d}" for i in range(len(rows))], name="sample_id")
    samples = pd.DataFrame({"label": truth, "g": group}, index=index).astype("str")
    if subjects:
        samples["who"] = [f"p{i % subjects}" for i in range(len(rows))]
        options["subject"] = "who"
    data = Dataset(name, LABELS, samples, (Attribute("g", tuple(g for g, _ in groups), "annotated", "the test"),))
    frame = pd.DataFrame({"status": "ok", "predicted": predicted, "detail": "", "image": ""}, index=index)
    predictions = Predictions("model", "1", LABELS, {}, data.images_digest, frame)
    return fairfer.audit(data, predictions, by=["g"], date="2026-01-01", **{"permutations": 100, "minimum": 20, **options})


def policy(waivers=(), confidence=0.95, keys=(), **rule) -> Policy:
    rule = {"name": "r", "rate": "TPR", "label": ["happiness"], "attribute": ["g"], **rule}
    return Policy.model_validate({"rules": [rule], "waivers": list(waivers), "confidence": confidence, **dict(keys)})


def verdict(groups, *, baseline=None, **rule):
    """The verdict of one rule on groups of (hits, trials)."""
    before = None if baseline is None else audited(baseline)
    return judge(policy(**rule), audited(groups), baseline=before, today=TODAY)


PRESENT, SMALL, NONE, ABSENT = (400, 500), (8, 10), (0, 0), None
IGNORE = {"small_groups": "ignore"}
TABLE = [
    # second group, rule, outcome
    ((400, 500), {"max_gap": 0.1}, "pass"),
    ((300, 500), {"max_gap": 0.1}, "fail"),
    ((350, 500), {"max_gap": 0.1}, "inconclusive"),
    ((400, 500), {"min_ratio": 0.8}, "pass"),
    ((250, 500), {"min_ratio": 0.8}, "fail"),
    ((320, 500), {"min_ratio": 0.8}, "inconclusive"),
    ((400, 500), {"min_worst": 0.7}, "pass"),
    ((300, 500), {"min_worst": 0.7}, "fail"),
    ((350, 500), {"min_worst": 0.7}, "inconclusive"),
    (SMALL, {"max_gap": 0.1}, "inconclusive"),
    (SMALL, {"min_ratio": 0.8}, "inconclusive"),
    (SMALL, {"min_worst": 0.7}, "inconclusive"),
    (SMALL, {"min_worst": 0.7, "keys": IGNORE}, "pass"),
    (SMALL, {"min_worst": 0.7, "require": ["m"]}, "inconclusive"),
    (NONE, {"max_gap": 0.1}, "inconclusive"),
    (NONE, {"min_worst": 0.7}, "inconclusive"),
    (NONE, {"min_worst": 0.7, "keys": IGNORE}, "pass"),
    ((0, 19), {"min_worst": 0.5}, "fail"),
    ((0, 19), {"min_worst": 0.5, "keys": IGNORE}, "pass"),
    ((0, 19), {"max_gap": 0.3}, "fail"),
    (NONE, {"min_worst": 0.7, "require": ["m"]}, "inconclusive"),
    ((400, 500), {"max_gap": 0.1, "require": ["f", "m"]}, "pass"),
    ((400, 500), {"max_gap": 0.1, "minimum": 501}, "inconclusive"),
    (SMALL, {"max_gap": 0.9, "minimum": 5}, "pass"),
]


@pytest.mark.parametrize(("second", "rule", "outcome"), TABLE)
def test_outcomes(second, rule, outcome):
    """Groups that are large, small or empty; values that satisfy or violate the limit, or are close to it."""
    result = verdict({"f": PRESENT, "m": second}, **rule)
    assert result.outcome == outcome
    assert result.exit_code == {"pass": 0, "fail": 1, "inconclusive": 3}[outcome]
    [check] = result.checks
    assert check.reason
    assert {o.group for o in check.excluded} | set(check.groups) == {"f", "m"}


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        ((400, 500), (400, 500), "pass"),
        ((300, 500), (400, 500), "pass"),
        ((400, 500), (300, 500), "fail"),
        ((400, 500), (350, 500), "inconclusive"),
        ((400, 500), SMALL, "pass"),
    ],
)
def test_outcomes_with_a_baseline(before, after, outcome):
    """A group that is better, the same or worse than in the baseline; small groups are listed as excluded."""
    result = (
        verdict({"f": PRESENT, "m": after}, baseline={"f": PRESENT, "m": before}, max_regression=0.1)
        if after != SMALL
        else None
    )
    if result is None:
        both = {"f": PRESENT, "m": SMALL}
        assert verdict(both, baseline=both, max_regression=0.1).outcome == "inconclusive"
        result = verdict(both, baseline=both, max_regression=0.1, keys=IGNORE)
        assert [str(o) for o in result.checks[0].excluded] == ["m (small, 10)"]
    assert result.outcome == outcome
    assert result.paired is False
    assert result.baseline == "model 1"


def test_a_baseline_with_too_few_faces_is_inconclusive():
    """One face before and 500 after show no loss; a grouping that the baseline lacks is an error."""
    groups = {"f": PRESENT, "m": PRESENT}
    audit, before = audited(groups), audited(groups)
    rates = [
        r.model_copy(update={"numerator": 1, "denominator": 1}) if (r.group, r.rate) == (("m",), "TPR") else r
        for r in before.rates
    ]
    result = judge(policy(max_regression=0.9), audit, baseline=before.model_copy(update={"rates": rates}), today=TODAY)
    assert result.outcome == "inconclusive"
    assert "the baseline has fewer than 20 faces in m" in result.checks[0].reason
    lacking = before.model_copy(update={"rates": [r for r in before.rates if r.attribute != ("g",)]})
    with pytest.raises(RunError, match="the baseline has no happiness TPR by g; repeat the baseline run with --by g"):
        judge(policy(max_regression=0.9), audit, baseline=lacking, today=TODAY)


def test_a_required_group_that_is_too_small_is_never_a_pass():
    """Even where every other group satisfies the limit; the reason states the number of faces."""
    result = verdict({"f": PRESENT, "m": PRESENT, "x": SMALL}, max_gap=0.5, require=["x"])
    assert (result.outcome, result.exit_code) == ("inconclusive", 3)
    assert "happiness TPR: required groups have fewer than 20 faces: x has 10" in result.checks[0].reason


def test_unannotated_faces_are_not_judged():
    """They are listed as excluded, and nothing passes unless the policy ignores them."""
    groups = {"f": PRESENT, "m": PRESENT, UNANNOTATED: (0, 500)}
    unjudged = verdict(groups, max_gap=0.1)
    assert unjudged.outcome == "inconclusive"
    assert "530 faces have no g" in unjudged.checks[0].reason
    result = verdict(groups, max_gap=0.1, keys={"unannotated": "ignore"})
    assert result.outcome == "pass"
    assert result.ignored == ["unannotated: 530 faces without g"]
    assert [str(o) for o in result.checks[0].excluded] == ["unannotated (unannotated, 500)"]


def test_inconclusive_exits_with_0_only_when_allowed():
    """The outcome stays inconclusive; a failure is never allowed."""
    audit = audited({"f": PRESENT, "m": (350, 500)})
    result = judge(policy(max_gap=0.1), audit, allow_inconclusive=True, today=TODAY)
    assert (result.outcome, result.exit_code) == ("inconclusive", 0)
    failed = judge(policy(max_gap=0.01), audited({"f": PRESENT, "m": (200, 500)}), allow_inconclusive=True, today=TODAY)
    assert failed.exit_code == 1


def test_a_waiver_applies_to_the_checks_it_names():
    """A waived check keeps its outcome and states the reason; an expired waiver is an error."""
    audit = audited({"f": PRESENT, "m": (200, 500)})
    waiver = {"rule": "r", "reason": "ticket", "expires": dt.date(2026, 6, 1)}
    result = judge(policy([waiver], max_gap=0.1), audit, today=TODAY)
    assert (result.outcome, result.exit_code) == ("pass", 0)
    assert result.checks[0].outcome == "fail"
    assert result.checks[0].waived == "ticket (until 2026-06-01)"
    usual = judge(policy([{**waiver, "label": "happy"}], max_gap=0.1), audit, today=TODAY)
    assert (usual.outcome, usual.exit_code) == ("pass", 0)
    both = policy([{**waiver, "label": "neutral"}], label=["happiness", "neutral"], max_gap=0.1)
    assert judge(both, audit, today=TODAY).outcome == "fail"
    for wrong in ({"label": "neutral"}, {"attribute": "gender"}):
        with pytest.raises(UsageError, match="applies to none of its checks; they are: happiness by g"):
            judge(policy([{**waiver, **wrong}], max_gap=0.1), audit, today=TODAY)
    with pytest.raises(UsageError, match="expired"):
        judge(policy([waiver], max_gap=0.1), audit, today=dt.date(2026, 6, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attribute": ["gender"]}, "rule 'r': the audit does not group by 'gender'"),
        ({"label": ["hapines"]}, "rule 'r': the audit has no label 'hapines'; did you mean 'happiness'"),
        ({"label": ["fear"]}, "rule 'r': the audit has no label 'fear'; available: "),
        ({"require": ["women"]}, "rule 'r': g has no group 'women'"),
        ({"max_gap": None, "max_regression": 0.1}, "max_regression needs a baseline; name its run with --baseline"),
    ],
)
def test_names_that_the_audit_lacks_are_refused(change, message):
    """A rule that checks nothing is an error, not a pass."""
    rule = {"max_gap": 0.1, **change}
    with pytest.raises(UsageError, match=message):
        judge(policy(**{k: v for k, v in rule.items() if v is not None}), audited({"f": PRESENT, "m": PRESENT}), today=TODAY)


def test_a_baseline_with_other_data_is_refused():
    """Other dataset, labels, groups or options: the message names the difference."""
    audit = audited({"f": PRESENT, "m": PRESENT})
    for other, field in (
        (audited({"f": PRESENT, "m": PRESENT}, name="other"), "dataset"),
        (audited({"f": PRESENT, "m": (400, 501)}), "different number of faces by label and group"),
        (audited({"f": PRESENT, "m": PRESENT}, unsupported_labels="keep"), "--unsupported-labels"),
    ):
        with pytest.raises(RunError, match=field):
            judge(policy(max_regression=0.1), audit, baseline=other, today=TODAY)
    with pytest.raises(UsageError, match="max_regression of PPV"):
        judge(policy(rate="PPV", max_regression=0.1), audit, baseline=audit, today=TODAY)


def test_failures_are_adjusted_by_holm():
    """A gap that fails as the only check is inconclusive among twenty, and does not affect the others."""
    hits = {"f": (200, 500), "m": (153, 500)}
    alone = judge(policy(max_gap=0.05), audited(hits), today=TODAY)
    low = alone.checks[0].low
    limit = round(low - 0.001, 4)
    rules = [{"name": f"r{i}", "rate": "TPR", "label": ["happiness"], "attribute": ["g"], "max_gap": 0.9} for i in range(19)]
    rules.append({**rules[0], "name": "tight", "max_gap": limit})
    among = judge(Policy.model_validate({"rules": rules}), audited(hits), today=TODAY)
    assert judge(policy(max_gap=limit), audited(hits), today=TODAY).outcome == "fail"
    tight = next(f for f in among.checks if f.rule == "tight")
    assert tight.outcome == "inconclusive"
    assert {f.outcome for f in among.checks if f.rule != "tight"} == {"pass"}


def test_additional_samples_decide_the_check():
    """With the stated number of faces more, at the same rates, the check is decided; with half as many it is not."""
    groups = {"f": (400, 500), "m": (365, 500)}
    result = verdict(groups, max_gap=0.1).checks[0]
    assert result.outcome == "inconclusive"
    more = {m.group: m.samples for m in result.additional_samples}

    def grown(share):
        return {g: (round(k * (n + share * more[g]) / n), round(n + share * more[g])) for g, (k, n) in groups.items()}

    assert verdict(grown(1.05), max_gap=0.1).outcome != "inconclusive"
    assert verdict(grown(0.5), max_gap=0.1).outcome == "inconclusive"
    at_limit = verdict({"f": (400, 500), "m": (350, 500)}, max_gap=0.1).checks[0]
    assert at_limit.additional_samples is None
    assert "more than 100 times the present one" in at_limit.reason


def test_an_increase_of_an_error_rate_is_a_loss():
    """max_regression of FPR and FNR, and of their complements TNR and TPR."""
    fewer, more = {"f": (480, 500), "m": (480, 500)}, {"f": (300, 500), "m": (300, 500)}
    for rate, label in (("FPR", "neutral"), ("FNR", "happiness"), ("TNR", "neutral"), ("TPR", "happiness")):
        rule = {"rate": rate, "label": [label], "max_regression": 0.1}
        assert verdict(more, baseline=fewer, **rule).outcome == "fail"
        assert verdict(fewer, baseline=more, **rule).outcome == "pass"
        assert verdict(more, baseline=fewer, **rule).checks[0].observed == pytest.approx(0.36)


def test_unpaired_regression_uses_limits_of_a_difference():
    """One-sided limits of each group's loss; for a failure Bonferroni-adjusted over the groups."""
    before, after = {"f": (400, 500), "m": (380, 500)}, {"f": (390, 500), "m": (330, 500)}
    [result] = verdict(after, baseline=before, max_regression=0.2).checks
    one, other = (tuple(zip(*groups.values(), strict=True)) for groups in (before, after))
    assert result.low == pytest.approx(difference_bounds(*one, *other, 0.025)[0].max())
    assert result.high == pytest.approx(difference_bounds(*one, *other, 0.05)[1].max())


def compared(changes, subject="") -> Comparison:
    side = Side(run="r", model="model", version="1", options={}, labels=list(LABELS.labels), predictions_digest="x")
    return Comparison(
        base=side, candidate=side, task="single-label",
        data="made", date="2026-01-01", labels=list(LABELS.labels), by=[("g",)], minimum=20,
        confidence=0.95, subject=subject, samples=1000, missing=[], changes=changes, gaps=[],
    )  # fmt: skip


def changed(group, gained, lost, trials=500, *, rate="TPR", label="happiness", width=0.05) -> Change:
    change = (gained - lost) / trials
    return Change(
        label=label, attribute=("g",), group=(group,), rate=rate, trials=trials, both=trials - gained - lost - 20,
        gained=gained, lost=lost,
        base=0.8, candidate=0.8 + change, change=change, low=change - width, high=change + width, p=0.5, q=0.5, status="ok",
    )  # fmt: skip


def test_paired_comparison_detects_smaller_changes():
    """The same counts are inconclusive unpaired and decided when paired."""
    audit = audited({"f": (400, 500), "m": (385, 500)})
    before = audited({"f": (400, 500), "m": (400, 500)})
    digest = audit.model.predictions_digest
    pairs = compared([changed("f", 2, 2), changed("m", 0, 15)])
    pairs = pairs.model_copy(
        update={
            "candidate": pairs.candidate.model_copy(update={"predictions_digest": digest}),
            "base": pairs.base.model_copy(update={"predictions_digest": before.model.predictions_digest}),
        }
    )
    rule = policy(max_regression=0.05)
    unpaired, paired = (judge(rule, audit, baseline=before, comparison=c, today=TODAY) for c in (None, pairs))
    assert (unpaired.outcome, paired.outcome, paired.paired) == ("inconclusive", "pass", True)
    assert paired.checks[0].high < unpaired.checks[0].high
    by_subject = [c.model_copy(update={"effective_size": 200.0, "largest_share": 0.02}) for c in pairs.changes]
    people = pairs.model_copy(update={"subject": "who", "changes": by_subject})
    assert judge(rule, audit, baseline=before, comparison=people, today=TODAY).checks[0].high > paired.checks[0].high
    mirrored = policy(rate="FNR", max_regression=0.05)
    [complement] = judge(mirrored, audit, baseline=before, comparison=pairs, today=TODAY).checks
    [check] = paired.checks
    assert (complement.observed, complement.low, complement.high) == pytest.approx((0.03, check.low, check.high))
    with pytest.raises(RunError, match="other predictions"):
        judge(rule, audit, baseline=before, comparison=compared([]), today=TODAY)
    with pytest.raises(RunError, match="other predictions"):
        judge(rule, audit, baseline=audit, comparison=pairs, today=TODAY)
    for changes in ([changed("f", 2, 2)], [changed("f", 2, 2), changed("m", 0, 1, trials=19)]):
        lacking = pairs.model_copy(update={"changes": changes})
        result = judge(rule, audit, baseline=before, comparison=lacking, today=TODAY)
        assert result.outcome == "inconclusive"
        assert "fewer than 20 faces in common in m" in result.checks[0].reason


def test_images_of_the_same_subject_widen_the_bounds():
    """The same rates from seven subjects and from independent faces."""
    groups = {"f": (400, 500), "m": (390, 500)}
    strangers = judge(policy(max_gap=0.1), audited(groups), today=TODAY).checks[0]
    people = judge(policy(max_gap=0.1), audited(groups, subjects=70), today=TODAY).checks[0]
    assert strangers.outcome == "pass"
    assert people.high > strangers.high


@pytest.mark.parametrize("rule", [{"max_gap": 0.01}, {"max_gap": 0.99}, {"min_ratio": 0.01}, {"min_worst": 0.01}])
def test_few_subjects_are_inconclusive(rule):
    """With one subject in seven faces no bound keeps its error; neither a pass nor a failure is claimed."""
    groups = {"f": (500, 500), "m": (100, 500)}
    result = judge(policy(**rule), audited(groups, subjects=7), today=TODAY)
    assert (result.outcome, result.exit_code) == ("inconclusive", 3)
    [check] = result.checks
    assert "f (500, few subjects)" in check.reason
    assert (check.low, check.high, check.additional_samples) == (None, None, None)
    assert judge(policy(**rule), audited(groups, subjects=70), today=TODAY).outcome != "inconclusive"


def test_audits_and_comparisons_that_state_no_precision_are_inconclusive():
    """Those written before the shares of subjects were stored."""
    audit = audited({"f": (400, 500), "m": (390, 500)}, subjects=70)
    rates = [r.model_copy(update={"largest_share": None}) for r in audit.rates]
    [check] = judge(policy(max_gap=0.5), audit.model_copy(update={"rates": rates}), today=TODAY).checks
    assert check.outcome == "inconclusive"
    assert "run fairfer audit again" in check.reason
    rule = policy(max_regression=0.5).rules[0]
    [change] = [changed("f", 2, 2)]
    assert "run fairfer compare again" in measure_paired_loss(rule, [change], by_subject=True).reason
    known = change.model_copy(update={"effective_size": 100.0, "largest_share": 0.02})
    assert not measure_paired_loss(rule, [known], by_subject=True).reason
    few = known.model_copy(update={"largest_share": 0.2})
    assert "one subject has 20%" in measure_paired_loss(rule, [few], by_subject=True).reason


@pytest.mark.parametrize("kind", ["max_gap", "min_ratio", "min_worst", "max_regression"])
@pytest.mark.parametrize(
    ("rates", "n"),
    [
        ((0.8, 0.7), 200),
        pytest.param((0.6, 0.45), 400, marks=pytest.mark.slow),
        pytest.param((0.9, 0.85, 0.8), 300, marks=pytest.mark.slow),
    ],
)
def test_a_true_value_at_the_limit_is_rarely_decided(kind, rates, n):
    """Pass and fail each in at most 5 % of audits, within Monte Carlo error."""
    generator = np.random.default_rng(5)
    limit = {
        "max_gap": max(rates) - min(rates),
        "min_ratio": min(rates) / max(rates),
        "min_worst": min(rates),
        "max_regression": 0.1,
    }[kind]
    audit = audited({f"g{i}": (round(r * n), n) for i, r in enumerate(rates)})
    target = Target(policy(**{kind: round(limit, 9)}).rules[0], "happiness", ("g",))
    rows = [r for r in audit.rates if (r.rate, r.label) == ("TPR", "happiness") and r.attribute == ("g",)]

    def sample(values):
        hits = generator.binomial(n, values)
        drawn = [r.model_copy(update={"numerator": int(k), "value": k / n}) for r, k in zip(rows, hits, strict=True)]
        return audit.model_construct(**{**dict(audit), "rates": drawn})

    repetitions, counts = 400, {"pass": 0, "fail": 0, "inconclusive": 0}
    for _ in range(repetitions):
        baseline = sample([min(r + 0.1, 1) for r in rates]) if kind == "max_regression" else None
        [decision] = decide([create_check(target, sample(rates), baseline)], 0.05)
        counts[decision.outcome] += 1
    tolerance = 3 * math.sqrt(0.05 * 0.95 / repetitions)
    assert counts["pass"] / repetitions <= 0.05 + tolerance
    assert counts["fail"] / repetitions <= 0.05 + tolerance
    assert counts["inconclusive"] / repetitions > 0.85


def test_ratio_limits_cover_the_true_ratio():
    """Coverage of each limit by simulation; no upper limit where the denominator may be 0."""
    generator = np.random.default_rng(6)
    n, p, q = 150, 0.6, 0.75
    one, other = (Estimates.of_counts(generator.binomial(n, r, 4000), np.full(4000, n)) for r in (p, q))
    low, high = ratio_limits(one, other, 0.05)
    assert (low > p / q).mean() <= 0.055
    assert (high < p / q).mean() <= 0.055
    assert (high < p / q).mean() > 0.02
    nobody = ratio_limits(Estimates.of_counts([5], [20]), Estimates.of_counts([0], [20]), 0.05)
    assert np.isinf(nobody[1][0])
    assert 0 <= nobody[0][0] < 10
    swapped = ratio_limits(other, one, 0.05)
    assert np.allclose(swapped[0], 1 / high)


def test_worst_group_bounds_are_the_smallest_exact_limits():
    """Against scipy's Clopper–Pearson interval, per group."""
    groups = {"f": (400, 500), "m": (60, 80), "x": (25, 30)}
    [result] = verdict(groups, min_worst=0.7).checks

    def limits(tail):
        return [stats.binomtest(k, n).proportion_ci(confidence_level=1 - 2 * tail, method="exact") for k, n in groups.values()]

    assert result.low == pytest.approx(min(x.low for x in limits(0.05)), rel=1e-5)
    assert result.high == pytest.approx(min(x.high for x in limits(0.05 / 3)), rel=1e-5)
    assert result.worst == "m"


def test_an_edited_audit_is_refused(tmp_path):
    """A number, the checksum or the schema version edited by hand."""
    audit = audited({"f": PRESENT, "m": (200, 500)})
    audit.write(tmp_path / "audit.json")
    text = (tmp_path / "audit.json").read_text(encoding="utf-8")
    assert Audit.read(tmp_path).rates == audit.rates
    value = json.loads(text)
    spot = next(i for i, r in enumerate(value["rates"]) if r["rate"] == "TPR" and r["group"] == ["m"])
    value["rates"][spot]["numerator"] += 100
    for changed_text, message in (
        (json.dumps(value), "was edited"),
        (text.replace('"checksum": "', '"checksum": "0'), "was edited"),
        (text.replace('"schema_version": 3', '"schema_version": 1'), "schema version 1"),
        (text[: len(text) // 2], "is not JSON"),
        (text.replace('"checksum": ', '"chekcsum": '), "chekcsum"),
    ):
        (tmp_path / "audit.json").write_text(changed_text, encoding="utf-8")
        with pytest.raises(FairferError, match=message):
            Audit.read(tmp_path)


def test_a_model_that_lost_a_label_does_not_pass(toy):
    """The faces of the lost label are missing from all rates, so a regression cannot be excluded."""
    truth = ["anger"] * 60 + ["fear"] * 60
    groups = {"g": ["f", "m"] * 60}
    from fairfer.testing import FakeModel

    labels = LabelSpace.of("two", ["anger", "fear"])
    data = toy(truth, groups, labels=labels)
    complete = FakeModel(labels, name="complete")

    class Limited(FakeModel):
        def predict(self, images):
            return [fairfer.Prediction("ok", np.array([1.0])) for _ in images]

    limited = Limited(LabelSpace.of("one", ["anger"]), name="limited")
    audits = [fairfer.audit(data, fairfer.predict(data, m), by=["g"], permutations=100) for m in (complete, limited)]
    assert audits[1].labels.audited == ["anger"]
    for rule, outcome in (
        ({"rate": "TPR", "label": ["*"]}, "fail"),
        ({"rate": "accuracy", "label": ["*"]}, "fail"),
        ({"rate": "FPR", "label": ["anger"]}, "fail"),
        ({"rate": "FPR", "label": ["fear"]}, "inconclusive"),
        ({"rate": "TPR", "label": ["anger"]}, "inconclusive"),
    ):
        result = judge(policy(**rule, max_regression=0.1), audits[1], baseline=audits[0], today=TODAY)
        assert result.outcome == outcome, rule
        back = judge(policy(**rule, max_regression=0.9), audits[0], baseline=audits[1], today=TODAY)
        assert back.outcome == "pass"
    checks = judge(policy(label=["*"], max_regression=0.1), audits[1], baseline=audits[0], today=TODAY).checks
    assert [(c.label, c.outcome) for c in checks] == [("anger", "inconclusive"), ("fear", "fail")]
    assert checks[1].observed == 1


def test_a_label_that_is_never_predicted_for_a_group_has_no_ppv_and_does_not_pass():
    """The precision is undefined because of the model, not because the group is small."""
    result = verdict({"f": PRESENT, "m": (0, 500)}, rate="PPV", min_worst=0.5)
    assert result.outcome == "inconclusive"
    assert "the model predicts happiness too rarely for m" in result.checks[0].reason


def test_tables_of_the_same_samples_are_the_same_data():
    """The digest of a table covers its predictions; the label counts show that the samples are the same."""
    one, other = audited({"f": PRESENT, "m": PRESENT}), audited({"f": PRESENT, "m": (399, 500)})
    changed_digest = other.model_copy(update={"data": other.data.model_copy(update={"digest": "0" * 64})})
    assert judge(policy(max_regression=0.1), changed_digest, baseline=one, today=TODAY).outcome == "pass"


@pytest.mark.parametrize("n", [20, 75, 191, 383])
@pytest.mark.parametrize("loss", [0.01, 0.02, 0.05, 0.1, 0.3])
def test_a_paired_loss_at_the_limit_rarely_passes(n, loss):
    """Exact enumeration where no sample is gained; without continuity correction up to 10.7 % pass."""
    lost = np.arange(n + 1)
    low, high = paired_bounds(lost, np.zeros(n + 1), np.full(n + 1, n), 0.05)
    probability = stats.binom.pmf(lost, n, loss)
    assert probability[high <= loss + 1e-12].sum() <= 0.05
    assert probability[low > loss].sum() <= 0.05


def test_every_judged_rate_works_with_every_limit():
    """Each rate that a single-label audit has, with each kind of limit that the policy accepts."""
    audit = audited({"f": (400, 500), "m": (380, 500)})
    for rate, kind in itertools.product(
        (r for r in JUDGED_RATES if r != "subset accuracy"), ("max_gap", "min_ratio", "min_worst")
    ):
        if kind == "min_worst" and rate in ("FPR", "FNR"):
            continue
        label = ["*"] if rate in ("accuracy", "coverage") else ["happiness"]
        result = judge(policy(rate=rate, label=label, **{kind: 0.5}), audit, today=TODAY)
        assert result.outcome in ("pass", "fail", "inconclusive")
        assert result.checks[0].low <= result.checks[0].observed + 1e-9
        high = result.checks[0].high
        assert high is None or result.checks[0].observed <= high + 1e-9


def test_a_ratio_of_zero_rates_has_no_upper_bound():
    """The denominator may be 0, so the check is inconclusive."""
    result = verdict({"f": (0, 30), "m": (0, 30)}, min_ratio=0.5).checks[0]
    assert result.outcome == "inconclusive"
    assert result.high is None
    assert "confidence bounds 0.000 and not estimable" in result.reason


def test_common_spellings_of_labels_are_accepted():
    """``happy`` means happiness."""
    result = verdict({"f": PRESENT, "m": PRESENT}, label=["happy"], max_gap=0.1).checks[0]
    assert (result.label, result.outcome) == ("happiness", "pass")


def test_multi_label_audits_have_subset_accuracy():
    """It is judged as accuracy is; a rate that the audit lacks is an error that lists those it has."""
    audit = audited({"f": (400, 500), "m": (350, 500)})
    # One-hot columns: a face is right in every label exactly where its one label is right.
    faces = [("f", i < 400) for i in range(500)] + [("m", i < 350) for i in range(500)]
    truth = pd.DataFrame({"happiness": 1, "neutral": 0}, index=range(1060))
    truth.loc[1000:] = [0, 1]
    decisions = truth.copy()
    decisions.loc[[i for i, (_, right) in enumerate(faces) if not right]] = [0, 1]
    groups = [g for g, _ in faces] + ["f"] * 30 + ["m"] * 30
    multi_label = fairfer.audit(truth, decisions, groups={"g": groups}, permutations=100)
    [check] = judge(policy(rate="accuracy", label=["*"], max_gap=0.2), audit, today=TODAY).checks
    [result] = judge(policy(rate="subset accuracy", label=["*"], max_gap=0.2), multi_label, today=TODAY).checks
    assert (result.outcome, result.low, result.high) == (check.outcome, check.low, check.high)
    assert result.reason == check.reason.replace("accuracy", "subset accuracy")
    present = "TPR, FPR, TNR, FNR, PPV, selection rate, subset accuracy, coverage"
    with pytest.raises(UsageError, match=f"rule 'r': the audit has no accuracy; a rule can limit its {present}"):
        judge(policy(rate="accuracy", label=["*"], max_gap=0.2), multi_label, today=TODAY)
    with pytest.raises(UsageError, match=r"the audit has no subset accuracy; a rule can limit its .*, accuracy, coverage"):
        judge(policy(rate="subset accuracy", label=["*"], max_gap=0.2), audit, today=TODAY)


def test_reasons_state_the_bound_that_decides():
    """Upper bound for a limit from above that is satisfied, lower bound where it is violated; the reverse for minimums."""
    reasons = {
        (kind, limit): verdict({"f": (400, 500), "m": (350, 500)}, **{kind: limit}).checks[0]
        for kind, limit in (("max_gap", 0.3), ("max_gap", 0.01), ("min_worst", 0.5), ("min_worst", 0.9))
    }
    for (kind, limit), bound, side in zip(
        reasons, ("high", "low", "low", "high"), ("upper", "lower", "lower", "upper"), strict=True
    ):
        check = reasons[kind, limit]
        assert f"95 % {side} confidence bound {getattr(check, bound):.3f}" in check.reason
        assert ("Holm-adjusted" in check.reason) == (check.outcome == "fail")
    assert reasons["max_gap", 0.3].reason.startswith("happiness TPR gap between m and f is 0.100 (95 % upper")


@pytest.mark.parametrize(("rate", "label", "change"), [("TPR", "happiness", "decreased"), ("FPR", "neutral", "increased")])
def test_reasons_state_that_no_group_lost(rate, label, change):
    """A rate of which less is better does not increase; the others do not decrease."""
    groups = {"f": PRESENT, "m": PRESENT}
    [check] = verdict(groups, baseline=groups, rate=rate, label=[label], max_regression=0.1).checks
    assert check.reason.startswith(f"{label} {rate} {change} in no group (95 % upper confidence bound")


def test_ratio_bounds_are_the_smallest_of_all_pairs():
    """For a pass with the full error per pair, for a failure Bonferroni-adjusted over the ordered pairs."""
    groups = {"f": (400, 500), "m": (350, 500), "x": (60, 100)}
    [check] = verdict(groups, min_ratio=0.7).checks
    one, other = (np.array(x) for x in zip(*itertools.permutations(range(3), 2), strict=True))
    counts = tuple(zip(*groups.values(), strict=True))
    assert check.low == pytest.approx(ArcLimits.of_counts(*counts, 0.05).ratio(one, other)[0].min())
    assert check.high == pytest.approx(ArcLimits.of_counts(*counts, 0.05 / 6).ratio(one, other)[1].min())


def test_the_worst_group_has_the_highest_error_rate():
    """FPR of neutral is the share of happy faces misclassified as neutral; the worst TPR is the lowest."""
    groups = {"f": (450, 500), "m": (300, 500)}
    for rate, label in (("FPR", "neutral"), ("FNR", "happiness"), ("TPR", "happiness"), ("TNR", "neutral")):
        [check] = verdict(groups, rate=rate, label=[label], max_gap=0.1).checks
        assert (check.worst, check.best) == ("m", "f")


def test_a_level_may_contain_a_comma():
    """It is one level of a single attribute."""
    [check] = verdict({"a,b": PRESENT, "m": PRESENT}, max_gap=0.1, require=["a,b"]).checks
    assert check.groups == ["a,b", "m"]
