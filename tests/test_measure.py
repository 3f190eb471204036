"""The whole audit: labels meet, groups are crossed, gaps are tested, and the same question has the same answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from fairfer.audits.audit import MAX_GROUPS, audit, check_audit, parse_groupings, rebuild, today
from fairfer.datasets.attributes import Attribute
from fairfer.errors import DataError, FairferError, LabelError, RunError, UsageError
from fairfer.labels import DEEPFACE, FER2013, FERPLUS, LabelSpace
from fairfer.predictions.inference import predict
from fairfer.stats import benjamini_hochberg, permutation_test
from fairfer.testing import FakeModel
from fairfer.vocabulary import UNANNOTATED

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

QUICK = {"minimum": 1, "permutations": 100}
THREE = LabelSpace("three", ("neutral", "happiness", "contempt"))
TWO = LabelSpace("two", ("neutral", "happiness"))
ANGER = LabelSpace("anger and fear", ("anger", "fear"))


def measure(data, model=None, by=(), **settings) -> Audit:
    """Predict and audit in memory."""
    return audit(data, predict(data, model or FakeModel(data.labels)), by, **{**QUICK, **settings})


@pytest.fixture(scope="module")
def crossed(toy_factory):
    """A data set of 120 faces, three emotions, two attributes, with answers that favour one group."""
    generator = np.random.default_rng(0)
    truth = generator.choice(THREE.labels, 120)
    gender = generator.choice(["f", "m"], 120)
    race = generator.choice(["x", "y", "z"], 120)
    right = generator.random(120) < np.where(gender == "f", 0.9, 0.5)
    said = [THREE.labels.index(t) if ok else 2 for t, ok in zip(truth, right, strict=True)]
    return toy_factory(
        [str(t) for t in truth], {"gender": [str(g) for g in gender], "race": [str(r) for r in race]}, said=said, labels=THREE
    )


@pytest.fixture(scope="module")
def crossed_audit(crossed) -> Audit:
    """Its audit by both attributes and their intersection."""
    return measure(crossed, by=["race", "gender,race", "gender"], minimum=3)


# --- labels ----------------------------------------------------------------------------------------------------------


def contempt(toy):
    """Four faces, two of them of contempt, which the model calls disgust and anger."""
    truth = ["contempt", "contempt", "anger", "disgust"]
    said = [DEEPFACE.labels.index(n) for n in ("disgust", "anger", "anger", "disgust")]
    return toy(truth, {"g": ["a", "b", "a", "b"]}, said=said)


@pytest.mark.parametrize(
    ("policy", "excluded", "accuracy", "fp_anger", "contempt_tpr"),
    [("drop", 2, 1, 0, None), ("keep", 0, 0.5, 1, 0), ("merge=contempt:disgust", 0, 0.75, 1, None)],
)
def test_faces_that_the_model_cannot_name_are_dropped_kept_or_merged(toy, policy, excluded, accuracy, fp_anger, contempt_tpr):
    """Dropped ones count nowhere and are stated; kept ones are missed; merged ones are as if so labelled."""
    found = measure(contempt(toy), FakeModel(DEEPFACE), unsupported_labels=policy)
    assert found.labels.unsupported_labels == ["contempt"]
    assert found.labels.excluded == excluded
    assert found.size() == 4 - excluded
    assert found.rate("accuracy").value == accuracy
    assert found.rate("FPR", label="anger").numerator == fp_anger
    if contempt_tpr is None:
        assert "contempt" not in found.labels.audited
    else:
        assert found.rate("TPR", label="contempt").value == contempt_tpr


def test_an_answer_outside_of_the_audited_labels_is_wrong_and_positive_for_none(toy):
    """A model that says contempt of FER2013's faces misses them; no label gains a false positive."""
    data = toy(["anger", "fear"], labels=FER2013, said=[7, 4])
    found = measure(data, FakeModel(FERPLUS))
    assert found.labels.extra == ["contempt"]
    assert found.rate("accuracy").value == 0
    assert found.rate("coverage").value == 1
    assert found.rate("TPR", label="anger").value == 0
    assert sum(r.numerator for r in found.rates if r.rate == "FPR" and r.attribute == "*") == 1


def test_label_orders_of_data_and_model_do_not_matter(toy):
    """Everything travels by name."""
    labels = LabelSpace("mine", FERPLUS.labels[::-1])
    data = toy(["anger", "fear"], said=[labels.labels.index("anger"), labels.labels.index("fear")])
    assert measure(data, FakeModel(labels)).rate("accuracy").value == 1


def test_nothing_left_is_an_error(toy):
    """When every face is dropped for its label there is nothing to audit."""
    data = toy(["contempt"] * 2, said=[0, 0])
    with pytest.raises(DataError, match="toy: no face is left once those are dropped whose label fake cannot say"):
        measure(data, FakeModel(DEEPFACE))


# --- groups ----------------------------------------------------------------------------------------------------------


def test_without_a_choice_every_attribute_is_grouped_by_alone(crossed):
    """No intersection unless asked for."""
    assert check_audit(crossed, THREE)[0] == [("gender",), ("race",)]
    assert check_audit(crossed, THREE, ["race"])[0] == [("race",)]
    assert measure(crossed).groupings == ["gender", "race"]


def test_without_attributes_everyone_is_measured_together(toy):
    """An audit by nothing has rates and no gaps."""
    found = measure(toy(["anger", "fear"], said=[0, 0], labels=ANGER))
    assert found.groupings == []
    assert found.gaps == []
    assert found.rate("accuracy").value == 0.5
    one = measure(toy(["anger"], labels=ANGER))
    assert one.rate("accuracy").value == 1


def test_an_intersection_has_every_combination_also_the_empty_ones(toy):
    """A combination that nobody is in is stated as empty, and a gap says that it was left out for that."""
    found = measure(toy(["anger"] * 3, {"g": ["f", "m", "f"], "r": ["x", "x", "y"]}, labels=ANGER), by=["g,r"])
    assert found.groups("g,r") == ["f,x", "f,y", "m,x", "m,y"]
    empty = found.rate("accuracy", attribute="g,r", group="m,y")
    assert (empty.status, empty.value, empty.denominator) == ("empty", None, 0)
    [gap] = [g for g in found.gaps if g.rate == "accuracy"]
    assert gap.groups == ["f,x", "f,y", "m,x"]
    assert [(o.group, o.reason, o.denominator) for o in gap.excluded] == [("m,y", "empty", 0)]


def test_rates_of_groups_add_up_to_everyone(crossed_audit):
    """Numerators and denominators of any grouping sum to those of everyone, rate by rate."""
    found = crossed_audit
    for rate in ("TPR", "FPR", "selection rate"):
        for label in found.labels.audited:
            whole = found.rate(rate, label=label)
            for attribute in found.groupings:
                parts = [r for r in found.rates if (r.rate, r.label, r.attribute) == (rate, label, attribute)]
                assert sum(r.numerator for r in parts) == whole.numerator
                assert sum(r.denominator for r in parts) == whole.denominator


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        ("gender", [("gender",)]),
        (["gender", "gender,race"], [("gender",), ("gender", "race")]),
        ([" gender , race "], [("gender", "race")]),
        ([("gender", "race"), "gender,race"], [("gender", "race")]),
        ([], []),
    ],
)
def test_groupings_are_written_with_commas(by, wanted):
    """One name or several, as text or as a list, each grouping once."""
    assert parse_groupings(by) == wanted


@pytest.mark.parametrize("by", [[""], ["gender,"], ["gender,gender"], [()]])
def test_groupings_that_cannot_be_meant_are_refused(by):
    """An empty name, no name at all (that would be everyone), or one attribute crossed with itself."""
    with pytest.raises(UsageError, match="name each attribute once, with commas between, as in gender,race"):
        parse_groupings(by)


@pytest.mark.parametrize(
    ("plan", "kind", "complaint"),
    [
        ({"by": ["gendr"]}, DataError, "has no attribute 'gendr'; did you mean 'gender'"),
        ({"by": ["gender,rce"]}, DataError, "has no attribute 'rce'; did you mean 'race'"),
        ({"minimum": 0}, UsageError, "--minimum 0"),
        ({"confidence": 1.0}, UsageError, "--confidence 1.0"),
        ({"confidence": 0.4}, UsageError, "--confidence 0.4"),
        ({"confidence": float("nan")}, UsageError, "--confidence nan"),
        ({"permutations": 99}, UsageError, "--permutations 99: at least 100"),
        ({"unsupported_labels": "skip"}, UsageError, "--unsupported-labels 'skip' is not a choice"),
    ],
)
def test_an_audit_that_could_not_be_made_is_refused_before_a_model_is_asked(crossed, settings, kind, complaint):
    """The same check stands before predicting and in the audit itself."""
    with pytest.raises(kind, match=complaint):
        check_audit(crossed, TWO, **settings)
    with pytest.raises(kind, match=complaint):
        audit(crossed, predict(crossed, FakeModel(TWO)), **settings)


def test_a_check_gives_what_will_be_audited(crossed):
    """Groupings and how the labels meet; labels that share nothing are refused."""
    groupings, labels = check_audit(crossed, TWO, "gender,race")
    assert groupings == [("gender", "race")]
    assert labels.unsupported_labels == ("contempt",)
    with pytest.raises(LabelError, match="have no label in common"):
        check_audit(crossed, LabelSpace("codes", ("1", "2")))


def test_an_intersection_that_nobody_can_read_is_refused(toy):
    """More groups than a table has room for."""
    values = [str(i) for i in range(21)]
    data = toy(["anger"] * 21, {"a": values, "b": values})
    with pytest.raises(UsageError, match=f"--by a,b makes 441 groups, more than {MAX_GROUPS}; cross fewer attributes"):
        measure(data, by=["a,b"])


def test_a_level_with_a_comma_can_be_grouped_by_but_not_crossed(toy):
    """Alone it has a name of its own; crossed it would have another's."""
    data = toy(["anger"] * 2, {"a": ["x,y", "x"], "b": ["z", "y,z"]}, labels=ANGER)
    assert measure(data, by=["a"]).groups("a") == ["x", "x,y"]
    with pytest.raises(UsageError, match="holds a comma; rename it to cross it"):
        measure(data, by=["a,b"])


# --- gaps ------------------------------------------------------------------------------------------------------------


def test_each_gap_is_the_range_of_its_groups_rates_with_worst_and_best_named(crossed_audit):
    """Worst is the lowest TPR, accuracy or coverage and the highest FPR; the ratio is smallest over largest."""
    found = crossed_audit
    assert {(g.rate, g.label == "*") for g in found.gaps} == {
        ("TPR", False),
        ("FPR", False),
        ("accuracy", True),
        ("coverage", True),
    }
    for gap in found.gaps:
        members = [r for r in found.rates if (r.rate, r.label, r.attribute) == (gap.rate, gap.label, gap.attribute)]
        usable = {m.group: m.value for m in members if m.status == "ok"}
        assert gap.groups == list(usable)
        assert [(o.group, o.reason) for o in gap.excluded] == [(m.group, m.status) for m in members if m.status != "ok"]
        if len(usable) < 2:
            assert gap.status == "too_few_groups"
            assert {
                gap.worst,
                gap.best,
                gap.difference,
                gap.ratio,
                gap.expected_by_chance,
                gap.p,
                gap.q,
                gap.low,
                gap.high,
            } == {None}
            continue
        low, high = min(usable.values()), max(usable.values())
        assert gap.difference == pytest.approx(high - low)
        assert usable[gap.worst] == pytest.approx(high if gap.rate == "FPR" else low)
        assert usable[gap.best] == pytest.approx(low if gap.rate == "FPR" else high)
        assert gap.ratio == (pytest.approx(low / high) if high else None)


def test_q_corrects_over_every_gap_of_the_audit(crossed_audit):
    """The family is all gaps that were tested, over all groupings."""
    found = crossed_audit
    tested = [g for g in found.gaps if g.p is not None]
    assert [g.q for g in tested] == pytest.approx(list(benjamini_hochberg([g.p for g in tested])))
    assert [g.q for g in tested] == pytest.approx(list(stats.false_discovery_control([g.p for g in tested])))


def test_a_gap_does_not_depend_on_what_else_is_audited(crossed, crossed_audit):
    """Each draws from a stream of its own, so another grouping changes its q and nothing else."""
    alone = {(g.label, g.rate): g for g in measure(crossed, by=["gender"], minimum=3).gaps}
    for gap in crossed_audit.gaps:
        if gap.attribute == "gender":
            assert gap.model_copy(update={"q": None}) == alone[gap.label, gap.rate].model_copy(update={"q": None})


def test_a_gap_that_was_planted_is_found_and_chance_is_what_it_says(crossed):
    """Nine of ten women and five of ten men were answered rightly; p is that of `permutation_test` on those counts."""
    found = measure(crossed, by=["gender"], permutations=2000, seed=3)
    [gap] = [g for g in found.gaps if g.rate == "accuracy"]
    assert (gap.worst, gap.best) == ("m", "f")
    assert gap.p < 0.01
    assert gap.difference > gap.expected_by_chance
    rates = [found.rate("accuracy", attribute="gender", group=g) for g in ("f", "m")]
    again = permutation_test(
        [r.numerator for r in rates], [r.denominator for r in rates], permutations=20_000, generator=np.random.default_rng(0)
    )
    assert gap.expected_by_chance == pytest.approx(again.expected, abs=0.03)


def test_no_estimable_group_is_no_gap_and_never_a_gap_of_0(toy):
    """Small groups are left out by name: they do not look perfectly fair."""
    data = toy(["anger"] * 25 + ["fear"], {"g": ["a"] * 25 + ["b"]}, labels=ANGER)
    found = measure(data, minimum=20)
    for gap in found.gaps:
        assert gap.status == "too_few_groups"
        assert gap.difference is None
        assert "b" in [o.group for o in gap.excluded]
    [anger] = [g for g in found.gaps if (g.label, g.rate) == ("anger", "TPR")]
    assert anger.groups == ["a"]
    assert [(o.group, o.reason, o.denominator) for o in anger.excluded] == [("b", "not_estimable", 0)]


def test_unannotated_faces_are_no_side_of_a_gap_in_any_intersection(toy):
    """They are shown, and compared with nobody."""
    data = toy(["anger"] * 4, {"g": ["f", "m", None, None], "r": ["x", "x", "x", None]}, said=[0, 0, 1, 1], labels=ANGER)
    found = measure(data, by=["g,r"])
    [gap] = [g for g in found.gaps if g.rate == "accuracy"]
    assert (gap.groups, gap.difference) == (["f,x", "m,x"], 0)
    told = {o.group: o.reason for o in gap.excluded}
    assert told[f"{UNANNOTATED},x"] == told[f"{UNANNOTATED},{UNANNOTATED}"] == "unannotated"


def test_a_group_that_got_no_answer_shows_it_as_coverage_and_as_missed(toy):
    """No face found is an outcome: TPR counts it as missed, coverage says for whom."""
    data = toy(["anger"] * 8, {"g": ["a"] * 4 + ["b"] * 4}, said=[0] * 4 + [250] * 4, labels=ANGER)
    found = measure(data, FakeModel(ANGER, no_face=[250]))
    assert found.rate("TPR", label="anger", attribute="g", group="b").value == 0
    assert found.rate("coverage", attribute="g", group="b").value == 0
    [gap] = [g for g in found.gaps if g.rate == "coverage"]
    assert (gap.worst, gap.difference) == ("b", 1)
    assert {c.predicted for c in found.counts if c.group == "b"} == {"(no_face)"}


# --- the same again --------------------------------------------------------------------------------------------------


def test_the_same_question_has_the_same_bytes_and_another_seed_another_chance(crossed):
    """Everything random comes from the seed."""
    by = ["gender", "race"]
    one = measure(crossed, by=by)
    assert one.to_json() == measure(crossed, by=by).to_json()
    other = measure(crossed, by=by, seed=1)
    assert other.rates == one.rates
    assert other.counts == one.counts
    assert [g.p for g in other.gaps] != [g.p for g in one.gaps]


def test_an_audit_says_what_it_is_about(crossed):
    """Data, model, settings, versions, day and command: enough to make it again."""
    found = measure(
        crossed, FakeModel(THREE, options={"backend": "x"}), by=["race,gender"], date="2026-01-02", command="fairfer audit x"
    )
    assert (found.date, found.command) == ("2026-01-02", "fairfer audit x")
    assert found.data.digest == crossed.digest
    assert found.data.images_digest == crossed.images_digest
    assert [a.name for a in found.data.attributes] == ["race", "gender"]
    assert {a.source for a in found.data.attributes} == {"annotated"}
    assert found.model.options["backend"] == "x"
    assert found.plan.by == [["race", "gender"]]
    assert {"numpy", "fairlearn", "fairfer"} <= set(found.versions)


@pytest.mark.parametrize(("epoch", "day"), [("0", "1970-01-01"), ("1700000000", "2023-11-14")])
def test_the_day_can_be_set_for_reproducible_builds(monkeypatch, epoch, day):
    """``SOURCE_DATE_EPOCH`` is what such builds agree on."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert today() == day


@pytest.mark.parametrize("epoch", ["yesterday", "9" * 30])
def test_a_day_that_is_none_is_refused(monkeypatch, epoch):
    """In one line."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    with pytest.raises(UsageError, match=r"SOURCE_DATE_EPOCH is '.*'; give whole seconds since 1970"):
        today()
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert len(today()) == 10


def test_a_run_can_be_audited_again_without_its_data(crossed, tmp_path):
    """Byte for byte, from what the run keeps."""
    found = audit(crossed, predict(crossed, FakeModel(THREE), tmp_path), ["gender", "gender,race"], **QUICK, run=tmp_path)
    assert rebuild(tmp_path).to_json() == found.to_json()


def test_a_run_without_its_samples_gives_the_audit_it_holds(crossed, tmp_path):
    """And one that was only predicted says so."""
    found = audit(crossed, predict(crossed, FakeModel(THREE), tmp_path / "run"), **QUICK)
    with pytest.raises(RunError, match="was predicted but not audited"):
        rebuild(tmp_path / "run")
    found.write(tmp_path / "audit.json")
    assert rebuild(tmp_path) == found
    (tmp_path / "run" / "samples.parquet").write_bytes(b"x")
    with pytest.raises(RunError, match=r"samples\.parquet is damaged"):
        rebuild(tmp_path / "run")


def test_any_attribute_that_a_loader_accepts_survives_a_run(tmp_path, toy):
    """Names that the machinery uses itself, and probabilities of levels."""
    data = toy(["anger"] * 2, {"truth": ["a", "b"], "n": ["0.9", "0.25"], "status": ["1", "2"]}, labels=ANGER)
    data = data.replace(
        attributes=(*data.attributes[:2], Attribute("status", ("2", "1"), "inferred", "me", "note", {"1": "n"}))
    )
    found = audit(data, predict(data, FakeModel(ANGER), tmp_path), **QUICK, run=tmp_path)
    assert rebuild(tmp_path).to_json() == found.to_json()
    assert found.groups("status") == ["2", "1"]
    assert issubclass(RunError, FairferError)
