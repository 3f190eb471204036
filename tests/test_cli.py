"""The command line: what it prints where, what it leaves on disk, and how it fails."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

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


def test_audit_of_a_table_writes_everything(run, table, tmp_path) -> None:
    """A table is audited with no model and no picture: report, audit.json, tables and figures are there."""
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


def test_two_audits_are_byte_identical(run, table, tmp_path) -> None:
    """Same inputs, same seed, same day: the same bytes, whatever the folder."""
    assert run("audit", str(table), "--by", "gender", "--out", "one").code == 0
    first = _files(tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / "kept")
    assert run("audit", str(table), "--by", "gender", "--out", "one").code == 0
    assert _files(tmp_path / "one") == first


def test_report_from_audit_json_alone(run, table, tmp_path) -> None:
    """A folder that holds only audit.json is enough for the report."""
    assert run("audit", str(table), "--by", "gender", "--out", "out").code == 0
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "audit.json").write_bytes((tmp_path / "out" / "audit.json").read_bytes())
    assert run("report", "alone").code == 0
    assert (alone / "report.html").read_bytes() == (tmp_path / "out" / "report.html").read_bytes()


def test_a_corrected_table_replaces_what_it_gave(run, table) -> None:
    """A table's answers cost nothing, so a corrected table is simply audited again in the same place."""
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
    (["audit", "predictions.csv", "--model", "baseline"], "leave it out"),
    (["audit", "predictions.csv", "--split", "test"], "means nothing"),
    (["audit", "predictions.csv", "--loader", "tabel"], "did you mean 'table'?"),
    (["audit", "predictions.csv", "--unsupported-labels", "forget"], "drop, keep or merge"),
    (["audit", "predictions.csv", "--minimum", "0"], "at least 1"),
    (["audit", "predictions.csv", "--confidence", "95"], "0.5"),
    (["audit", "predictions.csv", "--permutations", "3"], "at least 100"),
    (["audit", "predictions.csv", "--bands", "age"], "COLUMN=20,40,60"),
    (["audit", "predictions.csv", "--bands", "age=20,40"], "no such column"),
    (["audit", "sample", "--model", "basline"], "did you mean 'baseline'?"),
    (["audit", "sample", "--model", "onnx:"], "nothing after the colon"),
    (["audit", "sample", "--model", "no.such.module:Model"], "no module"),
    (["audit", "sample", "--model", "baseline", "--option", "speed"], "NAME=VALUE"),
    (["audit", "predictions.csv", "--standardize", "agee"], "no such column"),
    (["audit", "predictions.csv", "--standardize", "label"], "always adjusted for"),
    (["audit", "predictions.csv", "--standardize", "vote_entropy"], "no raters' votes"),
    (["audit", "predictions.csv", "--subject", "actr"], "available: label, gender, race"),
    (["report", "nowhere"], "no folder"),
]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("arguments", "model_labels"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input_is_one_line_and_exit_2(run, tmp_path, arguments, model_labels) -> None:
    """Bad input: one line on stderr saying what, where and how to mend it, exit 2, nothing written."""
    before = _files(tmp_path)
    done = run(*arguments)
    assert done.code == 2
    lines = [line for line in done.err.splitlines() if not line.startswith("no --model given")]
    assert len(lines) == 1
    assert lines[0].startswith("fairfer: ")
    assert model_labels in lines[0]
    assert "Traceback" not in done.err
    assert done.out == ""
    assert _files(tmp_path) == before


def test_people_and_mixes_from_the_command_line(run, tmp_path) -> None:
    """A column that names people is pointed out; with --subject they are counted; --standardize cuts numbers into fifths."""
    lines = ["label,predicted,gender,age,actor"]
    lines += [
        f"{'happy' if i % 3 else 'sad'},{'happy' if i % 4 else 'sad'},{'fm'[i % 2]},{20 + i % 37},a{i % 15}" for i in range(90)
    ]
    (tmp_path / "people.csv").write_text("\n".join(lines), encoding="utf-8")
    done = run("audit", "people.csv", "--by", "gender", "--out", "plain")
    assert done.code == 0, done.err
    assert "column 'actor' names 15 people in 90 pictures; --subject actor" in done.err
    done = run("audit", "people.csv", "--by", "gender", "--subject", "actor", "--standardize", "age", "--out", "out")
    assert done.code == 0, done.err
    assert "--subject" not in done.err
    found = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    assert found["data"]["people"] == 15
    assert found["plan"]["standardize"] == ["age"]
    levels = next(a["levels"] for a in found["data"]["attributes"] if a["name"] == "age")
    assert [n.split()[0] for n in levels] == ["up", "up", "up", "up", "above"]
    assert (tmp_path / "out" / "tables" / "standardized_gaps.csv").is_file()
    assert not (tmp_path / "plain" / "tables" / "standardized_gaps.csv").exists()
    before = _files(tmp_path / "out")
    assert run("report", "out").code == 0
    assert _files(tmp_path / "out") == before


def test_a_bug_keeps_its_traceback(run, table, monkeypatch) -> None:
    """What is not the user's fault is not dressed up as it; and its exit code is never that of a policy that failed."""

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
    """However a library words its complaint, the user sees one line."""

    def fail(*_args, **_more):
        message = "first\n   second"
        raise FairferError(message)

    monkeypatch.setattr("fairfer.cli.main.app", fail)
    assert run("audit").err == "fairfer: first second\n"


def test_version_and_help(run) -> None:
    """``--version`` and ``--help`` answer on stdout and exit 0; every command and option has help."""
    assert run("--version").out == f"fairfer {fairfer.__version__}\n"
    assert "audit" in run("--help").out
    for command in ("audit", "predict", "report", "models", "datasets"):
        text = run(command, "--help").out
        options = re.findall(r"^  (--[a-z-]+)(.*)$", text, re.MULTILINE)
        assert all(rest.strip() for _, rest in options)


def test_models_and_datasets_are_listed(run) -> None:
    """What there is can be asked for."""
    assert re.search(r"^baseline +\S", run("models").out, re.MULTILINE)
    listed = run("datasets").out
    assert all(name in listed for name in ("ferplus", "fer2013", "table", "folder", "sample"))


def test_every_command_is_in_the_readme() -> None:
    """The README shows each command."""
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    for command in ("audit", "predict", "report", "models", "datasets"):
        assert f"fairfer {command}" in readme


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
    assert f"{asked:,} of {asked:,} pictures answered" in done.out
    done = run("audit", "sample", *model, "--by", "gender")
    assert done.code == 0, done.err
    assert (tmp_path / "asked").stat().st_size == asked
    assert "left out" in done.out or "cannot say" in done.out or "dropped" in done.out


@pytest.mark.skipif(os.environ.get("FAIRFER_SHARED") is None, reason="FAIRFER_SHARED is not set: no FER+ here")
def test_ferplus_with_deepface(tmp_path, monkeypatch) -> None:
    """The main job on real data: 3,137 faces, the 15 of contempt dropped for DeepFace, and said so."""
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
