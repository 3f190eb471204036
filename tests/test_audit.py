"""The audit as a whole: labels, groups, gaps, and reproducibility."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

import fairfer
from fairfer.audits.audit import audit_predictions, rebuild, today
from fairfer.audits.plan import MAX_CROSSED_GROUPS, AuditPlan, check_plan, parse_groupings
from fairfer.datasets.attributes import Attribute
from fairfer.errors import DataError, LabelError, RunError, UsageError
from fairfer.labels import DEEPFACE, FER2013, FERPLUS, LabelSpace
from fairfer.predictions.inference import predict
from fairfer.testing import FakeModel
from fairfer.vocabulary import EVERYONE, NO_ANSWER, UNANNOTATED, group_name

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

QUICK = {"minimum": 1, "permutations": 100}
THREE = LabelSpace("three", ("neutral", "happiness", "contempt"))
TWO = LabelSpace("two", ("neutral", "happiness"))
ANGER = LabelSpace("anger and fear", ("anger", "fear"))
PAIR = ("gender", "race")


def audited(dataset, model=None, **options) -> Audit:
    """Predict and audit in memory."""
    return fairfer.audit(dataset, predict(dataset, model or FakeModel(dataset.labels)), **{**QUICK, **options})


@pytest.fixture(scope="module")
def crossed(toy_factory):
    """120 samples, three emotions, two attributes, and a model that is better for one group."""
    generator = np.random.default_rng(0)
    truth = generator.choice(THREE.labels, 120)
    gender = generator.choice(["f", "m"], 120)
    race = generator.choice(["x", "y", "z"], 120)
    correct = generator.random(120) < np.where(gender == "f", 0.9, 0.5)
    predicted = [THREE.labels.index(t) if ok else 2 for t, ok in zip(truth, correct, strict=True)]
    groups = {"gender": [str(g) for g in gender], "race": [str(r) for r in race]}
    return toy_factory([str(t) for t in truth], groups, said=predicted, labels=THREE)


@pytest.fixture(scope="module")
def crossed_audit(crossed) -> Audit:
    """Its audit by both attributes and their intersection."""
    return audited(crossed, by=["race", "gender,race", "gender"], minimum=3)


# --- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "excluded", "accuracy", "fp_anger", "contempt_tpr"),
    [("drop", 2, 1, 0, None), ("keep", 0, 0.5, 1, 0), ("merge=contempt:disgust", 0, 0.75, 1, None)],
)
def test_samples_with_unsupported_labels_are_dropped_kept_or_merged(toy, policy, excluded, accuracy, fp_anger, contempt_tpr):
    """Dropped samples are excluded and reported, kept ones are false negatives, merged ones have the other label."""
    predicted = [DEEPFACE.labels.index(n) for n in ("disgust", "anger", "anger", "disgust")]
    dataset = toy(["contempt", "contempt", "anger", "disgust"], {"g": ["a", "b", "a", "b"]}, said=predicted)
    audit = audited(dataset, FakeModel(DEEPFACE), unsupported_labels=policy)
    assert audit.labels.unsupported_labels == ["contempt"]
    assert audit.labels.excluded == excluded
    assert audit.size() == 4 - excluded
    assert audit.rate("accuracy").value == accuracy
    assert audit.rate("FPR", label="anger").numerator == fp_anger
    if contempt_tpr is None:
        assert "contempt" not in audit.labels.audited
    else:
        assert audit.rate("TPR", label="contempt").value == contempt_tpr


def test_a_prediction_outside_the_audited_labels_is_wrong_and_no_false_positive(toy):
    """A model that predicts contempt for samples of FER2013 misses their label; no audited label gains a false positive."""
    audit = audited(toy(["anger", "fear"], labels=FER2013, said=[7, 4]), FakeModel(FERPLUS))
    assert audit.labels.extra == ["contempt"]
    assert audit.rate("accuracy").value == 0
    assert audit.rate("coverage").value == 1
    assert audit.rate("TPR", label="anger").value == 0
    assert sum(r.numerator for r in audit.rates if r.rate == "FPR" and r.attribute == EVERYONE) == 1


def test_the_order_of_labels_does_not_matter(toy):
    """Labels are matched by name."""
    labels = LabelSpace("reversed", FERPLUS.labels[::-1])
    dataset = toy(["anger", "fear"], said=[labels.labels.index("anger"), labels.labels.index("fear")])
    assert audited(dataset, FakeModel(labels)).rate("accuracy").value == 1


def test_an_audit_without_samples_is_refused(toy):
    """All samples have an unsupported label."""
    dataset = toy(["contempt"] * 2, said=[0, 0])
    with pytest.raises(DataError, match="toy: no sample is left after excluding labels that are not among the output classes"):
        audited(dataset, FakeModel(DEEPFACE))


# --- groups ----------------------------------------------------------------------------------------------------------


def test_by_default_every_attribute_is_audited_alone(crossed):
    """Intersections are audited only on request."""
    assert check_plan(AuditPlan(), crossed, THREE).groupings == (("gender",), ("race",))
    assert check_plan(AuditPlan(by=["race"]), crossed, THREE).groupings == (("race",),)
    assert audited(crossed).groupings == [("gender",), ("race",)]


def test_without_attributes_only_everyone_is_audited(toy):
    """Such an audit has rates and no gaps."""
    audit = audited(toy(["anger", "fear"], said=[0, 0], labels=ANGER))
    assert audit.groupings == []
    assert audit.gaps == []
    assert audit.dataset_bias is None
    assert audit.rate("accuracy").value == 0.5
    assert audited(toy(["anger"], labels=ANGER)).rate("accuracy").value == 1


def test_an_intersection_has_every_combination_including_empty_ones(toy):
    """A combination without samples is listed as empty, and excluded from gaps for that reason."""
    audit = audited(toy(["anger"] * 3, {"g": ["f", "m", "f"], "r": ["x", "x", "y"]}, labels=ANGER), by=["g,r"])
    assert audit.groups("g,r") == list(itertools.product("fm", "xy"))
    empty = audit.rate("accuracy", attribute="g,r", group=("m", "y"))
    assert (empty.status, empty.value, empty.denominator) == ("empty", None, 0)
    [gap] = [g for g in audit.gaps if g.rate == "accuracy"]
    assert gap.groups == [("f", "x"), ("f", "y"), ("m", "x")]
    assert [(e.group, e.reason, e.denominator) for e in gap.excluded] == [(("m", "y"), "empty", 0)]


def test_rates_of_groups_add_up_to_those_of_everyone(crossed_audit):
    """Numerators and denominators sum to those of everyone, for every grouping, rate and label."""
    for rate, label, grouping in itertools.product(
        ("TPR", "FPR", "selection rate"), crossed_audit.labels.audited, crossed_audit.groupings
    ):
        everyone = crossed_audit.rate(rate, label=label)
        parts = [r for r in crossed_audit.rates if (r.rate, r.label, r.attribute) == (rate, label, grouping)]
        assert sum(r.numerator for r in parts) == everyone.numerator
        assert sum(r.denominator for r in parts) == everyone.denominator


@pytest.mark.parametrize(
    ("by", "groupings"),
    [
        ("gender", (("gender",),)),
        (["gender", "gender,race"], (("gender",), PAIR)),
        ([" gender , race "], (PAIR,)),
        ([PAIR, "gender,race"], (PAIR,)),
        ([], ()),
    ],
)
def test_groupings_are_written_with_commas(by, groupings):
    """One or several, as text or as tuples, each once."""
    assert parse_groupings(by) == groupings


@pytest.mark.parametrize("by", [[""], ["gender,"], ["gender,gender"], [()]])
def test_invalid_groupings_are_refused(by):
    """An empty name, no name, or one attribute crossed with itself."""
    with pytest.raises(UsageError, match="name each attribute once, separated by commas, as in gender,race"):
        parse_groupings(by)


@pytest.mark.parametrize(
    ("options", "kind", "complaint"),
    [
        ({"by": ["gendr"]}, DataError, "has no attribute 'gendr'; did you mean 'gender'"),
        ({"by": ["gender,rce"]}, DataError, "has no attribute 'rce'; did you mean 'race'"),
        ({"minimum": 0}, UsageError, "--minimum 0"),
        ({"confidence": 1.0}, UsageError, "--confidence 1.0"),
        ({"confidence": 0.4}, UsageError, "--confidence 0.4"),
        ({"confidence": float("nan")}, UsageError, "'confidence' is nan"),
        ({"permutations": 99}, UsageError, "--permutations 99: give at least 100"),
        ({"unsupported_labels": "skip"}, UsageError, "--unsupported-labels 'skip' is not a policy"),
        ({"thresholds": {"hapiness": 0.4}}, UsageError, "--threshold hapiness: not among the model's output classes"),
    ],
)
def test_an_impossible_audit_is_refused_before_the_model_runs(crossed, options, kind, complaint):
    """The plan is checked in the same way before prediction and by the audit."""
    with pytest.raises(kind, match=complaint):
        check_plan(AuditPlan.of(options), crossed, TWO)
    with pytest.raises(kind, match=complaint):
        fairfer.audit(crossed, predict(crossed, FakeModel(TWO)), **options)


def test_a_checked_plan_has_groupings_groups_and_labels(crossed):
    """Label spaces without a common label are refused."""
    design = check_plan(AuditPlan(by="gender,race"), crossed, TWO)
    assert design.groupings == (PAIR,)
    assert design.groups[PAIR] == tuple(itertools.product("fm", "xyz"))
    assert design.labels.unsupported_labels == ("contempt",)
    with pytest.raises(LabelError):
        check_plan(AuditPlan(), crossed, LabelSpace("codes", ("1", "2")))


def test_an_intersection_with_too_many_groups_is_refused(toy):
    """A table of more groups is not readable."""
    values = [str(i) for i in range(21)]
    dataset = toy(["anger"] * 21, {"a": values, "b": values})
    with pytest.raises(UsageError, match=f"--by a,b makes 441 groups, more than {MAX_CROSSED_GROUPS}; cross fewer attributes"):
        audited(dataset, by=["a,b"])


def test_levels_with_commas_can_be_crossed(toy):
    """Groups are tuples: ("x,y", "z") and ("x", "y,z") are two groups; tables quote levels with commas."""
    dataset = toy(["anger"] * 3, {"a": ["x,y", "x", "x"], "b": ["z", "y,z", "y,z"]}, said=[0, 1, 1], labels=ANGER)
    audit = audited(dataset, by=["a", "a,b"])
    assert audit.groups("a") == [("x",), ("x,y",)]
    for group, size, accuracy in ((("x,y", "z"), 1, 1), (("x", "y,z"), 2, 0)):
        assert audit.size(("a", "b"), group) == audit.support("anger", ("a", "b"), group) == size
        assert audit.rate("accuracy", attribute=("a", "b"), group=group).value == accuracy
        assert audit.rate("accuracy", attribute="a,b", group=group_name(group)).value == accuracy
    with pytest.raises(UsageError, match=r"no accuracy of .* for a,b=x,y,z"):
        audit.rate("accuracy", attribute="a,b", group="x,y,z")
    assert audit.rate("accuracy", attribute="a", group="x,y").value == 1


# --- gaps ------------------------------------------------------------------------------------------------------------


def test_a_gap_is_the_range_of_rates_with_its_worst_and_best_groups(crossed_audit):
    """Worst is the lowest TPR, accuracy or coverage and the highest FPR; the ratio is the smallest rate over the largest."""
    assert {(g.rate, g.label == "*") for g in crossed_audit.gaps} == {
        ("TPR", False),
        ("FPR", False),
        ("accuracy", True),
        ("coverage", True),
    }
    for gap in crossed_audit.gaps:
        members = [r for r in crossed_audit.rates if (r.rate, r.label, r.attribute) == (gap.rate, gap.label, gap.attribute)]
        values = {m.group: m.value for m in members if m.status == "ok"}
        assert gap.groups == list(values)
        assert [(e.group, e.reason) for e in gap.excluded] == [(m.group, m.status) for m in members if m.status != "ok"]
        if len(values) < 2:
            assert gap.status == "too_few_groups"
            numbers = ("worst", "best", "difference", "ratio", "expected_by_chance", "p", "q", "low", "high")
            assert {getattr(gap, name) for name in numbers} == {None}
            continue
        low, high = min(values.values()), max(values.values())
        assert gap.difference == pytest.approx(high - low)
        assert values[gap.worst] == pytest.approx(high if gap.rate == "FPR" else low)
        assert values[gap.best] == pytest.approx(low if gap.rate == "FPR" else high)
        assert gap.ratio == (pytest.approx(low / high) if high else None)


def test_p_values_are_adjusted_over_all_gaps_of_the_audit(crossed_audit):
    """The family is every gap with a p-value, over all groupings; scipy's procedure is the oracle."""
    tested = [g for g in crossed_audit.gaps if g.p is not None]
    assert len({g.attribute for g in tested}) == 3
    assert [g.q for g in tested] == pytest.approx(list(stats.false_discovery_control([g.p for g in tested])))


def test_a_gap_does_not_depend_on_other_groupings(crossed, crossed_audit):
    """Each gap has a random stream of its own; another grouping changes only what allows for the number of gaps.

    A test may be drawn longer in one of the families, so its p-value may differ by Monte-Carlo error.
    """
    alone = {(g.label, g.rate): g for g in audited(crossed, by=["gender"], minimum=3).gaps}
    for gap in crossed_audit.gaps:
        if gap.attribute == ("gender",):
            other = alone[gap.label, gap.rate]
            for field in ("worst", "best", "difference", "ratio", "expected_by_chance", "high", "status", "groups", "excluded"):
                assert getattr(gap, field) == getattr(other, field)
            assert (gap.p is None) == (other.p is None)
            assert (gap.p or 0) == pytest.approx(other.p or 0, abs=0.02)


def test_a_planted_gap_is_significant_and_the_gap_expected_by_chance_is_exact(crossed):
    """With two groups, permutation makes the hits of one group hypergeometric: percentile and p-value follow exactly."""
    audit = audited(crossed, by=["gender"], permutations=10_000, seed=3)
    [gap] = [g for g in audit.gaps if g.rate == "accuracy"]
    assert (gap.worst, gap.best) == (("m",), ("f",))
    (k1, n1), (k2, n2) = (
        (r.numerator, r.denominator) for r in (audit.rate("accuracy", attribute="gender", group=g) for g in "fm")
    )
    hits = np.arange(max(0, k1 + k2 - n2), min(n1, k1 + k2) + 1)
    gaps = np.abs(hits / n1 - (k1 + k2 - hits) / n2)
    probability = stats.hypergeom.pmf(hits, n1 + n2, k1 + k2, n1)
    order = np.argsort(gaps)
    percentile = gaps[order][np.searchsorted(np.cumsum(probability[order]), 0.95)]
    # The gaps are whole steps apart, so the estimated percentile may be the neighboring one.
    assert gap.expected_by_chance == pytest.approx(percentile, abs=float(np.diff(np.unique(gaps.round(12))).max()) + 1e-9)
    exact = float(probability[gaps >= gap.difference - 1e-12].sum())
    assert gap.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 10_000) + 1e-4)
    assert gap.difference > gap.expected_by_chance


def test_a_comparison_with_fewer_than_two_groups_has_no_gap(toy):
    """Small groups are excluded by name; the gap is not 0 but missing."""
    dataset = toy(["anger"] * 25 + ["fear"], {"g": ["a"] * 25 + ["b"]}, labels=ANGER)
    audit = audited(dataset, minimum=20)
    for gap in audit.gaps:
        assert gap.status == "too_few_groups"
        assert gap.difference is None
        assert ("b",) in [e.group for e in gap.excluded]
    [anger] = [g for g in audit.gaps if (g.label, g.rate) == ("anger", "TPR")]
    assert anger.groups == [("a",)]
    assert [(e.group, e.reason, e.denominator) for e in anger.excluded] == [(("b",), "not_estimable", 0)]


def test_unannotated_groups_take_no_part_in_gaps(toy):
    """They are listed with the reason, also where only one attribute of an intersection lacks a value."""
    groups = {"g": ["f", "m", None, None], "r": ["x", "x", "x", None]}
    audit = audited(toy(["anger"] * 4, groups, said=[0, 0, 1, 1], labels=ANGER), by=["g,r"])
    [gap] = [g for g in audit.gaps if g.rate == "accuracy"]
    assert (gap.groups, gap.difference) == ([("f", "x"), ("m", "x")], 0)
    reasons = {e.group: e.reason for e in gap.excluded}
    assert reasons[UNANNOTATED, "x"] == reasons[UNANNOTATED, UNANNOTATED] == "unannotated"


def test_a_sample_without_an_answer_is_a_false_negative_and_lowers_coverage(toy):
    """It is not excluded: TPR counts it as missed, and coverage is reported per group."""
    dataset = toy(["anger"] * 8, {"g": ["a"] * 4 + ["b"] * 4}, said=[0] * 4 + [250] * 4, labels=ANGER)
    audit = audited(dataset, FakeModel(ANGER, no_face=[250]))
    assert audit.rate("TPR", label="anger", attribute="g", group="b").value == 0
    assert audit.rate("coverage", attribute="g", group="b").value == 0
    [gap] = [g for g in audit.gaps if g.rate == "coverage"]
    assert (gap.worst, gap.difference) == (("b",), 1)
    assert {c.predicted for c in audit.confusions if c.group == ("b",) and c.count} == {NO_ANSWER}
    [anger] = [c for c in audit.counts if (c.group, c.label) == (("b",), "anger")]
    assert (anger.tp, anger.fn, anger.fp, anger.tn) == (0, 4, 0, 0)


# --- reproducibility -------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_p_values(crossed):
    """Only random results depend on the seed."""
    one, again, other = (audited(crossed, by=["gender", "race"], seed=seed) for seed in (0, 0, 1))
    assert one.to_json() == again.to_json()
    assert other.rates == one.rates
    assert other.counts == one.counts
    assert [g.p for g in other.gaps] != [g.p for g in one.gaps]


def test_an_audit_records_its_inputs(crossed):
    """Data, model, plan, versions, date and command are enough to make it again."""
    from fairfer.audits.stored_samples import Invocation

    predictions = predict(crossed, FakeModel(THREE, options={"backend": "x"}))
    plan = AuditPlan(by=["race,gender"], **QUICK)
    invocation = Invocation("fairfer audit x", '[audit]\ndata = "x"\n')
    audit = audit_predictions(crossed, predictions, plan, date="2026-01-02", invocation=invocation)
    assert (audit.date, audit.command, audit.config) == ("2026-01-02", invocation.command, invocation.config)
    assert audit.data.digest == crossed.digest
    assert audit.data.images_digest == crossed.images_digest
    assert [a.name for a in audit.data.attributes] == ["race", "gender"]
    assert {a.source for a in audit.data.attributes} == {"annotated"}
    assert audit.model.options["backend"] == "x"
    assert audit.model.predictions_digest == predictions.digest
    assert audit.plan == plan
    assert {"numpy", "fairlearn", "fairfer"} <= set(audit.versions)


@pytest.mark.parametrize(("epoch", "day"), [("0", "1970-01-01"), ("1700000000", "2023-11-14")])
def test_source_date_epoch_sets_the_date(monkeypatch, epoch, day):
    """The convention of reproducible builds."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert today() == day


@pytest.mark.parametrize("epoch", ["yesterday", "9" * 30])
def test_an_invalid_source_date_epoch_is_refused(monkeypatch, epoch):
    """One line; without the variable the date is today's."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    with pytest.raises(UsageError, match=r"SOURCE_DATE_EPOCH is '.*'; give whole seconds since 1970"):
        today()
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert len(today()) == 10


def test_a_run_is_rebuilt_without_the_data_set(crossed, tmp_path):
    """Byte for byte, from what the run folder holds."""
    predictions = predict(crossed, FakeModel(THREE), tmp_path)
    audit = audit_predictions(crossed, predictions, AuditPlan(by=["gender", "gender,race"], **QUICK), run=tmp_path)
    assert rebuild(tmp_path).to_json() == audit.to_json()


def test_a_run_without_stored_samples_gives_its_audit(crossed, tmp_path):
    """A folder with predictions alone, and a damaged file, are refused."""
    audit = fairfer.audit(crossed, predict(crossed, FakeModel(THREE), tmp_path / "run"), **QUICK)
    with pytest.raises(RunError, match="was predicted but not audited"):
        rebuild(tmp_path / "run")
    audit.write(tmp_path / "audit.json")
    assert rebuild(tmp_path) == audit
    (tmp_path / "run" / "samples.parquet").write_bytes(b"x")
    with pytest.raises(RunError, match=r"samples\.parquet is damaged"):
        rebuild(tmp_path / "run")


def test_attributes_with_internal_names_survive_a_run(tmp_path, toy):
    """Attributes called like the columns that fairfer uses itself, and probabilities of levels."""
    dataset = toy(["anger"] * 2, {"truth": ["a", "b"], "n": ["0.9", "0.25"], "status": ["1", "2"]}, labels=ANGER)
    inferred = Attribute("status", ("2", "1"), "inferred", "a model", "note", {"1": "n"})
    dataset = dataset.replace(attributes=(*dataset.attributes[:2], inferred))
    audit = audit_predictions(dataset, predict(dataset, FakeModel(ANGER), tmp_path), AuditPlan(**QUICK), run=tmp_path)
    assert rebuild(tmp_path).to_json() == audit.to_json()
    assert audit.groups("status") == [("2",), ("1",)]
