"""``fairfer explain`` on the command line."""

from __future__ import annotations

import json
import sys

import pandas as pd
import pytest
from probe_faces import faces, write_folder

import fairfer.cli.main
from fairfer.explanations.face_shape import template_shape

AUDIT = ("audit", "faces", "--demographics", "people.csv", "--by", "gender", "--model", "probe_faces:load", "--minimum", 10)
QUICK = (
    "--method", "occlusion", "--method-option", "occlusion.side=12", "--method-option", "occlusion.patch=3",
    "--method-option", "occlusion.stride=3", "--map-permutations", 200, "--checked-faces", 4,
)  # fmt: skip


@pytest.fixture
def command(monkeypatch, capsys, tmp_path, few_figures):
    """Run ``fairfer`` in a folder with a dataset: exit code, output and messages."""
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "faces", faces(60))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["fairfer", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            fairfer.cli.main.main()
        printed = capsys.readouterr()
        return int(stop.value.code or 0), printed.out, printed.err

    return run


def test_the_command_adds_a_section_to_the_report(command, tmp_path):
    code, _, err = command(*AUDIT, "--out", "run")
    assert code == 0, err
    points = template_shape(0, 0, 12, 12).points[:68]
    names = [p.name for p in sorted((tmp_path / "faces").rglob("*.png"))][:-1]
    rows = {"image": names, "x": [list(points[:, 0])] * len(names), "y": [list(points[:, 1])] * len(names)}
    pd.DataFrame(rows).to_parquet(tmp_path / "points.parquet")
    code, out, err = command("explain", "run", *QUICK, "--landmarks", "points.parquet", "--faces", 1)
    assert code == 0, err
    assert out.startswith("60 pairs of a face and a label explained (60 faces). Regions follow the landmarks of points.parquet")
    assert out.endswith("Report: run/report.html\n")
    assert "the report will show single faces" in err
    assert "Where the model looked" in (tmp_path / "run" / "report.html").read_text()
    stored = json.loads((tmp_path / "run" / "explanations.json").read_text())
    assert (stored["permutations"], stored["on_landmarks"], len(stored["methods"])) == (200, 59, 1)
    code, out, _ = command("report", "run", "--out", "other")
    assert code == 0
    assert "Where the model looked" in (tmp_path / "other" / "report.html").read_text()


def test_what_cannot_be_explained_is_one_line(command, tmp_path):
    assert command(*AUDIT, "--out", "run")[0] == 0
    for arguments, complaint in [
        (("explain", "nowhere"), "nowhere has no audit.json; give a folder that fairfer audit wrote"),
        (("explain", "run", "--method-option", "side=3"), "--method-option 'side=3': write METHOD.NAME=VALUE"),
        (("explain", "run", "--method", "lrpp"), "there is no method 'lrpp'; did you mean 'lrp'?"),
        (("explain", "run", "--landmarks", "none.csv"), "none.csv does not exist; check the path"),
        (("explain", "run", *QUICK, "--option", "sensitive=0,1", "--data", "elsewhere"), "elsewhere does not exist"),
    ]:
        code, out, err = command(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("fairfer: ")
        assert complaint in err
        assert err.count("\n") == 1
    assert not (tmp_path / "run" / "explanations.json").exists()


def test_a_table_of_predictions_has_no_model(command, tmp_path):
    (tmp_path / "table.csv").write_text("id,label,predicted\n" + "".join(f"{i},happy,sad\n" for i in range(30)))
    assert command("audit", "table.csv", "--out", "run")[0] == 0
    code, _, err = command("explain", "run")
    assert code == 2
    assert err == "fairfer: run has predictions from a table, so there is no model to ask; audit a model with --model first\n"
