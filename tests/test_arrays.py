"""`fairfer.audit` on arrays and data frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import fairfer
from fairfer.errors import FairferError, UsageError

N = 200
LABELS = ["anger", "fear", "happiness"]


@pytest.fixture(scope="module")
def data():
    """Truth, scores, predictions and groups of 200 samples."""
    generator = np.random.default_rng(0)
    truth = generator.choice(LABELS, N)
    scores = generator.dirichlet([1, 1, 1], N)
    scores[np.arange(N), [LABELS.index(t) for t in truth]] += 0.5
    scores /= scores.sum(axis=1, keepdims=True)
    predicted = np.array(LABELS)[scores.astype(np.float32).argmax(axis=1)]
    groups = pd.DataFrame({"gender": generator.choice(["f", "m"], N), "age": generator.choice([20, 30], N)})
    return truth, predicted, scores, groups


@pytest.fixture(scope="module")
def reference(data):
    truth, predicted, scores, groups = data
    return fairfer.audit(truth, predicted, groups=groups, scores=pd.DataFrame(scores, columns=LABELS))


def undated(audit):
    return audit.model_copy(update={"date": ""}).to_json()


def test_rates_are_those_of_masks(data, reference):
    truth, predicted, _, groups = data
    for gender in ("f", "m"):
        mine = (groups["gender"] == gender).to_numpy()
        rate = reference.rate("TPR", label="fear", attribute="gender", group=gender)
        assert rate.numerator == (mine & (truth == "fear") & (predicted == "fear")).sum()
        assert rate.denominator == (mine & (truth == "fear")).sum()
    assert reference.groups("age") == [("20",), ("30",)]


@pytest.mark.parametrize("kind", ["list", "array", "series", "polars", "mapping"])
def test_every_kind_of_array_gives_the_same_audit(data, reference, kind):
    """Lists, arrays, pandas and polars objects, and mappings for the groups."""
    truth, predicted, scores, groups = data
    frame = pd.DataFrame(scores, columns=LABELS)
    if kind == "list":
        result = fairfer.audit(list(truth), list(predicted), groups=groups, scores=scores.tolist(), labels=LABELS)
    elif kind == "array":
        result = fairfer.audit(truth, predicted, groups=groups, scores=scores, labels=LABELS)
    elif kind == "series":
        index = [f"row{i}" for i in range(N)]
        result = fairfer.audit(
            pd.Series(truth, index), pd.Series(predicted, index), groups=groups.set_axis(index), scores=frame.set_axis(index)
        )
    elif kind == "polars":
        polars = pytest.importorskip("polars")
        result = fairfer.audit(
            polars.Series(truth), polars.Series(predicted), groups=polars.from_pandas(groups), scores=polars.from_pandas(frame)
        )
    else:
        result = fairfer.audit(truth, predicted, groups={c: list(groups[c]) for c in groups}, scores=frame)
    assert undated(result) == undated(reference)


def test_scores_alone_predict_the_label_with_the_highest(data, reference):
    truth, _, scores, groups = data
    result = fairfer.audit(truth, groups=groups, scores=scores, labels=LABELS)
    assert result.rates == reference.rates


def test_one_column_of_groups_needs_no_name(data):
    truth, predicted, _, groups = data
    assert fairfer.audit(truth, predicted, groups=list(groups["gender"])).groups("group") == [("f",), ("m",)]
    assert fairfer.audit(truth, predicted, groups=groups["gender"]).groups("gender") == [("f",), ("m",)]


def test_two_dimensions_are_multi_label(data):
    """Unknown entries, thresholds of the plan, and names of labels from data frames."""
    generator = np.random.default_rng(1)
    truth = (generator.random((N, 2)) < 0.4).astype(float)
    truth[::7, 0] = np.nan
    scores = np.clip(np.nan_to_num(truth) * 0.5 + generator.random((N, 2)) * 0.5, 0, 1)
    names = ["AU1", "AU12"]
    result = fairfer.audit(truth, scores=scores, groups=data[3], labels=names, thresholds={"AU1": 0.7})
    assert result.task == "multi-label"
    for column, (name, threshold) in enumerate(zip(names, (0.7, 0.5), strict=True)):
        decided = scores[:, column].astype(np.float32) >= threshold
        count = next(c for c in result.counts if c.attribute == () and c.label == name)
        positive, negative = truth[:, column] == 1, truth[:, column] == 0
        expected = [
            (positive & decided).sum(),
            (positive & ~decided).sum(),
            (negative & decided).sum(),
            (negative & ~decided).sum(),
        ]
        assert [count.tp, count.fn, count.fp, count.tn] == expected
    framed = fairfer.audit(
        pd.DataFrame(truth, columns=names), scores=pd.DataFrame(scores, columns=names), groups=data[3], thresholds={"AU1": 0.7}
    )
    assert undated(framed) == undated(result)


def test_subjects_are_the_units_of_intervals(data):
    truth, predicted, _, groups = data
    alone = fairfer.audit(truth, predicted, groups=groups, by="gender")
    same = fairfer.audit(truth, predicted, groups=groups, by="gender", subjects=np.arange(N) // 10)
    assert same.data.subjects == N // 10
    assert same.plan.subject == "subject"
    assert same.rate("accuracy").effective_size != alone.rate("accuracy").effective_size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_weight": [1.0] * N}, "sample_weight is not supported: intervals"),
        ({"groups": {"gender": ["f"]}}, "groups has 1 rows, y_true has 200"),
        ({"grups": None}, "unknown audit option 'grups'"),
        ({"plan": fairfer.AuditPlan(), "minimum": 3}, "either plan or minimum"),
        ({"groups": {"y_true": ["f"] * N}}, "reserved here"),
        ({"scores": np.zeros((N, 3))}, "name them with labels="),
        ({"scores": np.zeros(N)}, "one column per label"),
        ({"groups": np.zeros((N, 2))}, "without column names"),
        ({"by": "hair", "groups": {"gender": ["f", "m"] * (N // 2)}}, "no attribute 'hair'"),
    ],
)
def test_what_cannot_be_meant_is_refused(data, arguments, message):
    """One line that names the argument."""
    with pytest.raises(FairferError) as caught:
        fairfer.audit(data[0], data[1], **arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_index_in_another_order_is_refused(data):
    """Rows are matched by position; a shuffled index would pair truth with the predictions of others."""
    truth = pd.Series(data[0])
    with pytest.raises(UsageError, match="another order"):
        fairfer.audit(truth, pd.Series(data[1]).sample(frac=1, random_state=0))


def test_predictions_are_needed(data):
    with pytest.raises(UsageError, match="y_pred, scores or both"):
        fairfer.audit(data[0])


def test_a_data_set_needs_its_predictions(toy, data):
    dataset = toy(["fear", "anger"])
    with pytest.raises(UsageError, match="must be Predictions"):
        fairfer.audit(dataset, ["fear", "anger"])
    predictions = fairfer.predict(dataset, fairfer.load_model("baseline"))
    with pytest.raises(UsageError, match="belong to arrays"):
        fairfer.audit(dataset, predictions, groups=data[3])


TRUE = ["anger", "happiness"] * 20
BINARY = np.array([[1, 0], [0, 1]] * 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": {"a": ["f"] * 40, "b": ["f"] * 39}}, "groups has columns of different lengths .a: 40, b: 39."),
        ({"groups": pd.DataFrame([["f", "x"]] * 40, columns=["a", "a"])}, "groups has two columns 'a'"),
        ({"groups": {"label": ["f", "m"] * 20}}, "called 'label', which is reserved"),
        ({"groups": {"status": ["f", "m"] * 20}}, "called 'status', which is reserved"),
        ({"subjects": np.zeros((40, 2))}, r"subjects has shape \(40, 2\); give one value per sample"),
        ({"scores": np.zeros(40)}, r"scores has shape \(40,\)"),
        ({"scores": np.zeros((40, 3))}, r"scores has shape \(40, 3\).* labels="),
        ({"labels": "anger,happiness"}, "give a list of names"),
        ({"labels": ["anger"]}, "'happiness' is not one of"),
        ({"date": "yesterday"}, "give an ISO date"),
        ({"date": 3}, "give an ISO date"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(FairferError, match=message) as raised:
        fairfer.audit(TRUE, TRUE, permutations=100, **arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("labels", [["*", "b"], ["a", "a"], ["a", " "], ["a,b", "c"]])
def test_columns_need_distinct_names(labels):
    """A star would be read as a pattern and give a single-label audit; of two columns with one name, one would be lost."""
    with pytest.raises(UsageError, match="labels has"):
        fairfer.audit(BINARY, BINARY, labels=labels, permutations=100)


def test_labels_must_be_those_of_a_data_frame():
    frame = pd.DataFrame(BINARY, columns=["AU6", "AU12"])
    with pytest.raises(UsageError, match="y_true has the columns AU6, AU12, labels has AU1, AU2"):
        fairfer.audit(frame, frame, labels=["AU1", "AU2"], permutations=100)
    with pytest.raises(UsageError, match=r"'\*', which is reserved"):
        fairfer.audit(frame.set_axis(["*", "b"], axis=1), frame, permutations=100)


def test_one_label_per_sample_in_a_table_of_one_column_is_explained():
    """``df[["true"]]`` instead of ``df["true"]``, or an array of shape (n, 1)."""
    with pytest.raises(UsageError, match="give the column 'true' alone"):
        fairfer.audit(pd.DataFrame({"true": TRUE}), TRUE, permutations=100)
    with pytest.raises(UsageError, match=r"give an array of shape \(40,\)"):
        fairfer.audit(np.array(TRUE).reshape(-1, 1), TRUE, permutations=100)


def test_labels_of_one_dimensional_data_are_the_label_space():
    """Emotions and other labels together, and a label that does not occur."""
    true = ["happy", "bored"] * 20
    result = fairfer.audit(true, true, labels=["happy", "bored", "tired"], permutations=100)
    assert set(result.labels.audited) == {"happiness", "bored", "tired"}


@pytest.mark.parametrize("dtype", [int, float])
def test_true_is_not_one(dtype):
    """Booleans and numbers have no label in common; an accuracy of 0 would be wrong."""
    with pytest.raises(FairferError, match="no predicted label"):
        fairfer.audit(BINARY[:, 0] == 1, BINARY[:, 0].astype(dtype), permutations=100)


def test_a_model_may_be_wrong_about_every_emotion():
    assert fairfer.audit(["anger"] * 30, ["fear"] * 30, permutations=100).rate("accuracy").value == 0


def test_subjects_may_be_a_data_frame_of_one_column():
    subjects = [i // 2 for i in range(40)]
    result = fairfer.audit(TRUE, TRUE, subjects=pd.DataFrame({"actor": subjects}), permutations=100)
    assert result.plan == fairfer.audit(TRUE, TRUE, subjects=subjects, permutations=100).plan


@pytest.mark.parametrize("threshold", [0.3, 0.7, 0.867])
def test_the_decision_of_an_audit_and_of_its_histograms_is_the_same(threshold):
    """A score equal to the threshold reaches it, though single precision stores 0.7 as 0.69999999."""
    generator = np.random.default_rng(0)
    truth = pd.DataFrame({"AU6": generator.integers(0, 2, 200), "AU12": generator.integers(0, 2, 200)})
    scores = pd.DataFrame({name: generator.choice([0.1, threshold, threshold - 0.001, 0.95], 200) for name in truth})
    groups = pd.DataFrame({"site": generator.choice(["a", "b"], 200)})
    audit = fairfer.audit(truth, scores=scores, groups=groups, thresholds=dict.fromkeys(truth, threshold), permutations=100)
    recorded = {(r.label, r.group, r.rate): r.value for r in audit.rates}
    for label in truth:
        table = audit.at_threshold(label, threshold)
        [everyone] = table[(table["group"] == "*") & (table["rate"] == "TPR")]["value"]
        expected = (scores[label] >= threshold)[truth[label] == 1].mean()
        assert everyone == recorded[label, (), "TPR"] == pytest.approx(expected)
