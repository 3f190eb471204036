"""Multi-label data: validation, tables and folders with one column per label, FER+'s multi_target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfer.audits.audit import audit_predictions
from fairfer.audits.plan import AuditPlan
from fairfer.datasets.dataset import Dataset
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, FairferError, LabelError, UsageError
from fairfer.labels import FERPLUS, LabelSpace, reconcile
from fairfer.predictions.predictions import Predictions
from fairfer.testing import check_loader

UNITS = LabelSpace("units", ("AU6", "AU12", "AU4"))


def dataset(rows, labels=UNITS, **columns) -> Dataset:
    """A multi-label dataset with these rows of 1, 0 and None."""
    index = pd.Index([chr(97 + i) for i in range(len(rows))], dtype="str")
    truth = {f"truth:{n}": pd.array([r[i] for r in rows], dtype="Int8") for i, n in enumerate(labels.labels)}
    return Dataset("toy", labels, pd.DataFrame(truth | columns, index=index), task="multi-label")


def write(path, content: str):
    """A text file."""
    path.write_text(content, encoding="utf-8")
    return path


def as_lists(frame: pd.DataFrame) -> list[list[int | None]]:
    """Cells as 1, 0 and None."""
    return [[None if pd.isna(v) else int(v) for v in row] for row in frame.itertuples(index=False)]


# --- Dataset ---------------------------------------------------------------------------------------------------------


def test_truth_has_one_column_per_label_with_unknowns():
    """The property has the order of the label space."""
    data = dataset([[1, 0, None], [None, 1, 1]])
    assert list(data.truth.columns) == list(UNITS.labels)
    assert as_lists(data.truth) == [[1, 0, None], [None, 1, 1]]
    assert set(map(str, data.truth.dtypes)) == {"Int8"}


def test_single_label_truth_has_one_positive_per_row(toy):
    """The same property for both tasks."""
    truth = toy(["anger", "fear", "anger"]).truth
    assert list(truth.columns) == list(FERPLUS.labels)
    assert truth.sum(axis=1).tolist() == [1, 1, 1]
    assert truth["anger"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("dtype", ["float64", "object", "boolean", "Int64"])
def test_truth_of_other_types_is_converted(dtype):
    """Digests do not depend on the type in which the truth was given."""
    expected = dataset([[1, 0, 0], [0, 1, 1]])
    other = Dataset("toy", UNITS, expected.samples.astype(dtype), task="multi-label")
    assert other.digest == expected.digest


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s: s.assign(label="AU6"), "toy is multi-label but has a column 'label'; rename the column"),
        (
            lambda s: s.drop(columns="truth:AU4"),
            "toy: no column 'truth:AU4', but labels AU6, AU12, AU4; give one column per label",
        ),
        (lambda s: s.assign(**{"truth:AU1": 1}), "toy: a column 'truth:AU1', but labels AU6"),
        (lambda s: s.assign(**{"truth:AU6": [1, 2]}), "toy, sample 'b': truth:AU6 is 2; use 1, 0, or missing"),
        (lambda s: s.assign(**{"truth:AU6": ["1", "0"]}), "toy, sample 'a': truth:AU6 is '1'; use 1, 0"),
        (lambda s: s.assign(**{"truth:AU6": [0.5, 1]}), r"sample 'a': truth:AU6 is 0\.5"),
    ],
    ids=["label", "missing column", "other column", "two", "text", "fraction"],
)
def test_invalid_truth_columns_are_refused(change, complaint):
    """The message names the column and the sample."""
    with pytest.raises(DataError, match=complaint):
        Dataset("toy", UNITS, change(dataset([[1, 0, 1], [0, 1, 1]]).samples), task="multi-label")


def test_the_digest_depends_on_the_truth():
    """Also on whether an entry is unknown."""
    digests = {dataset([[1, 0, v]]).digest for v in (1, 0, None)}
    assert len(digests) == 3
    assert len({dataset([[1, 0, v]]).images_digest for v in (1, 0, None)}) == 1


cells = st.lists(st.lists(st.sampled_from([1, 0, None]), min_size=3, max_size=3), min_size=1, max_size=8)


@given(cells, st.sampled_from(["drop", "keep", "merge=AU4:AU12"]))
def test_unsupported_labels_are_columns(rows, policy):
    """A dropped label is a dropped column; merging is a logical OR with unknowns; no row is lost."""
    data = dataset(rows)
    labels = reconcile(UNITS, LabelSpace("model", ("AU12", "AU6")), policy)
    truth = data.truth_for(labels)
    assert list(truth.index) == list(data.samples.index)
    for row, audited in zip(rows, truth.to_dict("records"), strict=True):
        expected = dict(zip(UNITS.labels, row, strict=True))
        if policy != "keep":
            unsupported = expected.pop("AU4")
            if policy != "drop":
                either = {expected["AU12"], unsupported}
                expected["AU12"] = 1 if 1 in either else None if None in either else 0
        assert {k: None if pd.isna(v) else v for k, v in audited.items()} == expected


@pytest.mark.parametrize("policy", ["drop", "keep", "merge=fear:anger"])
def test_unsupported_labels_of_single_label_data_are_rows(toy, policy):
    """A dropped label loses its faces."""
    data = toy(["anger", "fear", "happiness"], labels=LabelSpace("d", ("anger", "fear", "happiness")))
    truth = data.truth_for(reconcile(data.labels, LabelSpace("m", ("happiness", "anger")), policy))
    expected = {
        "drop": {"happiness": [0, 1], "anger": [1, 0]},
        "keep": {"happiness": [0, 0, 1], "anger": [1, 0, 0], "fear": [0, 1, 0]},
        "merge=fear:anger": {"happiness": [0, 0, 1], "anger": [1, 1, 0]},
    }[policy]
    assert truth.to_dict("list") == expected


# --- tables ----------------------------------------------------------------------------------------------------------

HEADER = "id,truth_happy,truth_AU12,pred_AU12,pred_happy,gender\n"
ROWS = "a,1,0,0,1,f\nb,9,true,1,0,m\nc,,NA,1,1,f\nd,0,FALSE,,0,m\n"


def load(path, **options) -> Dataset:
    """Read a table with the usual patterns."""
    return load_dataset(path, **({"truth": "truth_*", "predicted": "pred_*"} | options))


def test_a_pattern_names_one_column_per_label(tmp_path):
    """The star is the label; 9, NA and empty are unknown; a row of unknowns is excluded and counted."""
    data = load(write(tmp_path / "t.csv", HEADER + ROWS))
    assert data.task == data.recorded.task == "multi-label"
    assert data.labels.labels == ("happiness", "AU12")
    assert list(data.samples.columns) == ["truth:happiness", "truth:AU12", "gender"]
    assert as_lists(data.truth) == [[1, 0], [None, 1], [0, 0]]
    assert [(s.what, s.excluded) for s in data.steps if s.excluded] == [("rows without a true label", 1)]
    frame = data.recorded.frame
    assert data.recorded.labels.labels == ("AU12", "happiness")
    assert list(frame.columns) == ["status", "predicted:AU12", "predicted:happiness", "detail"]
    assert frame["status"].tolist() == ["ok", "ok", "error"]
    assert as_lists(frame[["predicted:AU12", "predicted:happiness"]]) == [[0, 1], [1, 0], [None, None]]
    assert frame["detail"].tolist() == ["", "", "no prediction of AU12 in the table"]
    assert (data.card["truth"], data.card["predicted"], data.recorded.model) == ("truth_*", "pred_*", "pred_*")
    check_loader(data)


@pytest.mark.parametrize("scores", ["score_*", "score_", None])
def test_scores_of_multi_label_tables_are_stored_without_decisions(tmp_path, scores):
    """The thresholds belong to the audit's plan."""
    path = write(tmp_path / "t.csv", "id,truth_AU6,truth_AU12,score_AU12,score_AU6\na,1,0,.25,.75\nb,0,1,,\n")
    data = load_dataset(path, truth="truth_*", scores=scores)
    assert data.recorded.task == "multi-label"
    assert data.recorded.labels.labels == ("AU12", "AU6")
    frame = data.recorded.frame
    assert list(frame.columns) == ["status", "detail", "score:AU12", "score:AU6"]
    assert frame["status"].tolist() == ["ok", "error"]
    assert frame.loc["a", ["score:AU12", "score:AU6"]].tolist() == [0.25, 0.75]
    assert frame.loc["b", ["score:AU12", "score:AU6"]].isna().all()
    assert data.card["predicted"] == "scores in score_AU12, score_AU6"
    check_loader(data)


def test_decisions_and_scores_may_both_be_given(tmp_path):
    """A row with decisions but no scores has a prediction; a row with scores but no decisions does not."""
    path = write(tmp_path / "t.csv", "id,truth_x,truth_y,p_x,p_y,s_x,s_y\na,1,0,1,0,.9,.1\nb,1,0,0,0,,\nc,1,1,,,.9,.9\n")
    frame = load_dataset(path, truth="truth_*", predicted="p_*", scores="s_*").recorded.frame
    assert frame["status"].tolist() == ["ok", "ok", "error"]
    assert frame["score:x"].notna().tolist() == [True, False, False]


def test_a_row_with_a_missing_decision_has_no_prediction(tmp_path):
    """The detail names what is missing, unless the table explains it."""
    path = write(tmp_path / "t.csv", "truth_x,truth_y,pred_x,pred_y,detail\n1,0,1,1,\n1,0,,1,\n1,0,,,\n1,0,1,,blurred\n")
    frame = load(path).recorded.frame
    assert frame["status"].tolist() == ["ok", "error", "error", "error"]
    assert frame["detail"].tolist() == ["", "no prediction of x in the table", "no prediction in the table", "blurred"]
    assert as_lists(frame[["predicted:x", "predicted:y"]])[1:] == [[None, None]] * 3


def test_a_status_column_has_the_reason_for_missing_decisions(tmp_path):
    """Decisions of such a row are ignored."""
    path = write(tmp_path / "t.csv", "id,truth_x,pred_x,status\na,1,1,no_face\nb,0,1,ok\n")
    frame = load(path).recorded.frame
    assert frame["status"].tolist() == ["no_face", "ok"]
    assert frame["predicted:x"].isna().tolist() == [True, False]


def test_a_single_label_model_may_be_audited_on_multi_label_truth(tmp_path):
    """The recorded predictions are single-label."""
    path = write(tmp_path / "t.csv", "id,truth_happy,truth_sad,predicted\na,1,1,happy\nb,0,1,fearful\nc,1,0,\n")
    data = load_dataset(path, truth="truth_*")
    assert (data.task, data.recorded.task) == ("multi-label", "single-label")
    assert data.recorded.labels.labels == ("happiness", "sadness", "fear")
    assert data.recorded.frame["predicted"].fillna("-").tolist() == ["happiness", "fear", "-"]
    check_loader(data)


def test_labels_may_be_in_the_truth_or_the_predictions_only(tmp_path):
    """`reconcile` decides what is audited."""
    data = load(write(tmp_path / "t.csv", "truth_a,truth_b,pred_b,pred_c\n1,0,1,0\n0,1,1,1\n"))
    labels = reconcile(data.labels, data.recorded.labels)
    assert (labels.labels, labels.unsupported_labels, labels.extra) == (("b",), ("a",), ("c",))
    assert data.truth_for(labels).to_dict("list") == {"b": [0, 1]}


def test_a_single_column_may_be_named_with_patterns_of_scores(tmp_path):
    """A star is also allowed where the truth is one column."""
    path = write(tmp_path / "t.csv", "id,label,happy_p,sad_p\na,happy,.9,.1\nb,sad,.6,.4\n")
    assert load_dataset(path, scores="*_p").recorded.frame["predicted"].tolist() == ["happiness", "happiness"]


@pytest.mark.parametrize(("labels", "order"), [("AU12,happy", ("AU12", "happiness")), ("happy,AU12", ("happiness", "AU12"))])
def test_labels_set_the_order(tmp_path, labels, order):
    """They must be those of the columns."""
    assert load(write(tmp_path / "t.csv", HEADER + ROWS), labels=labels).labels.labels == order


@pytest.mark.parametrize(
    ("content", "options", "kind", "complaint"),
    [
        (
            HEADER + "a,2,0,0,1,f\n",
            {},
            DataError,
            "column 'truth_happy', row 'a': '2' is neither 1 nor 0; write 1 or 0, or leave it",
        ),
        (HEADER + "a,yes,0,0,1,f\n", {}, DataError, "column 'truth_happy', row 'a': 'yes' is neither 1 nor 0"),
        (HEADER + "a,1,0,9,1,f\n", {}, DataError, "column 'pred_AU12', row 'a': '9' is neither 1 nor 0; .*leave the row empty"),
        (HEADER + "a,1,0,.5,1,f\n", {}, DataError, r"column 'pred_AU12', row 'a': '0\.5' is neither 1 nor 0"),
        (HEADER + "a,9,,0,1,f\n", {}, DataError, r"every true label is unknown \(truth_happy, truth_AU12\); fill in"),
        (HEADER + "a,1,0,,,f\n", {}, DataError, "has no prediction in any row; fill in the columns"),
        (
            HEADER + ROWS,
            {"truth": "truht_*"},
            UsageError,
            r"no column that matches --truth 'truht_\*'; available: id, truth_happy, truth_AU12",
        ),
        (
            HEADER + ROWS,
            {"predicted": "prd_*"},
            UsageError,
            r"no column that matches --predicted 'prd_\*'; available: id, truth_happy",
        ),
        (HEADER + ROWS, {"scores": "score_*"}, UsageError, r"no column that matches --scores 'score_\*'"),
        (HEADER + ROWS, {"truth": "*_*"}, UsageError, r"--truth '\*_\*' must have one star, which stands for the label"),
        (
            HEADER + ROWS,
            {"truth": "gender"},
            UsageError,
            "--predicted 'pred_.*' names one column per label, but the truth is one",
        ),
        (HEADER + ROWS, {"predicted": "truth_*"}, UsageError, "the column 'truth_happy' matches several of --truth"),
        (HEADER + ROWS, {"predicted": None}, UsageError, "has no column called predicted.* and no scores; name them with"),
        (
            HEADER + ROWS,
            {"labels": "happy,sad"},
            UsageError,
            "label 'AU12' is not one of own labels; .*change --labels or --truth",
        ),
        (HEADER + ROWS, {"labels": "happy,AU12,AU6"}, UsageError, r"no column of true labels for AU6 \(--labels\)"),
        (
            HEADER + ROWS,
            {"model_labels": "happy,AU12"},
            UsageError,
            "--model-labels: the labels of .* are those of its columns",
        ),
        ("truth_happy,truth_joy,pred_x\n1,1,1\n", {}, LabelError, "has happiness more than once"),
        ("truth_x,truth:x,pred_x\n1,1,1\n", {"truth": "truth*"}, DataError, "two columns for 'x' .*: 'truth_x' and 'truth:x'"),
        (
            "truth_x,pred_x,s_y\n1,1,.5\n",
            {"scores": "s_*"},
            DataError,
            "'x' has a column of predictions or of scores but not both",
        ),
        (
            "truth_x,truth_y,s_x,s_y\n1,1,.5,\n",
            {"predicted": None, "scores": "s_*"},
            DataError,
            "row '1': some scores are missing",
        ),
        ("truth_x,s_x\n1,inf\n", {"predicted": None, "scores": "s_*"}, DataError, "the score 'inf' is not a finite number"),
        ("truth_x,pred_x,status\n1,,ok\n0,1,ok\n", {}, DataError, "row '1': the status is ok but there is no prediction"),
    ],
)
def test_invalid_multi_label_tables_are_refused_in_one_line(tmp_path, content, options, kind, complaint):
    """The message says what is wrong, in which row and column, and how to fix it."""
    with pytest.raises(kind, match=complaint) as caught:
        load(write(tmp_path / "t.csv", content), **options)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, FairferError)


SPELLINGS = {1: ["1", "true", "True", "1.0"], 0: ["0", "false", "FALSE", "0.0"], None: ["", "9", "NA", "nan", "unknown"]}


@settings(max_examples=25)
@given(cells, st.randoms(use_true_random=False))
def test_multi_label_tables_round_trip(tmp_path_factory, rows, random):
    """Any mix of spellings gives the same truth; rows of unknowns are excluded."""
    path = tmp_path_factory.mktemp("t") / "t.csv"
    text = [",".join([str(i), *(random.choice(SPELLINGS[v]) for v in row), "1"]) for i, row in enumerate(rows)]
    write(path, "\n".join(["id,AU6_true,AU12_true,AU4_true,p_AU6", *text]) + "\n")
    known = {str(i): row for i, row in enumerate(rows) if row != [None] * 3}
    if not known:
        with pytest.raises(DataError, match="every true label is unknown"):
            load_dataset(path, truth="*_true", predicted="p_*")
        return
    data = load_dataset(path, truth="*_true", predicted="p_*")
    assert data.labels.labels == UNITS.labels
    assert dict(zip(data.samples.index, as_lists(data.truth), strict=True)) == known


@settings(max_examples=15)
@given(cells)
def test_files_give_the_truth_of_the_frame(tmp_path_factory, rows):
    """Parquet with nullable integers and CSV give the same digest."""
    if all(row == [None] * 3 for row in rows):
        return
    folder = tmp_path_factory.mktemp("t")
    frame = pd.DataFrame(rows, columns=["t_a", "t_b", "t_c"]).astype("Int64").assign(p_a=1, g="x")
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_parquet(folder / "t.parquet", index=False)
    digests = {load_dataset(p, truth="t_*", predicted="p_*").digest for p in (folder / "t.csv", folder / "t.parquet", frame)}
    assert len(digests) == 1


# --- folders ---------------------------------------------------------------------------------------------------------


def test_metadata_may_have_one_column_per_label(tmp_path, write_pictures):
    """Also in split folders that have different labels: an entry that is not there is unknown."""
    write_pictures(tmp_path / "f", ["train/a.png", "test/a.png", "test/b.png"])
    write(tmp_path / "f" / "train" / "metadata.csv", "file_name,truth_happy,gender\na.png,1,f\n")
    write(tmp_path / "f" / "test" / "metadata.csv", "file_name,truth_happy,truth_AU12,label\na.png,0,1,x\nb.png,9,,x\n")
    data = load_dataset(tmp_path / "f", truth="truth_*")
    assert data.task == "multi-label"
    truth = dict(zip(data.samples.index, as_lists(data.truth[["happiness", "AU12"]]), strict=True))
    assert truth == {"test/a.png": [0, 1], "train/a.png": [1, None]}
    assert [a.name for a in data.attributes] == ["gender"]
    assert sorted(data.samples["split"]) == ["test", "train"]
    assert [s.excluded for s in data.steps if s.excluded] == [1]
    check_loader(data)


def test_a_truth_column_needs_metadata(tmp_path, write_pictures):
    """Label folders have no columns."""
    write_pictures(tmp_path / "f", ["happy/a.png"])
    with pytest.raises(UsageError, match=r"--truth 'truth_\*' names a column, but .* has no metadata\.csv; add one, or remove"):
        load_dataset(tmp_path / "f", truth="truth_*")
    write(tmp_path / "f" / "metadata.csv", "file_name,truth_x\nhappy/a.png,3\n")
    with pytest.raises(DataError, match=r"metadata\.csv, column 'truth_x', row 'happy/a\.png': '3' is neither 1 nor 0"):
        load_dataset(tmp_path / "f", truth="truth_*")


# --- FER+ ------------------------------------------------------------------------------------------------------------


def official_targets(votes) -> list[int] | None:
    """Independent implementation of ``multi_target``: the emotions of a face, or ``None`` if the official reader excludes it.

    Works with whole numbers, one face at a time: votes of at most 1 are dropped; classes with at least 3/10 of the others are
    kept; the face is excluded if they have at most half of the votes, or if its first largest class is not an emotion.
    """
    counts = [v if v > 1 else 0 for v in votes]
    total = sum(counts)
    kept = {i: v for i, v in enumerate(counts) if 10 * v >= 3 * total and v}
    if 2 * sum(kept.values()) <= total:
        return None
    if min(i for i in kept if kept[i] == max(kept.values())) >= 8:
        return None
    return [int(i in kept) for i in range(8)]


def targets(data: Dataset) -> dict[str, list[int]]:
    """The true labels of each sample."""
    return dict(zip(data.samples.index, as_lists(data.truth), strict=True))


def test_multi_target_is_multi_label(tmp_path, write_ferplus):
    """The targets are all emotions that the rule keeps."""
    data = load_dataset(write_ferplus(tmp_path), rule="multi_target")
    assert data.task == "multi-label"
    assert list(data.samples.columns) == [*(f"truth:{n}" for n in FERPLUS.labels), "split"]
    assert targets(data)["fer0000002.png"] == [1, 1, 0, 0, 0, 0, 0, 0]
    assert targets(data)["fer0000006.png"] == [0, 0, 0, 0, 0, 0, 0, 1]
    assert set(targets(data)) == {f"fer000000{i}.png" for i in (0, 1, 2, 3, 6)}
    assert list(data.votes.index) == list(data.samples.index)
    check_loader(data)


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 6), min_size=10, max_size=10), min_size=1, max_size=6))
def test_multi_target_agrees_with_an_independent_implementation(tmp_path_factory, write_ferplus, rows):
    """For any votes."""
    votes = {f"fer{i:07d}.png": row for i, row in enumerate(rows)}
    expected = {n: t for n, row in votes.items() if (t := official_targets(row)) is not None}
    root = write_ferplus(tmp_path_factory.mktemp("f"), {"Test": votes})
    if not expected:
        with pytest.raises(DataError, match="no samples are left"):
            load_dataset(root, rule="multi_target")
    else:
        assert targets(load_dataset(root, rule="multi_target")) == expected


def test_real_multi_target_agrees_with_an_independent_implementation(shared):
    """On every face of the Test split, with the official number of faces."""
    data = load_dataset(shared / "data" / "ferplus", rule="multi_target")
    lines = (shared / "data" / "ferplus" / "data" / "FER2013Test" / "label.csv").read_text().splitlines()
    votes = {line.split(",")[0]: [int(v) for v in line.rsplit(",", 10)[1:]] for line in lines}
    expected = {n: t for n, row in votes.items() if (t := official_targets(row)) is not None}
    assert targets(data) == expected
    assert len(data) == 3466
    assert np.asarray(data.truth.sum()).sum() > len(data)


TABLE = pd.DataFrame(
    {"truth_AU6": [1, 0] * 10, "pred_AU6": [1, 0] * 10, "score_AU6": [0.7, 0.2] * 10, "gender": ["f", "m"] * 10}
)


def test_decisions_without_a_star_are_no_labels():
    """1 and 0 would be labels of a single-label model, and AU6 would never be predicted."""
    with pytest.raises(DataError, match=r"'pred_AU6': no predicted label .0, 1. is a true label .AU6."):
        load_dataset(TABLE, truth="truth_*", predicted="pred_AU6")


@pytest.mark.parametrize("threshold", [40, -1])
def test_a_threshold_of_probabilities_is_a_probability(threshold):
    """A percentage would make every decision the same."""
    data = load_dataset(TABLE, truth="truth_*", scores="score_*")
    with pytest.raises(UsageError, match=f"--threshold AU6={threshold}: all scores are between 0 and 1"):
        audit_predictions(data, Predictions.from_recorded(data), AuditPlan(by=[("gender",)], thresholds={"AU6": threshold}))
    logits = load_dataset(TABLE.assign(score_AU6=TABLE["score_AU6"] * 100), truth="truth_*", scores="score_*")
    plan = AuditPlan(by=[("gender",)], thresholds={"AU6": 40}, permutations=100)
    assert audit_predictions(logits, Predictions.from_recorded(logits), plan).rate("TPR", label="AU6").value == 1


def test_a_threshold_needs_a_score_of_every_decision():
    """Without a score the decision would become 0."""
    table = TABLE.assign(score_AU6=TABLE["score_AU6"].mask(TABLE.index == 2))
    data = load_dataset(table, truth="truth_*", predicted="pred_*", scores="score_*")
    predictions = Predictions.from_recorded(data)
    with pytest.raises(DataError, match=r"decisions without a score: 1 \(the first is that of 3\)"):
        audit_predictions(data, predictions, AuditPlan(by=[("gender",)], thresholds={"AU6": 0.4}))
    assert audit_predictions(data, predictions, AuditPlan(permutations=100)).rate("TPR", label="AU6").value == 1
