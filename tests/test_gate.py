"""The gate: its truth table, its error rates, its oracles, and that nothing passes by accident."""

from __future__ import annotations

import datetime as dt
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
from fairfer.gate.judge import judge
from fairfer.gate.policy import Policy
from fairfer.labels import LabelSpace
from fairfer.predictions.predictions import Predictions
from fairfer.stats import Estimates, newcombe
from fairfer.stats.ratios import ratio_limits
from fairfer.vocabulary import UNANNOTATED
from fairfer.vocabulary import UNANNOTATED as UNANNOTATED_IN_RECORDS

LABELS = LabelSpace.of("two", ["happiness", "neutral"])
TODAY = dt.date(2026, 1, 1)


def audited(groups, *, neutral=30, levels=None, name="made", people=None, **settings) -> Audit:
    """An audit whose groups have this many hits of this many happy faces, and some neutral ones all read rightly."""
    rows = []
    for group, (hits, trials) in groups.items():
        rows += [("happiness", "happiness" if i < hits else "neutral", group) for i in range(trials)]
        rows += [("neutral", "neutral", group)] * neutral
    truth, said, group = zip(*rows, strict=True)
    index = pd.Index([f"s{i:05d}" for i in range(len(rows))], name="sample_id")
    samples = pd.DataFrame({"label": truth, "g": group}, index=index).astype("str")
    if people:
        samples["who"] = [f"p{i % people}" for i in range(len(rows))]
        settings["subject"] = "who"
    levels = tuple(levels or groups)
    data = Dataset(name, LABELS, samples, (Attribute("g", levels, "annotated", "the test"),))
    frame = pd.DataFrame({"status": "ok", "predicted": said, "detail": "", "image": ""}, index=index)
    predictions = Predictions("model", "1", LABELS, {}, data.images_digest, frame)
    return fairfer.audit(data, predictions, ["g"], date="2026-01-01", **{"permutations": 100, "minimum": 20, **settings})


def policy(waivers=(), confidence=0.95, **rule) -> Policy:
    wanted = {"name": "r", "rate": "TPR", "label": ["happiness"], "attribute": ["g"], **rule}
    return Policy.model_validate({"rules": [wanted], "waivers": list(waivers), "confidence": confidence})


def verdict(groups, *, baseline=None, **rule):
    """Of one rule on groups of (hits, trials)."""
    before = None if baseline is None else audited(baseline)
    return judge(policy(**rule), audited(groups), baseline=before, today=TODAY)


PRESENT, SMALL, NONE, ABSENT = (400, 500), (8, 10), (0, 0), None
TABLE = [
    # second group, its truth against the limit, rule, outcome
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
    (SMALL, {"min_worst": 0.7}, "pass"),
    (SMALL, {"min_worst": 0.7, "require": ["m"]}, "inconclusive"),
    (NONE, {"max_gap": 0.1}, "inconclusive"),
    (NONE, {"min_worst": 0.7}, "pass"),
    (NONE, {"min_worst": 0.7, "require": ["m"]}, "inconclusive"),
    ((400, 500), {"max_gap": 0.1, "require": ["f", "m"]}, "pass"),
    ((400, 500), {"max_gap": 0.1, "minimum": 501}, "inconclusive"),
    (SMALL, {"max_gap": 0.9, "minimum": 5}, "pass"),
]


@pytest.mark.parametrize(("second", "rule", "outcome"), TABLE)
def test_the_truth_table(second, rule, outcome):
    """Estimable, too small or without a face; within, beyond or near the limit: surely one of three outcomes."""
    found = verdict({"f": PRESENT, "m": second}, **rule)
    assert found.outcome == outcome
    assert found.exit_code == {"pass": 0, "fail": 1, "inconclusive": 3}[outcome]
    [finding] = found.findings
    assert finding.why
    assert {o.group for o in finding.excluded} | set(finding.groups) == {"f", "m"}


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
def test_the_truth_table_against_a_baseline(before, after, outcome):
    """Better, the same or worse than the baseline, for somebody; who has too few faces is left out by name."""
    found = (
        verdict({"f": PRESENT, "m": after}, baseline={"f": PRESENT, "m": before}, max_regression=0.1)
        if after != SMALL
        else None
    )
    if found is None:
        both = {"f": PRESENT, "m": SMALL}
        found = verdict(both, baseline=both, max_regression=0.1)
        assert [str(o) for o in found.findings[0].excluded] == ["m (small, 10)"]
    assert found.outcome == outcome
    assert found.paired is False
    assert found.baseline == "model 1"


def test_a_baseline_with_too_few_faces_is_no_baseline():
    """One face before and five hundred after say nothing of a loss; a grouping that it lacks is named."""
    groups = {"f": PRESENT, "m": PRESENT}
    audit, before = audited(groups), audited(groups)
    rates = [
        r.model_copy(update={"numerator": 1, "denominator": 1}) if (r.group, r.rate) == ("m", "TPR") else r
        for r in before.rates
    ]
    found = judge(policy(max_regression=0.9), audit, baseline=before.model_copy(update={"rates": rates}), today=TODAY)
    assert found.outcome == "inconclusive"
    assert "the baseline has fewer than 20 faces behind it in m" in found.findings[0].why
    lacking = before.model_copy(update={"rates": [r for r in before.rates if r.attribute != "g"]})
    with pytest.raises(RunError, match="the baseline has no TPR of 'happiness' by g; make it again, with --by g"):
        judge(policy(max_regression=0.9), audit, baseline=lacking, today=TODAY)


def test_a_required_group_that_is_too_small_is_never_a_pass():
    """With every other group far within the limit; the finding says how many faces there are."""
    found = verdict({"f": PRESENT, "m": PRESENT, "x": SMALL}, max_gap=0.5, require=["x"])
    assert (found.outcome, found.exit_code) == ("inconclusive", 3)
    assert "required groups have fewer than 20 faces behind happiness TPR: x has 10" in found.findings[0].why


def test_people_who_are_not_annotated_are_no_group():
    """Their rate could be anything: they take no part, and cannot be all there is."""
    found = verdict({"f": PRESENT, "m": PRESENT, UNANNOTATED: (0, 500)}, max_gap=0.1)
    assert found.outcome == "pass"
    assert [str(o) for o in found.findings[0].excluded] == ["unannotated (unannotated, 500)"]
    assert UNANNOTATED_IN_RECORDS == UNANNOTATED


def test_inconclusive_passes_only_when_asked():
    """Exit 0 with the outcome still told; a failure is never allowed."""
    audit = audited({"f": PRESENT, "m": (350, 500)})
    found = judge(policy(max_gap=0.1), audit, allow_inconclusive=True, today=TODAY)
    assert (found.outcome, found.exit_code) == ("inconclusive", 0)
    failed = judge(policy(max_gap=0.01), audited({"f": PRESENT, "m": (200, 500)}), allow_inconclusive=True, today=TODAY)
    assert failed.exit_code == 1


def test_a_waiver_covers_what_it_names_and_the_finding_stands():
    """Fail stays fail, its reason beside it; without a waiver, or after its day, it stops."""
    audit = audited({"f": PRESENT, "m": (200, 500)})
    waiver = {"rule": "r", "reason": "ticket", "expires": dt.date(2026, 6, 1)}
    found = judge(policy([waiver], max_gap=0.1), audit, today=TODAY)
    assert (found.outcome, found.exit_code) == ("pass", 0)
    assert found.findings[0].outcome == "fail"
    assert found.findings[0].waived == "ticket (until 2026-06-01)"
    usual = judge(policy([{**waiver, "label": "happy"}], max_gap=0.1), audit, today=TODAY)
    assert (usual.outcome, usual.exit_code) == ("pass", 0)
    both = policy([{**waiver, "label": "neutral"}], label=["happiness", "neutral"], max_gap=0.1)
    assert judge(both, audit, today=TODAY).outcome == "fail"
    for wrong in ({"label": "neutral"}, {"attribute": "gender"}):
        with pytest.raises(UsageError, match="covers no check of it; its checks are: happiness by g"):
            judge(policy([{**waiver, **wrong}], max_gap=0.1), audit, today=TODAY)
    with pytest.raises(UsageError, match="expired"):
        judge(policy([waiver], max_gap=0.1), audit, today=dt.date(2026, 6, 2))


@pytest.mark.parametrize(
    ("change", "model_labels"),
    [
        ({"attribute": ["gender"]}, "rule 'r': the audit does not group by 'gender'"),
        ({"label": ["hapines"]}, "rule 'r': the audit has no label 'hapines'; did you mean 'happiness'"),
        ({"label": ["fear"]}, "rule 'r': the audit has no label 'fear'; there are: "),
        ({"require": ["women"]}, "rule 'r': g has no group 'women'"),
        ({"max_gap": None, "max_regression": 0.1}, "needs the run to compare with; give it with --baseline"),
    ],
)
def test_what_the_audit_does_not_have_is_refused(change, model_labels):
    """Exit 2, by name: a rule that judges nothing must not pass."""
    rule = {"max_gap": 0.1, **change}
    with pytest.raises(UsageError, match=model_labels):
        judge(policy(**{k: v for k, v in rule.items() if v is not None}), audited({"f": PRESENT, "m": PRESENT}), today=TODAY)


def test_a_baseline_of_other_data_is_refused():
    """Another data set, other truth or groups, other labels: the field is named."""
    audit = audited({"f": PRESENT, "m": PRESENT})
    for other, field in (
        (audited({"f": PRESENT, "m": PRESENT}, name="other"), "data set"),
        (audited({"f": PRESENT, "m": (400, 501)}), "number of faces by label and group differs"),
        (audited({"f": PRESENT, "m": PRESENT}, unsupported_labels="keep"), "--unsupported-labels"),
    ):
        with pytest.raises(RunError, match=field):
            judge(policy(max_regression=0.1), audit, baseline=other, today=TODAY)
    with pytest.raises(UsageError, match="max_regression of PPV"):
        judge(policy(rate="PPV", max_regression=0.1), audit, baseline=audit, today=TODAY)


def test_holm_shares_the_error_over_the_checks():
    """A gap that one rule alone would fail passes unfailed among twenty; and one that is clear drags no other down."""
    hits = {"f": (200, 500), "m": (153, 500)}
    alone = judge(policy(max_gap=0.05), audited(hits), today=TODAY)
    low = alone.findings[0].low
    limit = round(low - 0.001, 4)
    rules = [{"name": f"r{i}", "rate": "TPR", "label": ["happiness"], "attribute": ["g"], "max_gap": 0.9} for i in range(19)]
    rules.append({**rules[0], "name": "tight", "max_gap": limit})
    among = judge(Policy.model_validate({"rules": rules}), audited(hits), today=TODAY)
    assert judge(policy(max_gap=limit), audited(hits), today=TODAY).outcome == "fail"
    tight = next(f for f in among.findings if f.rule == "tight")
    assert tight.outcome == "inconclusive"
    assert {f.outcome for f in among.findings if f.rule != "tight"} == {"pass"}


def test_what_settles_it_does():
    """With so many more faces of the same rates the gate decides; with half as many it does not."""
    groups = {"f": (400, 500), "m": (365, 500)}
    found = verdict(groups, max_gap=0.1).findings[0]
    assert found.outcome == "inconclusive"
    more = {m.group: m.images for m in found.additional_samples}

    def grown(share):
        return {g: (round(k * (n + share * more[g]) / n), round(n + share * more[g])) for g, (k, n) in groups.items()}

    assert verdict(grown(1.05), max_gap=0.1).outcome != "inconclusive"
    assert verdict(grown(0.5), max_gap=0.1).outcome == "inconclusive"
    at_limit = verdict({"f": (400, 500), "m": (350, 500)}, max_gap=0.1).findings[0]
    assert at_limit.additional_samples is None
    assert "even 100 times the faces" in at_limit.why


def test_a_rate_of_errors_gets_worse_by_growing():
    """max_regression of the FPR: more false alarms are a loss, fewer are none; FNR and TNR are the mirror images."""
    fewer, more = {"f": (480, 500), "m": (480, 500)}, {"f": (300, 500), "m": (300, 500)}
    for rate, label in (("FPR", "neutral"), ("FNR", "happiness"), ("TNR", "neutral"), ("TPR", "happiness")):
        rule = {"rate": rate, "label": [label], "max_regression": 0.1}
        assert verdict(more, baseline=fewer, **rule).outcome == "fail"
        assert verdict(fewer, baseline=more, **rule).outcome == "pass"
        assert verdict(more, baseline=fewer, **rule).findings[0].observed == pytest.approx(0.36)


def test_regression_unpaired_is_newcombe():
    """Two groups: one-sided limits of each group's change, the error of a failure shared between them."""
    before, after = {"f": (400, 500), "m": (380, 500)}, {"f": (390, 500), "m": (330, 500)}
    [found] = verdict(after, baseline=before, max_regression=0.2).findings
    from fairfer.stats import difference_limits

    losses = [
        [
            -float(difference_limits(Estimates.of_counts(*after[g]), Estimates.of_counts(*before[g]), t, continuity=True)[i])
            for g in "fm"
        ]
        for t, i in ((0.025, 1), (0.05, 0))
    ]
    assert found.low == pytest.approx(max(losses[0]))
    assert found.high == pytest.approx(max(losses[1]))
    plain = newcombe(330, 500, 380, 500, confidence=0.9)
    assert found.high >= -float(plain[0])


def compared(changes, subject="") -> Comparison:
    side = Side(run="r", model="model", version="1", options={}, labels=list(LABELS.labels), predictions_digest="x")
    return Comparison(
        base=side, candidate=side, data="made", date="2026-01-01", labels=list(LABELS.labels), by=[["g"]], minimum=20,
        confidence=0.95, subject=subject, samples=1000, missing=[], changes=changes, gaps=[],
    )  # fmt: skip


def changed(group, gained, lost, trials=500, *, rate="TPR", label="happiness", width=0.05) -> Change:
    change = (gained - lost) / trials
    return Change(
        label=label, attribute="g", group=group, rate=rate, trials=trials, both=trials - gained - lost - 20,
        gained=gained, lost=lost,
        base=0.8, candidate=0.8 + change, change=change, low=change - width, high=change + width, p=0.5, q=0.5, status="ok",
    )  # fmt: skip


def test_face_by_face_sees_smaller_losses():
    """The same counts, paired: what is inconclusive for different faces is decided for the same ones."""
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
    assert paired.findings[0].high < unpaired.findings[0].high
    people = pairs.model_copy(update={"subject": "who"})
    assert judge(rule, audit, baseline=before, comparison=people, today=TODAY).findings[0].high > paired.findings[0].high
    mirrored = policy(rate="FNR", max_regression=0.05)
    assert judge(mirrored, audit, baseline=before, comparison=pairs, today=TODAY).findings[0].observed == pytest.approx(0.03)
    with pytest.raises(RunError, match="other predictions"):
        judge(rule, audit, baseline=before, comparison=compared([]), today=TODAY)
    with pytest.raises(RunError, match="other predictions"):
        judge(rule, audit, baseline=audit, comparison=pairs, today=TODAY)
    for changes in ([changed("f", 2, 2)], [changed("f", 2, 2), changed("m", 0, 1, trials=19)]):
        lacking = pairs.model_copy(update={"changes": changes})
        found = judge(rule, audit, baseline=before, comparison=lacking, today=TODAY)
        assert found.outcome == "inconclusive"
        assert "fewer than 20 faces behind it in common in m" in found.findings[0].why


def test_several_pictures_of_one_person_are_less_sure():
    """Ten people: what a thousand strangers settle they do not."""
    groups = {"f": (400, 500), "m": (390, 500)}
    strangers = judge(policy(max_gap=0.1), audited(groups), today=TODAY).findings[0]
    people = judge(policy(max_gap=0.1), audited(groups, people=7), today=TODAY).findings[0]
    assert strangers.outcome == "pass"
    assert people.high > strangers.high


@pytest.mark.parametrize("kind", ["max_gap", "min_ratio", "min_worst", "max_regression"])
@pytest.mark.parametrize(("rates", "n"), [((0.8, 0.7), 200), ((0.6, 0.45), 400), ((0.9, 0.85, 0.8), 300)])
def test_a_truth_exactly_at_the_limit_is_seldom_judged(kind, rates, n):
    """Pass and fail each in at most 5 % of audits, within Monte-Carlo error: bounds, in the gate's own arithmetic."""
    from fairfer.gate.checks import check
    from fairfer.gate.judge import _decide  # the arithmetic without ten thousand audits

    generator = np.random.default_rng(5)
    limit = {
        "max_gap": max(rates) - min(rates),
        "min_ratio": min(rates) / max(rates),
        "min_worst": min(rates),
        "max_regression": 0.1,
    }[kind]
    audit = audited({f"g{i}": (round(r * n), n) for i, r in enumerate(rates)})
    rule = policy(**{kind: round(limit, 9)}).rules[0]
    times, counts = 400, {"pass": 0, "fail": 0, "inconclusive": 0}
    spots = [i for i, r in enumerate(audit.rates) if (r.rate, r.label, r.attribute) == ("TPR", "happiness", "g")]

    def drawn(values):
        rows = list(audit.rates)
        for spot, k in zip(spots, generator.binomial(n, values), strict=True):
            rows[spot] = rows[spot].model_copy(update={"numerator": int(k), "value": k / n})
        return audit.model_construct(**{**dict(audit), "rates": rows})

    for _ in range(times):
        now = drawn(rates)
        before = drawn([min(r + 0.1, 1) for r in rates]) if kind == "max_regression" else None
        [finding] = _decide([check(rule, "happiness", "g", now, before, None)], 0.05)
        counts[finding.outcome] += 1
    slack = 3 * math.sqrt(0.05 * 0.95 / times)
    assert counts["pass"] / times <= 0.05 + slack
    assert counts["fail"] / times <= 0.05 + slack
    assert counts["inconclusive"] / times > 0.85


def test_ratio_limits_hold_the_ratio():
    """Coverage by simulation, each side by itself; and where the other rate may be 0 there is no upper limit."""
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


def test_worst_is_the_smallest_score_limit():
    """Against scipy's Wilson interval with continuity correction, group by group."""
    groups = {"f": (400, 500), "m": (60, 80), "x": (25, 30)}
    [found] = verdict(groups, min_worst=0.7).findings

    def limits(tail):
        return [
            stats.binomtest(k, n).proportion_ci(confidence_level=1 - 2 * tail, method="wilsoncc") for k, n in groups.values()
        ]

    assert found.low == pytest.approx(min(x.low for x in limits(0.05)))
    assert found.high == pytest.approx(min(x.high for x in limits(0.05 / 3)))
    assert found.worst == "m"


def test_an_audit_that_was_edited_is_not_judged(tmp_path):
    """A number, a group or the schema version changed by hand: refused, not believed."""
    audit = audited({"f": PRESENT, "m": (200, 500)})
    audit.write(tmp_path / "audit.json")
    text = (tmp_path / "audit.json").read_text(encoding="utf-8")
    assert Audit.read(tmp_path).rates == audit.rates
    value = json.loads(text)
    spot = next(i for i, r in enumerate(value["rates"]) if r["rate"] == "TPR" and r["group"] == "m")
    value["rates"][spot]["numerator"] += 100
    for changed_text, model_labels in (
        (json.dumps(value), "was edited"),
        (text.replace('"seal": "', '"seal": "0'), "was edited"),
        (text.replace('"schema_version": 2', '"schema_version": 1'), "schema version 1"),
        (text[: len(text) // 2], "is no JSON"),
        (text.replace('"seal": ', '"sael": '), "sael"),
    ):
        (tmp_path / "audit.json").write_text(changed_text, encoding="utf-8")
        with pytest.raises(FairferError, match=model_labels):
            Audit.read(tmp_path)


def test_a_model_that_lost_a_label_does_not_pass(toy):
    """Dropped from the audit, its faces would be gone from every rate; what cannot be shown to be kept is inconclusive."""
    truth = ["anger"] * 60 + ["fear"] * 60
    groups = {"g": ["f", "m"] * 60}
    from fairfer.testing import FakeModel

    labels = LabelSpace.of("two", ["anger", "fear"])
    data = toy(truth, groups, labels=labels)
    able = FakeModel(labels, name="able")

    class Unable(FakeModel):
        def predict(self, images):
            return [fairfer.Prediction("ok", np.array([1.0])) for _ in images]

    unable = Unable(LabelSpace.of("one", ["anger"]), name="unable")
    audits = [fairfer.audit(data, fairfer.predict(data, m), ["g"], permutations=100) for m in (able, unable)]
    assert audits[1].labels.audited == ["anger"]
    for rule in ({"rate": "TPR", "label": ["*"]}, {"rate": "accuracy", "label": ["*"]}, {"rate": "FPR", "label": ["anger"]}):
        found = judge(policy(**rule, max_regression=0.9), audits[1], baseline=audits[0], today=TODAY)
        assert found.outcome == "inconclusive"
        back = judge(policy(**rule, max_regression=0.9), audits[0], baseline=audits[1], today=TODAY)
        assert back.outcome == "inconclusive"
    whys = [f.why for f in judge(policy(label=["*"], max_regression=0.9), audits[1], baseline=audits[0], today=TODAY).findings]
    assert any("may have lost it" in w for w in whys)


def test_a_group_of_which_a_label_is_never_said_has_no_ppv_and_does_not_pass():
    """Its precision does not exist because of what the model does, not for want of faces."""
    found = verdict({"f": PRESENT, "m": (0, 500)}, rate="PPV", min_worst=0.5)
    assert found.outcome == "inconclusive"
    assert "the model says happiness too seldom of m" in found.findings[0].why


def test_tables_of_the_same_rows_have_one_truth():
    """A digest of a table covers its answers; what the audits counted says whether the faces are the same."""
    one, other = audited({"f": PRESENT, "m": PRESENT}), audited({"f": PRESENT, "m": (399, 500)})
    changed_digest = other.model_copy(update={"data": other.data.model_copy(update={"digest": "0" * 64})})
    assert judge(policy(max_regression=0.1), changed_digest, baseline=one, today=TODAY).outcome == "pass"


@pytest.mark.parametrize("n", [20, 75, 191, 383])
@pytest.mark.parametrize("loss", [0.01, 0.02, 0.05, 0.1, 0.3])
def test_a_loss_exactly_at_the_limit_seldom_passes_face_by_face(n, loss):
    """All outcomes enumerated, nobody gained: without correction it passed in up to 10.7 %."""
    from fairfer.stats import paired_limits

    lost = np.arange(n + 1)
    high = -paired_limits(np.zeros(n + 1), lost, np.full(n + 1, n), 0.05, continuity=True)[0]
    low = -paired_limits(np.zeros(n + 1), lost, np.full(n + 1, n), 0.05)[1]
    expected_by_chance = stats.binom.pmf(lost, n, loss)
    assert expected_by_chance[high <= loss + 1e-12].sum() <= 0.05
    assert expected_by_chance[low > loss].sum() <= 0.05


def test_every_proportion_can_be_judged():
    """Each rate that a policy may name is one that audits have; each kind of limit works on it or is refused."""
    audit = audited({"f": (400, 500), "m": (380, 500)})
    for rate, kind in itertools.product(
        ("TPR", "FPR", "TNR", "FNR", "PPV", "selection rate", "accuracy", "coverage"), ("max_gap", "min_ratio", "min_worst")
    ):
        if kind == "min_worst" and rate in ("FPR", "FNR"):
            continue
        label = ["*"] if rate in ("accuracy", "coverage") else ["happiness"]
        found = judge(policy(rate=rate, label=label, **{kind: 0.5}), audit, today=TODAY)
        assert found.outcome in ("pass", "fail", "inconclusive")
        assert found.findings[0].low <= found.findings[0].observed + 1e-9
        high = found.findings[0].high
        assert high is None or found.findings[0].observed <= high + 1e-9


def test_a_ratio_to_nothing_has_no_upper_bound():
    """Both groups may be at 0: no bound, no number made up, and no verdict."""
    found = verdict({"f": (0, 30), "m": (0, 30)}, min_ratio=0.5).findings[0]
    assert found.outcome == "inconclusive"
    assert found.high is None
    assert "any size" in found.why


def test_an_emotion_may_be_spelled_as_usual():
    """``happy`` is happiness, as everywhere else in fairfer."""
    found = verdict({"f": PRESENT, "m": PRESENT}, label=["happy"], max_gap=0.1).findings[0]
    assert (found.label, found.outcome) == ("happiness", "pass")
