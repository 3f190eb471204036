"""The plan of an audit: its values are checked once, and applied to a dataset before any model runs."""

from __future__ import annotations

import pytest

from fairfer.audits.plan import MAX_CROSSED_GROUPS, AuditPlan, check_plan, parse_groupings
from fairfer.errors import DataError, LabelError, UsageError
from fairfer.labels import DEEPFACE, FERPLUS, LabelSpace
from fairfer.vocabulary import EVERYONE


@pytest.mark.parametrize(
    ("by", "groupings"),
    [
        ("gender", (("gender",),)),
        (["gender", "gender,race"], (("gender",), ("gender", "race"))),
        ([" gender , race "], (("gender", "race"),)),
        ([("gender", "race"), "gender,race"], (("gender", "race"),)),
        ([], ()),
    ],
)
def test_groupings_are_written_with_commas(by, groupings):
    """One name or several, as text or as a list, each grouping once."""
    assert parse_groupings(by) == groupings
    assert AuditPlan.of({"by": by}).by == groupings


@pytest.mark.parametrize("by", [[""], ["gender,"], ["gender,gender"], [()], [3], 3])
def test_a_grouping_without_meaning_is_refused(by):
    with pytest.raises(UsageError, match="--by"):
        AuditPlan.of({"by": by})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minimun": 10}, "unknown audit option 'minimun'; did you mean 'minimum'"),
        ({"minimum": 0}, "--minimum 0"),
        ({"minimum": "many"}, "audit option 'minimum' is 'many'"),
        ({"minimum": 2.5}, "audit option 'minimum' is 2.5"),
        ({"confidence": 1.0}, "--confidence 1.0"),
        ({"confidence": 0.4}, "--confidence 0.4"),
        ({"confidence": float("nan")}, "confidence"),
        ({"permutations": 99}, "--permutations 99"),
        ({"thresholds": {"fear": float("inf")}}, "thresholds"),
        ({"seed": None}, "audit option 'seed' is None"),
    ],
)
def test_a_value_without_meaning_is_refused_by_name(options, message):
    """Unknown options are refused with the nearest known one, values with the option's name."""
    with pytest.raises(UsageError) as caught:
        AuditPlan.of(options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plan_survives_json():
    plan = AuditPlan.of(
        {"by": ["a", "a,b"], "thresholds": {"fear": 0.3}, "standardize": "age", "subject": "actor", "minimum": 5, "seed": 3}
    )
    assert AuditPlan.model_validate_json(plan.model_dump_json()) == plan
    assert AuditPlan.of(plan.model_dump(mode="json")) == plan


def test_a_plan_is_applied_to_a_data_set(toy):
    """Groupings are filled in, their groups crossed, and labels reconciled."""
    data = toy(["happiness", "contempt", "fear"], {"gender": ["f", "m", "f"], "race": ["a", "b", "b"]})
    design = check_plan(AuditPlan(), data, DEEPFACE)
    assert design.plan.by == (("gender",), ("race",))
    assert list(design.groups) == [EVERYONE, ("gender",), ("race",)]
    assert design.groups["gender",] == (("f",), ("m",))
    assert "contempt" not in design.labels.labels
    crossed = check_plan(AuditPlan.of({"by": "gender,race"}), data, DEEPFACE)
    assert crossed.groups["gender", "race"] == (("f", "a"), ("f", "b"), ("m", "a"), ("m", "b"))
    assert check_plan(AuditPlan(), data, DEEPFACE, "multi-label").task == "multi-label"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"by": "gendr"}, DataError, "did you mean 'gender'"),
        ({"subject": "actor"}, UsageError, "--subject actor"),
        ({"standardize": "age"}, UsageError, "--standardize age"),
        ({"standardize": "vote_entropy"}, UsageError, "no votes of raters"),
        ({"standardize": "label"}, UsageError, "always standardized"),
        ({"unsupported_labels": "discard"}, UsageError, "--unsupported-labels"),
        ({"thresholds": {"contempt": 0.5}}, UsageError, "--threshold contempt: not among the model's output classes"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_before_any_model_runs(toy, options, error, message):
    data = toy(["happiness", "contempt"], {"gender": ["f", "m"]})
    with pytest.raises(error, match=message):
        check_plan(AuditPlan.of(options), data, DEEPFACE)


def test_labels_that_never_meet_are_refused(toy):
    with pytest.raises(LabelError):
        check_plan(AuditPlan(), toy(["happiness"]), LabelSpace("other", ("LABEL_0", "LABEL_1")))


def test_too_many_groups_are_refused(toy):
    side = int(MAX_CROSSED_GROUPS**0.5) + 1
    values = [f"v{i:02d}" for i in range(side)]
    data = toy(["fear"] * side, {"a": values, "b": values})
    with pytest.raises(UsageError, match="cross fewer attributes"):
        check_plan(AuditPlan.of({"by": "a,b"}), data, DEEPFACE)


def test_thresholds_of_a_single_label_audit_are_refused(toy):
    """They would have no effect."""
    with pytest.raises(UsageError, match="this audit is single-label"):
        check_plan(AuditPlan(thresholds={"happiness": 0.4}), toy(["happiness", "anger"], {"gender": ["f", "m"]}), FERPLUS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minimum": "many"}, "audit option 'minimum' is 'many'"),
        ({"minimun": 5}, "unknown audit option 'minimun'; did you mean 'minimum'"),
        ({"subject": None}, "audit option 'subject' is None"),
        ({"standardize": 3}, "audit option 'standardize' is 3"),
    ],
)
def test_an_invalid_setting_is_refused_in_one_line(options, message):
    with pytest.raises(UsageError, match=message) as raised:
        AuditPlan(**options)
    assert "\n" not in str(raised.value)
