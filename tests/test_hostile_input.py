"""Unusual but possible input through the command line and the report's text."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import fairfer
from fairfer.report.text import caveats
from fairfer.report.view import View

TRUTH = pd.DataFrame({"AU6": [1, 0] * 20, "AU12": [0, 1] * 20})


def run(*arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", "fairfer", *arguments], capture_output=True, text=True, check=False, cwd=folder
    )


@pytest.mark.parametrize(
    ("predicted", "text"),
    [
        (TRUTH[["AU6"]], "AU12 is not among the model's output classes; the label was excluded."),
        (
            TRUTH.assign(AU25=0),
            "AU25 is among the model's output classes but not in the dataset; these predictions are ignored.",
        ),
    ],
)
def test_labels_of_one_side_only_in_multi_label_data(predicted, text):
    """Without one label a face keeps its others; without truth no prediction is an error."""
    result = fairfer.audit(TRUTH, predicted, permutations=100)
    assert caveats.labels(View(result)) == [text]
    assert result.rate("subset accuracy").value == 1


def test_columns_that_cannot_be_grouped_by_are_named(tmp_path):
    """Otherwise a table of exact ages gives an audit without groups and without a reason."""
    rows = [f"{'happy' if i % 2 else 'sad'},happy,{20 + i / 10}" for i in range(120)]
    (tmp_path / "t.csv").write_text("label,predicted,age\n" + "\n".join(rows))
    done = run("audit", "t.csv", "--out", "run", "--permutations", "100", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "not grouped by 'age': t.csv, column 'age' has 120 different values" in done.stderr
    assert "--bands" in done.stderr
    assert "not grouped by" not in run("audit", "t.csv", "--out", "run", "--bands", "age=25", folder=tmp_path).stderr


def test_a_folder_without_true_labels_mentions_patterns(tmp_path):
    from PIL import Image

    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_text("file_name,truth_happy\na.png,1\n")
    with pytest.raises(fairfer.FairferError, match=r"--truth 'truth_\*'"):
        fairfer.load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("true", "predicted"), [("\u00e9tonn\u00e9", "e\u0301tonne\u0301"), ("e\u0301tonne\u0301", "\u00e9tonn\u00e9")]
)
def test_composed_and_decomposed_accents_are_one_label(true, predicted):
    """File names on macOS have decomposed accents; both look alike."""
    result = fairfer.audit([true, "neutre"] * 20, [predicted, "neutre"] * 20, permutations=100)
    assert result.rate("accuracy").value == 1
    assert len(result.labels.audited) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda folder: fairfer.predict(str(folder)), "predict takes a Dataset, not str"),
        (lambda folder: fairfer.leaderboard(str(folder)), "at least two runs"),
        (lambda folder: fairfer.compare(folder / "none", folder / "none"), "none is not a folder"),
    ],
)
def test_a_wrong_argument_of_python_functions_is_named(tmp_path, call, message):
    with pytest.raises(fairfer.FairferError, match=message):
        call(tmp_path)


@pytest.mark.parametrize("setting", [{"subject": "AU6"}, {"subject": "truth:AU6"}, {"standardize": ["AU6"]}])
def test_columns_of_true_labels_are_not_suggested(setting):
    """Their names in the audit are none that a table has."""
    groups = {"g": ["f", "m"] * 20}
    with pytest.raises(fairfer.FairferError, match="no such column; available: g"):
        fairfer.audit(TRUTH, TRUTH, groups=groups, by=["g"], permutations=100, **setting)
