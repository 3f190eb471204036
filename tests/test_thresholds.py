"""Thresholds chosen on other samples, and labels that too few samples have."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

import fairfer
import fairfer.cli.main
from fairfer.audits.audit import audit_predictions, rebuild
from fairfer.audits.plan import AuditPlan
from fairfer.audits.result import Audit
from fairfer.audits.threshold_choice import Validation, with_chosen_thresholds
from fairfer.cli.thresholds import FOLDER
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, RunError, UsageError
from fairfer.metrics.thresholds import GRID, choose_threshold
from fairfer.predictions.predictions import Predictions
from fairfer.report.sections import PROVENANCE
from fairfer.report.summary import summary
from fairfer.report.view import View

UNITS = ("AU1", "AU4", "AU6", "AU12")


def table(seed: int, prefix: str, n: int = 240, rare: float = 0.3) -> pd.DataFrame:
    """Truth with unknown entries and scores of four action units; AU4 has the prevalence `rare`."""
    draw = np.random.default_rng(seed)
    rows = {
        "id": [f"{prefix}{i}" for i in range(n)],
        "gender": ["f", "m"] * (n // 2),
        "actor": [f"s{i % 12}" for i in range(n)],
    }
    for i, unit in enumerate(UNITS):
        truth = (draw.random(n) < (rare if unit == "AU4" else 0.35)).astype(int)
        rows[f"score_{unit}"] = np.round(np.clip(draw.normal(0.2 + 0.25 * truth + 0.05 * i * truth, 0.15), 0, 1), 2)
        rows[f"truth_{unit}"] = np.where(draw.random(n) < 0.1, 9, truth)
    return pd.DataFrame(rows)


def load(frame: pd.DataFrame, name: str):
    """The table as a dataset with its recorded scores."""
    data = load_dataset(frame, truth="truth_*", scores="score_*", sample_id="id", name=name)
    return data, Predictions.from_recorded(data)


@pytest.fixture
def valid():
    return load(table(1, "v"), "valid")


@pytest.fixture
def test():
    return load(table(2, "t"), "test")


PLAN = AuditPlan(by=(("gender",),), permutations=100)


def brute_force(truth: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Best threshold and its F1, by scikit-learn."""
    known = ~np.isnan(truth)
    results = []
    for percent in range(10, 91, 5):
        decided = scores[known] >= np.float32(percent / 100)
        results.append((f1_score(truth[known], decided, zero_division=0), -abs(percent - 50), -percent))
    f1, _, negative = max(results)
    return -negative / 100, f1


samples = st.lists(st.tuples(st.sampled_from([0.0, 1.0, np.nan]), st.integers(0, 20)), min_size=1, max_size=40)


@given(samples)
def test_the_threshold_is_that_of_a_brute_force_search(rows):
    """Ties go to the threshold nearest 0.5, then to the lower; unknown entries are left out."""
    truth, scores = np.array([r[0] for r in rows]), np.array([r[1] / 20 for r in rows], np.float32)
    chosen = choose_threshold("x", truth, scores)
    assert (chosen.positives, chosen.negatives) == ((truth == 1).sum(), (truth == 0).sum())
    if not (truth == 1).any():
        assert (chosen.threshold, chosen.status, chosen.f1, chosen.f1_default) == (0.5, "no_positives", None, None)
        return
    threshold, f1 = brute_force(truth, scores)
    assert (chosen.threshold, chosen.status) == (threshold, "chosen")
    assert chosen.f1 == pytest.approx(f1)
    assert chosen.threshold in GRID


def test_a_score_equal_to_the_threshold_is_positive_and_ties_go_to_the_middle():
    """0.6 in float32 is below 0.6 in float64; both sides of a comparison are float32."""
    chosen = choose_threshold("x", [1, 1, 0], np.array([0.6, 0.6, 0.55], np.float32))
    assert (chosen.threshold, chosen.f1) == (0.6, 1.0)
    assert choose_threshold("x", [1, 0], [0.9, 0.1]).threshold == 0.5
    assert choose_threshold("x", [1, 0, 0], [0.9, 0.44, 0.53]).threshold == 0.55
    assert choose_threshold("x", [1, 1], [np.nan, 0.3]).f1 == pytest.approx(2 / 3)
    assert choose_threshold("x", [1, 0], [0.3, 0.1], given=0.8).model_dump() == {
        "label": "x", "threshold": 0.8, "status": "given", "f1": 0.0, "f1_default": 0.0, "positives": 1, "negatives": 1
    }  # fmt: skip


def test_thresholds_are_chosen_on_the_other_samples_and_stored_in_the_plan(valid, test, tmp_path):
    """Every F1 is recomputed; explicit thresholds stay; the audit uses them and can be rebuilt without the other samples."""
    plan = PLAN.model_copy(update={"thresholds": {"AU12": 0.8}, "subject": "actor"})
    result = fairfer.audit(*test, plan, choose_thresholds=valid, run=tmp_path, date="2026-01-01")
    test[1].write(tmp_path)
    source = result.plan.thresholds_from
    data, predictions = valid
    assert (source.source, source.dataset, source.samples) == ("valid", "valid", len(data))
    assert (source.digest, source.predictions_digest) == (data.digest, predictions.digest)
    assert source.shared_subjects == 12
    for chosen in source.labels:
        truth = data.truth[chosen.label].to_numpy(float, na_value=np.nan)
        scores = predictions.frame[f"score:{chosen.label}"].to_numpy(np.float32)
        best, f1 = brute_force(truth, scores)
        if chosen.label == "AU12":
            assert (chosen.threshold, chosen.status) == (0.8, "given")
            assert chosen.f1 < f1
        else:
            assert (chosen.threshold, chosen.status) == (best, "chosen")
            assert chosen.f1 == pytest.approx(f1)
            assert chosen.f1 > chosen.f1_default
        assert result.plan.thresholds[chosen.label] == chosen.threshold
        tested, known = test[0].truth[chosen.label], test[0].truth[chosen.label].notna()
        decided = test[1].frame[f"score:{chosen.label}"] >= chosen.threshold
        expected = f1_score(tested[known].astype(int), decided[known])
        assert result.rate("F1", label=chosen.label).value == pytest.approx(expected)
    assert AuditPlan.of(json.loads(result.plan.model_dump_json())) == result.plan
    assert rebuild(tmp_path).to_json() == result.to_json()
    assert Audit.from_json(result.to_json()).plan.thresholds_from == source
    assert "which shows 12 subjects who are also audited" in " ".join(summary(result).split())


def test_a_label_without_positives_keeps_the_default_and_is_named(test):
    """Also one of which the validation data have no truth."""
    frame = table(1, "v").drop(columns="truth_AU1")
    frame["truth_AU4"] = 0
    result = fairfer.audit(*test, PLAN, choose_thresholds=load(frame, "valid"))
    by_label = {c.label: (c.threshold, c.status, c.f1) for c in result.plan.thresholds_from.labels}
    assert by_label["AU4"] == (0.5, "no_positives", None)
    assert by_label["AU1"] == (0.5, "not_in_validation", None)
    assert result.plan.thresholds_from.without_positives() == ["AU1", "AU4"]
    text = " ".join(summary(result).split())
    assert "AU1 and AU4 keep the threshold 0.5, because no face of valid has the label" in text


def test_samples_in_both_are_refused(valid, test):
    """By name, and by the digest of the image under another name."""
    with pytest.raises(DataError, match=r"--choose-thresholds: 240 samples of test are also audited \(the first: t0\)"):
        fairfer.audit(*test, PLAN, choose_thresholds=test)
    images = [f"{i:064x}" for i in range(240)]
    for _, predictions in (valid, test):
        predictions.frame["image"] = images
    with pytest.raises(DataError, match=r"240 images of valid are also audited under another name \(the first: v0\)"):
        with_chosen_thresholds(PLAN, *test, Validation("valid", *valid))


def logits(predictions: Predictions) -> Predictions:
    """Scores below 0 and above 1."""
    frame = predictions.frame
    return replace(predictions, frame=frame.assign(**{"score:AU1": frame["score:AU1"] * 9 - 4}))


@pytest.mark.parametrize(
    ("change", "kind", "complaint"),
    [
        (lambda d, p: (d, replace(p, model="other")), RunError, "another model .other, audited: score_"),
        (lambda d, p: (d, replace(p, options={"a": "1"})), RunError, "another options"),
        (lambda _d, _p: load(table(1, "v").drop(columns="score_AU1"), "v"), RunError, "another output classes"),
        (lambda d, p: (d, logits(p)), UsageError, "scores of score_.* are not between 0 and 1"),
        (lambda _d, _p: 7, UsageError, "choose_thresholds is int"),
        (lambda d, _p: (d, d), UsageError, "choose_thresholds is tuple"),
    ],
    ids=["model", "options", "classes", "logits", "number", "no predictions"],
)
def test_other_answers_are_refused(valid, test, change, kind, complaint):
    """Those of another model, and scores that are no probabilities."""
    with pytest.raises(kind, match=complaint):
        fairfer.audit(*test, PLAN, choose_thresholds=change(*valid))


def test_a_model_of_another_version_is_refused(valid, test):
    """A table has a digest in place of a version; a model does not."""
    own = {"options": {"weights": "a"}}
    one, two = (replace(p, **own, version=v) for (_, p), v in ((valid, "1"), (test, "2")))
    with pytest.raises(RunError, match=r"another version \(1, audited: 2\)"):
        with_chosen_thresholds(PLAN, test[0], two, Validation("valid", valid[0], one))


def test_only_multi_label_audits_have_thresholds(valid):
    """And samples in arrays have no names."""
    frame = pd.DataFrame({"id": list("abcd"), "label": ["happy", "sad"] * 2, "score_happy": [0.9, 0.2] * 2})
    data = load_dataset(frame.assign(score_sad=1 - frame["score_happy"]), scores="score_*", sample_id="id")
    with pytest.raises(UsageError, match="--choose-thresholds: this audit is single-label"):
        fairfer.audit(data, Predictions.from_recorded(data), choose_thresholds=valid)
    with pytest.raises(UsageError, match="choose_thresholds needs a Dataset"):
        fairfer.audit(["happy"], ["happy"], choose_thresholds=valid)


def test_a_decision_without_a_score_is_refused(test):
    """Its threshold would make it negative."""
    frame = table(1, "v").assign(**{f"pred_{u}": 0 for u in UNITS})
    frame.loc[3, [f"score_{u}" for u in UNITS]] = np.nan
    other = load_dataset(frame, truth="truth_*", scores="score_*", predicted="pred_*", sample_id="id")
    answers = Predictions.from_recorded(other)
    answers = replace(answers, model=test[1].model)
    with pytest.raises(DataError, match="decisions without a score: 1"):
        fairfer.audit(*test, PLAN, choose_thresholds=(other, answers))


def test_explicit_thresholds_are_shown_too(test):
    """Without other samples there is no F1 to show."""
    result = audit_predictions(*test, PLAN.model_copy(update={"thresholds": {"AU6": 0.4}}))
    blocks = PROVENANCE.blocks(View(result), [])
    [place] = [i for i, b in enumerate(blocks) if getattr(b, "text", "") == "Decision thresholds"]
    assert [(d.term, d.text) for d in blocks[place + 1].items] == [("AU6", "0.4, set explicitly")]
    rare = audit_predictions(*load(table(3, "t", rare=0.04), "test"), PLAN)
    entries = {d.term: d.text for b in PROVENANCE.blocks(View(rare), []) for d in getattr(b, "items", ())}
    assert entries["not audited, because too few faces have them"].startswith("AU4 (")
    assert entries["minimum number of faces with an audited label"] == "20"


# --- labels that few samples have -------------------------------------------------------------------------------------


def test_a_rare_label_is_not_audited_but_named():
    """In audit.json, the summary and the report; the others are counted as without it."""
    data, predictions = load(table(3, "t", rare=0.04), "test")
    few = int((data.truth["AU4"] == 1).sum())
    assert 0 < few < 20
    result = audit_predictions(data, predictions, PLAN)
    assert result.labels.rare == {"AU4": few}
    assert set(result.labels.audited) == set(UNITS) - {"AU4"}
    assert {r.label for r in result.rates} == {*result.labels.audited, "*"}
    assert f"AU4 ({few} faces) is not audited, because fewer than 20 faces have the label" in " ".join(summary(result).split())
    every = audit_predictions(data, predictions, PLAN.model_copy(update={"minimum_occurrences": 0}))
    assert (every.labels.rare, set(every.labels.audited)) == ({}, set(UNITS))
    assert [r for r in every.rates if r.label in result.labels.audited] == [r for r in result.rates if r.label != "*"]


def test_a_rare_label_that_others_are_merged_into_counts_with_them():
    """Occurrences are counted as they are audited."""
    frame = table(3, "t", rare=0.04).rename(columns={"truth_AU6": "truth_AU7"})
    data, predictions = load(frame.drop(columns=["score_AU6"]).assign(score_AU9=0.5, truth_AU9=0), "test")
    merged = PLAN.model_copy(update={"unsupported_labels": "merge=AU7:AU4"})
    assert audit_predictions(data, predictions, merged).labels.rare == {"AU9": 0}
    assert "AU4" in audit_predictions(data, predictions, PLAN).labels.rare


def test_all_labels_are_audited_where_none_is_frequent_unless_a_number_is_given():
    """The default never leaves nothing; a number that leaves nothing is refused."""
    data, predictions = load(table(3, "t", n=20), "test")
    assert audit_predictions(data, predictions, PLAN).labels.rare == {}
    with pytest.raises(
        DataError, match=r"test: no label has 30 samples \(AU1: .*\); give a smaller --minimum-occurrences, or 0"
    ):
        audit_predictions(data, predictions, PLAN.model_copy(update={"minimum_occurrences": 30}))
    with pytest.raises(UsageError, match="--minimum-occurrences -1"):
        AuditPlan.of({"minimum_occurrences": -1})


def test_single_label_data_have_no_minimum_of_occurrences(toy):
    """There, a label that is left out would leave out its faces."""
    data = toy(["anger", "fear"] * 3, {"g": ["f", "m"] * 3})
    with pytest.raises(UsageError, match="--minimum-occurrences 5: toy is single-label"):
        fairfer.check_plan(AuditPlan(minimum_occurrences=5), data, data.labels)
    assert fairfer.check_plan(AuditPlan(minimum_occurrences=0), data, data.labels).rare == {}


# --- command line -----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder; returns exit code, output and messages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_units.py").write_text(
        "from fairfer.labels import FERPLUS\nfrom fairfer.testing import FakeModel\n"
        "model = FakeModel(FERPLUS, task='multi-label', name='bits')\nother = FakeModel(FERPLUS)\n"
    )

    def go(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fairfer", *arguments])
        code = 0
        try:
            fairfer.cli.main.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return go


@pytest.fixture
def ferplus(write_ferplus, tmp_path):
    """FER+ with the splits Valid and Test; names and images differ."""
    votes = [(10, 0, 0, 0, 0, 0, 0, 0, 0, 0), (0, 9, 0, 0, 0, 1, 0, 0, 0, 0), (5, 5, 0, 0, 0, 0, 0, 0, 0, 0)]
    splits = {
        name: {f"fer{start + i:07d}.png": votes[i % 3] for i in range(12)} for name, start in (("Valid", 0), ("Test", 500))
    }
    write_ferplus(tmp_path / "data", splits)
    return "data"


@pytest.mark.usefixtures("few_figures")
def test_a_split_is_answered_by_the_model_and_resumed(run, ferplus, tmp_path):
    """``validation`` is called ``valid`` by this loader; the answers are stored below the run."""
    arguments = ("audit", ferplus, "--rule", "multi_target", "--model", "own_units:model", "--out", "out", "--name", "faces")
    code, out, err = run(*arguments, "--choose-thresholds", "validation")
    assert code == 0, err
    assert "Report: out" in out
    result = Audit.read(tmp_path / "out")
    source = result.plan.thresholds_from
    assert (source.source, source.dataset, source.samples) == ("validation", "faces validation", 12)
    assert Predictions.read(tmp_path / "out" / FOLDER).digest == source.predictions_digest
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Decision thresholds" in page
    assert f"digest {source.digest[:12]}" in page
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert run("report", "out")[0] == 0
    assert {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()} == before
    code, out, err = run(*arguments, "--choose-thresholds", "validation")
    assert code == 0
    assert f"12 of 12 answers reused from out/{FOLDER}" in err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--model", "own_units:model", "--choose-thresholds", "test"), "12 samples of FER+ test are also audited"),
        (("--model", "own_units:model", "--choose-thresholds", "trian"), "--split 'trian' does not exist"),
        (("--model", "own_units:model", "--choose-thresholds", "runs/none"), "neither a folder that fairfer audit wrote nor a"),
        (("--model", "own_units:other", "--rule", "majority", "--choose-thresholds", "valid"), "this audit is single-label"),
    ],
)
def test_what_cannot_be_chosen_on_is_refused_before_the_model_runs(run, ferplus, tmp_path, options, complaint):
    """In one line, with exit code 2."""
    code, _, err = run("audit", ferplus, "--rule", "multi_target", "--out", "out", *options)
    assert code == 2
    assert complaint in err
    assert not (tmp_path / "out" / "predictions").exists()


@pytest.mark.usefixtures("few_figures")
def test_a_run_of_other_samples(run, tmp_path):
    """A table has no splits; another table was audited before."""
    for seed, name in ((1, "v"), (2, "t")):
        table(seed, name).to_csv(tmp_path / f"{name}.csv", index=False)
    columns = ("--truth", "truth_*", "--scores", "score_*", "--sample-id", "id", "--by", "gender", "--permutations", "100")
    assert run("audit", "v.csv", *columns, "--out", "runs/v")[0] == 0
    arguments = ("audit", "t.csv", *columns, "--out", "runs/t", "--choose-thresholds", "runs/v")
    assert run(*arguments, "--threshold", "AU6=0.7")[0] == 0
    plan = Audit.read(tmp_path / "runs/t").plan
    expected = fairfer.audit(*load(table(2, "t"), "t"), PLAN, choose_thresholds=load(table(1, "v"), "v")).plan
    assert plan.thresholds == {**expected.thresholds, "AU6": 0.7}
    assert 'choose-thresholds = "runs/v"' in Audit.read(tmp_path / "runs/t").config
    code, _, err = run("audit", "v.csv", *columns, "--out", "runs/v", "--choose-thresholds", "runs/v")
    assert code == 2
    assert "--choose-thresholds runs/v is the folder of this audit" in err
    code, _, err = run("audit", "v.csv", *columns, "--out", "runs/w", "--choose-thresholds", "runs/v")
    assert (code, "240 samples of v are also audited" in err) == (2, True)
    code, _, err = run("audit", "t.csv", *columns, "--out", "runs/w", "--choose-thresholds", "valid")
    assert (code, "--split is not an option of a table dataset" in err) == (2, True)
