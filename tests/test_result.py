"""``audit.json``: a complete, reproducible record that is read only if it is valid; and tables and scores of an audit."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

import fairfer
from fairfer.audits.plan import AuditPlan
from fairfer.audits.result import SCHEMA_VERSION, TABLES, Audit
from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import Dataset
from fairfer.errors import RunError, UsageError
from fairfer.labels import LabelSpace
from fairfer.metrics.score_bins import bin_of
from fairfer.metrics.scores import compute_scores
from fairfer.predictions.inference import predict
from fairfer.predictions.predictions import Predictions
from fairfer.testing import FakeModel
from fairfer.vocabulary import EVERYONE, NO_ANSWER

MINIMUM = 3


@pytest.fixture(scope="module")
def predictions_and_audit(toy_factory):
    """Twelve samples of two emotions and two groups, one of them without an answer."""
    truth = ["anger"] * 6 + ["fear"] * 6
    predicted = [4, 4, 5, 4, 4, 4, 6, 6, 6, 4, 4, 250]
    dataset = toy_factory(truth, {"gender": ["f", "m"] * 6, "<b>": ["x & y"] * 12, "light": ["dim"] * 12}, said=predicted)
    predictions = predict(dataset, FakeModel(no_face=[250]))
    plan = AuditPlan(by=["gender", "<b>"], minimum=MINIMUM, permutations=100, standardize=["light"])
    return dataset, predictions, fairfer.audit(dataset, predictions, plan)


@pytest.fixture(scope="module")
def toy_audit(predictions_and_audit) -> Audit:
    return predictions_and_audit[2]


def test_an_audit_is_read_as_it_was_written(toy_audit, tmp_path):
    """Every field and the same bytes, by file or by folder; scores, histograms and confusions included."""
    toy_audit.write(tmp_path / "run" / "audit.json")
    for place in (tmp_path / "run", tmp_path / "run" / "audit.json", str(tmp_path / "run")):
        assert Audit.read(place) == toy_audit
    audit = Audit.read(tmp_path / "run")
    assert audit.to_json() == toy_audit.to_json()
    for name in ("counts", "sizes", "confusions", "histograms", "scores", "reliability", "rates", "gaps", "standardized"):
        assert getattr(audit, name), name
    assert audit.score_scale == "probability"
    assert all(isinstance(row.group, tuple) for row in audit.confusions)


def test_the_file_is_plain_json_with_a_line_per_row(toy_audit):
    """Two audits can be compared line by line; a value that is not estimable is null with a status."""
    text = toy_audit.to_json()
    value = json.loads(text, parse_constant=pytest.fail)
    assert value["schema_version"] == SCHEMA_VERSION
    lines = {line.strip().rstrip(",") for line in text.splitlines()}
    for name in TABLES:
        assert {json.dumps(row, ensure_ascii=False) for row in value[name]} <= lines
    undefined = [r for r in value["rates"] if r["status"] in ("not_estimable", "empty")]
    assert undefined
    assert all(r["value"] is None for r in undefined)
    assert all(r["value"] is not None for r in value["rates"] if r["status"] in ("ok", "small"))
    assert text.endswith("}\n")


def test_rates_groups_and_sizes_are_accessed_by_name(toy_audit):
    """A group is a tuple or text; everyone is ``*`` or the empty tuple."""
    assert toy_audit.rate("accuracy").value == pytest.approx(8 / 12)
    assert toy_audit.rate("accuracy", attribute="*", group="*") == toy_audit.rate("accuracy", attribute=(), group=())
    assert toy_audit.rate("coverage", attribute="gender", group="m").value == pytest.approx(5 / 6)
    tpr = toy_audit.rate("TPR", label="anger", attribute=("gender",), group=("f",))
    assert (tpr.numerator, tpr.denominator) == (2, 3)
    assert toy_audit.groups("gender") == [("f",), ("m",)]
    assert toy_audit.groupings == [("gender",), ("<b>",)]
    assert toy_audit.size() == 12
    assert toy_audit.size("gender", "f") == 6
    assert toy_audit.support("anger", "gender", "m") == 3
    with pytest.raises(UsageError, match=r"has no TPR of 'anger' for gender=x; Audit\.frame\('rates'\) lists what it has"):
        toy_audit.rate("TPR", label="anger", attribute="gender", group="x")


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_a_data_frame(toy_audit, name):
    """One row per row of the audit, with its fields as columns; groupings, groups and lists are text."""
    frame, rows = toy_audit.frame(name), getattr(toy_audit, name)
    assert len(frame) == len(rows)
    without = ("pooled", "interactions", "gee", "answer_times", "action_unit_shares", "conditioned_gaps", "pattern_gaps")
    assert rows or name in without  # this audit does not ask for them
    assert list(frame.columns) == list(TABLES[name].model_fields)
    assert list(frame["attribute"]) == [",".join(r.attribute) or "*" for r in rows]
    if "group" in frame:
        texts = [None if r.group is None else ",".join(r.group) or "*" for r in rows]
        assert [None if pd.isna(x) else x for x in frame["group"]] == texts
    assert not frame.map(lambda x: isinstance(x, list | tuple)).any(axis=None)
    for column in ("value", "low", "high", "rate"):
        if column in frame and frame[column].dtype == float:
            assert [None if pd.isna(x) else x for x in frame[column]] == [getattr(r, column) for r in rows]


def test_data_frames_keep_whole_numbers_and_names(toy_audit):
    """Also where some numbers are missing. An unknown table is refused with the nearest name."""
    assert str(toy_audit.frame()["numerator"].dtype) == "Int64"
    assert toy_audit.frame("sizes").query("attribute == '*'")["total"].sum() == 12
    assert toy_audit.frame("confusions").query("attribute == '*'")["count"].sum() == 12
    gaps = toy_audit.frame("gaps")
    assert set(gaps["groups"]) == {"f; m", "x & y", ""}
    assert gaps.query("attribute == 'gender' and rate == 'coverage'")["worst"].item() == "m"
    with pytest.raises(UsageError, match="no table 'rate'; did you mean 'rates'"):
        toy_audit.frame("rate")


# --- scores and confusions -------------------------------------------------------------------------------------------


def test_histograms_hold_the_scores_of_the_predictions(predictions_and_audit):
    """Every answered sample once per label and group, in the bin of its score."""
    dataset, predictions, audit = predictions_and_audit
    answered = predictions.frame["status"] == "ok"
    for row in audit.histograms:
        members = answered.copy()
        for name, level in zip(row.attribute, row.group, strict=True):
            members &= dataset.samples[name] == level
        bins = bin_of(predictions.frame.loc[members, f"score:{row.label}"].to_numpy(np.float32))
        positive = (dataset.samples.loc[members, "label"] == row.label).to_numpy()
        assert row.bins == sorted(set(bins))
        assert row.positives == [int((positive & (bins == b)).sum()) for b in row.bins]
        assert row.negatives == [int((~positive & (bins == b)).sum()) for b in row.bins]


def audit_arrays(truth, *, predicted=None, scores=None, groups=None, **options) -> Audit:
    """An audit of arrays; the predicted label is the one with the highest score unless it is given."""
    samples = pd.DataFrame({"label": truth, **(groups or {})}, dtype="str").rename(index=str)
    labels = LabelSpace("labels", tuple(sorted(set(truth) if scores is None else scores)))
    attributes = tuple(Attribute(name, tuple(sorted(set(values)))) for name, values in (groups or {}).items())
    dataset = Dataset("arrays", labels, samples, attributes)
    frame = pd.DataFrame({"status": "ok", "predicted": predicted}, index=samples.index).rename_axis("sample_id")
    if scores is not None:
        frame = frame.assign(predicted=scores.idxmax(axis=1).to_numpy())
        frame = frame.join(scores.astype("float32").add_prefix("score:").set_index(frame.index))
    predictions = Predictions("model", "1", labels, {}, dataset.images_digest, frame)
    return fairfer.audit(dataset, predictions, permutations=100, **options)


ORACLES = {
    "auroc": roc_auc_score,
    "average_precision": average_precision_score,
    "brier_score": brier_score_loss,
}


@settings(max_examples=4)
@given(seed=st.integers(0, 2**16), decimals=st.integers(1, 7), n=st.integers(4, 60))
def test_scores_of_an_audit_agree_with_scikit_learn(seed, decimals, n):
    """Within the interval of each row, and within the error of binning, with ties where scores have few decimals."""
    generator = np.random.default_rng(seed)
    labels = ["anger", "fear", "neutral"]
    truth = generator.choice(labels, n)
    logits = generator.normal(0, 2, (n, 3)) + 2 * (truth[:, None] == np.array(labels))
    scores = np.round(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), decimals).astype(np.float32)
    gender = generator.choice(["f", "m"], n)
    audit = audit_arrays(truth, scores=pd.DataFrame(scores, columns=labels), groups={"gender": gender}, minimum=5)
    assert {r.metric for r in audit.scores} == {*ORACLES, "expected_calibration_error"}
    for row in audit.scores:
        members = np.ones(n, bool) if row.group == EVERYONE else gender == row.group[0]
        positive, score = truth[members] == row.label, scores[members, labels.index(row.label)].astype(float)
        assert (row.positives, row.negatives) == (positive.sum(), (~positive).sum())
        if min(row.positives, row.negatives) == 0:
            if row.metric in ("auroc", "average_precision"):
                assert (row.value, row.status) == (None, "not_estimable")
            continue
        assert row.status == ("ok" if min(row.positives, row.negatives) >= 5 else "small")
        if row.metric not in ORACLES:
            assert row.low <= row.value <= row.high
            continue
        expected = ORACLES[row.metric](positive, score)
        bins = bin_of(score)
        if row.metric == "auroc":
            pairs = sum(int((bins[positive] == b).sum() * (bins[~positive] == b).sum()) for b in set(bins))
            bound = pairs / (2 * row.positives * row.negatives)
        elif row.metric == "brier_score":
            bound = 0.001
        else:  # exact unless different scores share a bin; then the limits, which include the error of binning, are checked
            bound = 1.0 if len(set(bins)) < len(set(score)) else 0.0
        assert row.value == pytest.approx(expected, abs=bound + 1e-9)
        assert row.low - 1e-9 <= expected <= row.high + 1e-9


def test_confusions_agree_with_the_predictions(predictions_and_audit):
    """Count, support and rate of every truth and prediction, missing answers included."""
    dataset, predictions, audit = predictions_and_audit
    frame = dataset.samples.assign(
        predicted=predictions.frame["predicted"].where(predictions.frame["status"] == "ok", NO_ANSWER)
    )
    for row in audit.confusions:
        part = frame
        for name, level in zip(row.attribute, row.group, strict=True):
            part = part[part[name] == level]
        part = part[part["label"] == row.truth]
        assert (row.count, row.support) == ((part["predicted"] == row.predicted).sum(), len(part))
        assert row.rate == (row.count / row.support if row.support else None)
        assert row.status == ("ok" if row.support >= MINIMUM else "small" if row.support else "not_estimable")
    assert {r.predicted for r in audit.confusions} == {*audit.labels.audited, NO_ANSWER}


def test_without_scores_there_are_no_score_tables():
    """Recorded labels alone."""
    audit = audit_arrays(["anger", "fear"] * 4, predicted=["anger", "anger"] * 4, minimum=1)
    assert (audit.score_scale, audit.scores, audit.histograms, audit.reliability) == (None, [], [], [])
    assert audit.frame("scores").empty
    assert list(audit.frame("scores").columns) == list(TABLES["scores"].model_fields)
    assert compute_scores({}, audit.plan.metrics).metrics == []


def test_unbounded_scores_have_only_rank_metrics():
    """Logits: AUROC and average precision, and no Brier score, calibration error or reliability curve."""
    truth = ["anger", "fear"] * 10
    scores = pd.DataFrame({"anger": np.linspace(-3, 5, 20), "fear": np.linspace(4, -6, 20)})
    audit = audit_arrays(truth, scores=scores, minimum=1)
    assert audit.score_scale == "unbounded"
    assert audit.reliability == []
    for row in audit.scores:
        if row.metric in ("brier_score", "expected_calibration_error"):
            assert (row.value, row.status) == (None, "unbounded_scores")
        elif row.metric == "auroc":
            assert row.value == pytest.approx(roc_auc_score(np.array(truth) == row.label, scores[row.label]), abs=1e-9)


# --- damaged files ---------------------------------------------------------------------------------------------------


def change(**fields):
    """Change fields of the JSON; ``None`` removes a field."""

    def apply(text: str) -> str:
        value = {**json.loads(text), **fields}
        return json.dumps({k: v for k, v in value.items() if v is not None})

    return apply


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda text: text[: len(text) // 2], r"audit\.json is not JSON"),
        (lambda text: "[1]", "has schema version None, this version of fairfer reads 3; make the audit again"),
        (change(schema_version=1), "has schema version 1, this version of fairfer reads 3"),
        (change(schema_version=None), "has schema version None"),
        (change(counts=None), "counts: field required; it was damaged or edited, make the audit again"),
        (change(verdict="fair"), "verdict: extra inputs are not permitted"),
        (change(gaps=[{"label": 3}]), r"gaps\.0\.label: input should be a valid string"),
        (lambda text: text.replace('"numerator": 8', '"numerator": 9', 1), "was edited after it was written"),
        (lambda text: text.replace('"value": 0.', '"value": NaN, "x": 0.', 1), "indices|scores|rates"),
    ],
)
def test_a_damaged_or_edited_file_is_refused(toy_audit, tmp_path, damage, complaint):
    """In one line that names the file and the field."""
    (tmp_path / "audit.json").write_text(damage(toy_audit.to_json()))
    with pytest.raises(RunError, match=complaint) as refusal:
        Audit.read(tmp_path)
    assert "\n" not in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_missing_or_binary_file_is_refused(tmp_path, content):
    """With the step that is needed first."""
    if content is not None:
        (tmp_path / "audit.json").write_bytes(content)
    with pytest.raises(RunError, match=r"audit\.json cannot be read \(.+\); make the audit first"):
        Audit.read(tmp_path)


def test_an_audit_is_immutable(toy_audit):
    """A report and a gate use the same numbers."""
    with pytest.raises(ValueError, match="frozen"):
        toy_audit.date = "2000-01-01"


def test_reading_an_audit_imports_no_numerical_library(toy_audit, tmp_path):
    """The gate reads ``audit.json`` without numpy, pandas and the like."""
    toy_audit.write(tmp_path / "audit.json")
    code = (
        "import sys; from fairfer.audits.result import Audit; Audit.read(sys.argv[1]).rate('accuracy'); "
        "print(sorted({'pandas', 'numpy', 'duckdb', 'PIL', 'fairlearn', 'pyarrow', 'scipy'} & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: a.groups("gendr"), "does not group by 'gendr'; did you mean 'gender'"),
        (lambda a: a.size("gender", "F"), "no group gender=F"),
        (lambda a: a.size("race", "f"), "no group race=f"),
        (lambda a: a.support("angre"), "no label 'angre'; did you mean 'anger'"),
        (lambda a: a.support("anger", "gender", "x"), "no group gender=x"),
    ],
)
def test_a_misspelled_name_has_no_size(toy_audit, call, message):
    """0 samples would be a wrong answer."""
    with pytest.raises(UsageError, match=message):
        call(toy_audit)
