"""The command line: what it prints where, what it leaves on disk, and how it fails."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fairfer.cli.main
from fairfer.errors import FairferError

PROJECT = Path(fairfer.__file__).parent.parent

ROWS = """id,label,predicted,gender,race
1,happy,happy,female,black
2,happy,sad,male,white
3,sad,sad,female,white
4,sad,,male,black
5,neutral,neutral,,white
6,neutral,happy,male,white
"""


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")

    def go(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["fairfer", *arguments])
        code = 0
        try:
            fairfer.cli.main.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return go


@pytest.fixture
def table(tmp_path) -> Path:
    """A small table of predictions."""
    path = tmp_path / "predictions.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


@pytest.mark.usefixtures("few_figures")
def test_audit_of_a_table_writes_everything(run, table, tmp_path) -> None:
    """A table is audited with no model and no image: report, audit.json, tables and figures are there."""
    done = run("audit", str(table), "--by", "gender", "--by", "gender,race", "--out", "out")
    assert done.code == 0, done.err
    assert "Report: out/report.html" in done.out
    out = tmp_path / "out"
    assert (out / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>".upper()[:2])
    with (out / "tables" / "rates.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "label",
        "attribute",
        "group",
        "rate",
        "value",
        "numerator",
        "denominator",
        "low",
        "high",
        "status",
        "subjects",
    ]
    missed = next(r for r in rows if (r["label"], r["group"], r["rate"]) == ("sadness", "male", "TPR"))
    assert (missed["numerator"], missed["denominator"], missed["status"]) == ("0", "1", "small")
    assert any(r["attribute"] == "gender,race" and r["group"] == "female,black" for r in rows)
    assert any((r["label"], r["attribute"], r["group"], r["rate"]) == ("*", "*", "*", "accuracy") for r in rows)
    assert any(r["group"] == "unannotated" for r in rows)
    found = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    assert found["command"].startswith("fairfer audit ")
    assert list((out / "figures").glob("*.png"))
    assert list((out / "figures").glob("*.svg"))


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.usefixtures("few_figures")
def test_report_rebuilds_byte_for_byte(run, table, tmp_path) -> None:
    """``fairfer report`` makes the same bytes again from what the run holds, without the table."""
    assert run("audit", str(table), "--by", "gender", "--out", "out").code == 0
    before = _files(tmp_path / "out")
    table.unlink()
    for path in (tmp_path / "out").rglob("*"):
        if (
            path.is_file()
            and path.parent.name in ("tables", "figures", "out")
            and path.suffix != ".parquet"
            and path.name != "run.json"
        ):
            path.unlink()
    done = run("report", "out")
    assert done.code == 0, done.err
    assert _files(tmp_path / "out") == before


@pytest.mark.usefixtures("few_figures")
def test_two_audits_are_byte_identical(run, table, tmp_path) -> None:
    """Same inputs, same seed, same day: the same bytes, whatever the folder."""
    assert run("audit", str(table), "--by", "gender", "--out", "one").code == 0
    first = _files(tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / "kept")
    assert run("audit", str(table), "--by", "gender", "--out", "one").code == 0
    assert _files(tmp_path / "one") == first


@pytest.mark.usefixtures("few_figures")
def test_report_from_audit_json_alone(run, table, tmp_path) -> None:
    """A folder that holds only audit.json is enough for the report."""
    assert run("audit", str(table), "--by", "gender", "--out", "out").code == 0
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "audit.json").write_bytes((tmp_path / "out" / "audit.json").read_bytes())
    assert run("report", "alone").code == 0
    assert (alone / "report.html").read_bytes() == (tmp_path / "out" / "report.html").read_bytes()


@pytest.mark.usefixtures("few_figures")
def test_a_corrected_table_replaces_what_it_gave(run, table) -> None:
    """A corrected table can be audited again in the same folder, without --overwrite."""
    assert run("audit", str(table), "--by", "gender", "--out", "out").code == 0
    table.write_text(ROWS.replace("2,happy,sad", "2,happy,happy"), encoding="utf-8")
    done = run("audit", str(table), "--by", "gender", "--out", "out")
    assert done.code == 0, done.err


BAD = [
    (["audit", "nowhere"], "does not exist"),
    (["audit", "predictons.csv"], "did you mean 'predictions.csv'?"),
    (["audit", "predictions.csv", "--by", "gendr"], "did you mean 'gender'?"),
    (["audit", "predictions.csv", "--by", "gender,gender"], "once"),
    (["audit", "predictions.csv", "--truth", "lable"], "did you mean 'label'?"),
    (["audit", "predictions.csv", "--predicted", "predict"], "did you mean 'predicted'?"),
    (["audit", "predictions.csv", "--model", "baseline"], "leave --model out"),
    (["audit", "predictions.csv", "--split", "test"], "is not an option of a table dataset"),
    (["audit", "predictions.csv", "--loader", "tabel"], "did you mean 'table'?"),
    (["audit", "predictions.csv", "--unsupported-labels", "forget"], "drop, keep or merge"),
    (["audit", "predictions.csv", "--minimum", "0"], "at least 1"),
    (["audit", "predictions.csv", "--confidence", "95"], "0.5"),
    (["audit", "predictions.csv", "--permutations", "3"], "at least 100"),
    (["audit", "predictions.csv", "--bands", "age"], "COLUMN=20,40,60"),
    (["audit", "predictions.csv", "--bands", "age=20,40"], "no such column"),
    (["audit", "sample", "--model", "basline"], "did you mean 'baseline'?"),
    (["audit", "sample", "--model", "onnx:"], "nothing follows the colon"),
    (["audit", "sample", "--model", "no.such.module:Model"], "no module"),
    (["audit", "sample", "--model", "baseline", "--option", "speed"], "NAME=VALUE"),
    (["audit", "predictions.csv", "--standardize", "agee"], "no such column"),
    (["audit", "predictions.csv", "--standardize", "label"], "always standardized over"),
    (["audit", "predictions.csv", "--standardize", "vote_entropy"], "no votes of raters"),
    (["audit", "predictions.csv", "--subject", "actr"], "available: label, gender, race"),
    (["report", "nowhere"], "is not a folder"),
]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("arguments", "problem"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input_is_one_line_and_exit_2(run, tmp_path, arguments, problem) -> None:
    """Bad input: one line on stderr saying what is wrong, where and how to fix it, exit 2, nothing written."""
    before = _files(tmp_path)
    done = run(*arguments)
    assert done.code == 2
    lines = [line for line in done.err.splitlines() if not line.startswith("no --model given")]
    assert len(lines) == 1
    assert lines[0].startswith("fairfer: ")
    assert problem in lines[0]
    assert "Traceback" not in done.err
    assert done.out == ""
    assert _files(tmp_path) == before


@pytest.mark.usefixtures("few_figures")
def test_subjects_and_standardization_from_the_command_line(run, tmp_path) -> None:
    """A column that names subjects is suggested; with --subject they are counted; --standardize cuts numbers into fifths."""
    lines = ["label,predicted,gender,age,actor"]
    lines += [
        f"{'happy' if i % 3 else 'sad'},{'happy' if i % 4 else 'sad'},{'fm'[i % 2]},{20 + i % 37},a{i % 15}" for i in range(90)
    ]
    (tmp_path / "people.csv").write_text("\n".join(lines), encoding="utf-8")
    done = run("audit", "people.csv", "--by", "gender", "--out", "plain")
    assert done.code == 0, done.err
    assert "column 'actor' names 15 subjects in 90 images: with --subject actor, intervals" in done.err
    done = run("audit", "people.csv", "--by", "gender", "--subject", "actor", "--standardize", "age", "--out", "out")
    assert done.code == 0, done.err
    assert "--subject" not in done.err
    found = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    assert found["data"]["subjects"] == 15
    assert found["plan"]["standardize"] == ["age"]
    levels = next(a["levels"] for a in found["data"]["attributes"] if a["name"] == "age")
    assert [n.split()[0] for n in levels] == ["up", "up", "up", "up", "above"]
    assert (tmp_path / "out" / "tables" / "standardized_gaps.csv").is_file()
    assert not (tmp_path / "plain" / "tables" / "standardized_gaps.csv").exists()
    before = _files(tmp_path / "out")
    assert run("report", "out").code == 0
    assert _files(tmp_path / "out") == before


def test_a_bug_keeps_its_traceback(run, table, monkeypatch) -> None:
    """An error that is not the user's is shown as it is; its exit code is never that of a policy that failed."""

    def broken(*_args, **_more):
        message = "a bug"
        raise RuntimeError(message)

    monkeypatch.setattr("fairfer.audits.audit.measure_counts", broken)
    done = run("audit", str(table), "--by", "gender", "--out", "out")
    assert done.code == 2
    assert "Traceback (most recent call last)" in done.err
    assert done.err.rstrip().endswith("RuntimeError: a bug")


def test_interruption_exits_130(run, monkeypatch) -> None:
    """Ctrl-C is one line and exit 130."""

    def stop(*_args, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr("fairfer.cli.main.app", stop)
    done = run("audit")
    assert done.code == 130
    assert "interrupted" in done.err


def test_errors_are_folded_into_one_line(run, monkeypatch) -> None:
    """A message of several lines is printed as one."""

    def fail(*_args, **_more):
        message = "first\n   second"
        raise FairferError(message)

    monkeypatch.setattr("fairfer.cli.main.app", fail)
    assert run("audit").err == "fairfer: first second\n"


def test_version_and_help(run) -> None:
    """``--version`` and ``--help`` answer on stdout and exit 0; every command and option has help."""
    assert run("--version").out == f"fairfer {fairfer.__version__}\n"
    assert "audit" in run("--help").out
    for command in ("audit", "predict", "report", "models", "datasets", "download"):
        text = run(command, "--help").out
        options = re.findall(r"^  (--[a-z-]+)(.*)$", text, re.MULTILINE)
        assert all(rest.strip() for _, rest in options)


def test_models_and_datasets_are_listed(run) -> None:
    """Each has a command that lists it."""
    assert re.search(r"^baseline +\S", run("models").out, re.MULTILINE)
    listed = run("datasets").out
    assert all(name in listed for name in ("ferplus", "fer2013", "table", "folder", "sample"))


def test_every_command_is_in_the_readme() -> None:
    """The README shows each command."""
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    for command in ("audit", "predict", "report", "models", "datasets", "download"):
        assert f"fairfer {command}" in readme


@pytest.mark.usefixtures("few_figures")
def test_predict_then_audit_asks_no_model_again(run, tmp_path) -> None:
    """``fairfer predict`` keeps the answers; the audit in the same folder needs no inference."""
    (tmp_path / "mymodel.py").write_text(
        "import numpy as np\n"
        "from fairfer import LabelSpace, Prediction\n"
        "class Bright:\n"
        "    name, version = 'bright', '1'\n"
        "    labels = LabelSpace.of('mine', ['happy', 'neutral'])\n"
        "    def predict(self, images):\n"
        "        with open('asked', 'a') as file:\n"
        "            file.write('x' * len(images))\n"
        "        return [Prediction('ok', np.array([i.mean(), 128.0])) for i in images]\n",
        encoding="utf-8",
    )
    model = ("--model", "mymodel:Bright", "--out", "out")
    done = run("predict", "sample", *model)
    assert done.code == 0, done.err
    asked = (tmp_path / "asked").stat().st_size
    assert f"{asked:,} of {asked:,} images have a prediction" in done.out
    done = run("audit", "sample", *model, "--by", "gender")
    assert done.code == 0, done.err
    assert (tmp_path / "asked").stat().st_size == asked
    assert "among the model's output classes" in " ".join(done.out.split())


# Multi-label tables

UNITS = ("AU4", "AU6", "AU12")


@pytest.fixture(scope="module")
def units() -> pd.DataFrame:
    """Truth, decisions and scores of three action units, as a table has them; some truths are unknown."""
    generator = np.random.default_rng(1)
    n = 240
    table = pd.DataFrame({"id": [f"f{i}" for i in range(n)], "gender": generator.choice(["female", "male"], n)})
    for unit in UNITS:
        truth = generator.random(n) < 0.4
        scores = np.clip(0.3 + 0.4 * truth + generator.normal(0, 0.2, n), 0, 1).round(2)
        table[f"truth_{unit}"] = pd.array(truth, dtype="Int8")
        table.loc[generator.random(n) < 0.05, f"truth_{unit}"] = pd.NA
        table[f"pred_{unit}"] = np.where(generator.random(n) < 0.8, truth, ~truth).astype(int)
        table[f"score_{unit}"] = scores
    return table


@pytest.fixture
def units_csv(units, tmp_path) -> Path:
    """The table as a file."""
    path = tmp_path / "t.csv"
    units.to_csv(path, index=False)
    return path


DECISIONS = ("--truth", "truth_*", "--predicted", "pred_*", "--by", "gender", "--permutations", "100")
SCORES = ("--truth", "truth_*", "--scores", "score_*", "--threshold", "AU12=0.4", "--by", "gender", "--permutations", "100")


def rates_of(folder: Path) -> dict[tuple[str, str, str, str], float]:
    with (folder / "tables" / "rates.csv").open(encoding="utf-8") as file:
        return {
            (r["label"], r["attribute"], r["group"], r["rate"]): float(r["value"]) for r in csv.DictReader(file) if r["value"]
        }


def check_rates(folder: Path, table: pd.DataFrame, decisions: pd.DataFrame) -> None:
    """Compare a report with rates that pandas computes; a face counts for the labels whose truth is known."""
    rates = rates_of(folder)
    truth = table[[f"truth_{u}" for u in UNITS]].set_axis(UNITS, axis=1)
    known = truth.notna()
    right = (truth == decisions).fillna(value=True).all(axis=1)
    for attribute, group, faces in [
        ("*", "*", table.index),
        *(("gender", g, i) for g, i in table.groupby("gender").groups.items()),
    ]:
        assert rates["*", attribute, group, "subset accuracy"] == pytest.approx(right[faces].mean())
        for unit in UNITS:
            positive, negative = (decisions.loc[faces, unit][truth.loc[faces, unit] == value] for value in (1, 0))
            assert rates[unit, attribute, group, "TPR"] == pytest.approx(positive.mean())
            assert rates[unit, attribute, group, "FPR"] == pytest.approx(negative.mean())
            assert len(positive) + len(negative) == known.loc[faces, unit].sum()


@pytest.mark.usefixtures("few_figures")
def test_recorded_decisions_on_several_labels(run, units_csv, units, tmp_path) -> None:
    """The report has the rates of the table and no confusions; it is rebuilt byte for byte."""
    done = run("audit", str(units_csv), *DECISIONS, "--out", "a")
    assert done.code == 0, done.err
    assert "Subset accuracy" in done.out
    check_rates(tmp_path / "a", units, units[[f"pred_{u}" for u in UNITS]].set_axis(UNITS, axis=1))
    tables = {p.name for p in (tmp_path / "a" / "tables").iterdir()}
    assert {"counts.csv", "groups.csv"} <= tables
    assert not tables & {"confusions.csv", "scores.csv"}
    assert 'id="confusions"' not in (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    before = _files(tmp_path / "a")
    units_csv.unlink()
    (tmp_path / "a" / "report.html").unlink()
    assert run("report", "a").code == 0
    assert _files(tmp_path / "a") == before


@pytest.mark.usefixtures("few_figures")
def test_scores_on_several_labels(run, units_csv, units, tmp_path) -> None:
    """A score from the threshold on is positive, 0.5 for labels without one; score-based metrics are reported."""
    done = run("audit", str(units_csv), *SCORES, "--out", "b")
    assert done.code == 0, done.err
    scores = units[[f"score_{u}" for u in UNITS]].set_axis(UNITS, axis=1)
    check_rates(tmp_path / "b", units, (scores >= pd.Series({"AU4": 0.5, "AU6": 0.5, "AU12": 0.4})).astype(int))
    with (tmp_path / "b" / "tables" / "scores.csv").open(encoding="utf-8") as file:
        assert {r["label"] for r in csv.DictReader(file)} == set(UNITS)
    assert 'id="scores"' in (tmp_path / "b" / "report.html").read_text(encoding="utf-8")


RULES = """
unlabeled = "ignore"

[[rules]]
name = "all labels"
rate = "subset accuracy"
attribute = "gender"
min_worst = {subset}

[[rules]]
name = "recognition"
rate = "TPR"
label = "AU6"
attribute = "gender"
max_gap = 0.9
"""


@pytest.mark.usefixtures("few_figures")
@pytest.mark.parametrize(("subset", "code"), [(0.1, 0), (0.99, 1)])
def test_a_gate_on_several_labels(run, units_csv, tmp_path, subset, code) -> None:
    """Rules on subset accuracy and on the rate of one label."""
    assert run("audit", str(units_csv), *DECISIONS, "--out", "a").code == 0
    (tmp_path / "fairfer.toml").write_text(RULES.format(subset=subset), encoding="utf-8")
    done = run("gate", "a")
    assert done.code == code, done.err
    assert "subset accuracy of the worst group" in " ".join(done.out.split())
    assert "AU6 TPR gap between" in done.out
    verdict = json.loads((tmp_path / "a" / "verdict.json").read_text(encoding="utf-8"))
    assert [(c["rule"], c["outcome"]) for c in verdict["checks"]] == [
        ("all labels", "pass" if code == 0 else "fail"),
        ("recognition", "pass"),
    ]


@pytest.mark.usefixtures("few_figures")
def test_a_comparison_on_several_labels(run, units_csv, units, tmp_path) -> None:
    """Two models whose predictions are columns of one table are compared face by face."""
    assert run("audit", str(units_csv), *DECISIONS, "--out", "a").code == 0
    assert run("audit", str(units_csv), *SCORES, "--out", "b").code == 0
    done = run("compare", "a", "b")
    assert done.code == 0, done.err
    assert (tmp_path / "b" / "comparison" / "comparison.html").is_file()
    found = json.loads((tmp_path / "b" / "comparison" / "comparison.json").read_text(encoding="utf-8"))
    base, candidate = rates_of(tmp_path / "a"), rates_of(tmp_path / "b")
    assert {c["label"] for c in found["changes"]} == {"*", *UNITS}
    for change in found["changes"]:
        key = (change["label"], ",".join(change["attribute"]) or "*", ",".join(change["group"]) or "*", change["rate"])
        assert (change["base"], change["candidate"]) == pytest.approx((base[key], candidate[key]))
    assert "Subset accuracy" in done.out
    done = run("compare", "a", "b", "b")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 4


@pytest.mark.usefixtures("few_figures")
def test_settings_and_rules_share_a_file(run, units_csv, tmp_path) -> None:
    """``fairfer.toml`` holds the settings of the audit and the policy of the gate; the command line overrides the settings."""
    settings = """[audit]
dataset = "t.csv"
truth = "truth_*"
scores = "score_*"
threshold = ["AU12=0.4"]
by = ["gender"]
permutations = 100
out = "from_file"
"""
    assert run("audit", str(units_csv), *SCORES, "--out", "b").code == 0
    (tmp_path / "fairfer.toml").write_text(RULES.format(subset=0.1) + settings, encoding="utf-8")
    done = run("audit")
    assert done.code == 0, done.err
    assert "settings from fairfer.toml" in done.err
    assert rates_of(tmp_path / "from_file") == rates_of(tmp_path / "b")
    assert run("gate", "from_file").code == 0
    assert run("audit", "--threshold", "AU12=0.9", "--out", "other").code == 0
    assert rates_of(tmp_path / "other")["AU12", "*", "*", "TPR"] < rates_of(tmp_path / "b")["AU12", "*", "*", "TPR"]
    (tmp_path / "fairfer.toml").write_text(settings, encoding="utf-8")
    done = run("gate", "from_file")
    assert done.code == 2
    assert "has no rule" in done.err


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("FAIRFER_SHARED") is None, reason="FAIRFER_SHARED is not set: no FER+ here")
def test_ferplus_with_deepface(tmp_path, monkeypatch) -> None:
    """The main job on real data: 3,137 faces; the 15 of contempt are excluded for DeepFace, and reported."""
    shared = Path(os.environ["FAIRFER_SHARED"]).resolve()
    monkeypatch.setenv("DEEPFACE_HOME", str(shared / "data" / "deepface"))
    ferplus = shared / "data" / "ferplus"
    people = ["--split", "test", "--demographics", str(ferplus / "demographics.csv")]
    groups = ["--by", "gender", "--by", "race", "--by", "gender,race"]
    command = [str(Path(sys.executable).parent / "fairfer"), "audit", str(ferplus), *people, "--model", "deepface", *groups]
    done = subprocess.run([*command, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = fairfer.Audit.read(tmp_path / "out")
    assert found.data.samples == 3137
    assert found.labels.excluded == 15
    assert found.labels.unsupported_labels == ["contempt"]
    assert found.size() == 3122
    assert "15" in done.stdout
