"""Kaggle's ``fer2013.csv``: codes, splits and grey levels as its authors defined them."""

from __future__ import annotations

import numpy as np
import pytest

from fairfer.datasets.loaders.fer2013 import sample_name
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, UsageError
from fairfer.testing import check_loader

LEVELS = np.random.default_rng(0).integers(0, 256, (7, 48 * 48))
USAGES = ("Training", "Training", "PublicTest", "PublicTest", "PrivateTest", "PrivateTest", "PrivateTest")
NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def write(path, header="emotion,pixels,Usage", rows=None):
    """A small ``fer2013.csv`` with one face of each emotion."""
    rows = rows or [f"{i},{' '.join(map(str, LEVELS[i]))},{USAGES[i]}" for i in range(7)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("header", ["emotion,pixels,Usage", "emotion, Usage, pixels", "Emotion,Pixels,usage"])
def test_both_of_kaggles_headers_are_read(tmp_path, header):
    """The challenge's table has spaces before its column names and another order."""
    rows = [f"{i},{' '.join(map(str, LEVELS[i]))},{USAGES[i]}" for i in range(7)]
    if "Usage, pixels" in header:
        rows = [",".join([r.split(",")[0], r.split(",")[2], r.split(",")[1]]) for r in rows]
    data = load_dataset(write(tmp_path / "t.csv", header, rows), loader="fer2013", split="all")
    assert list(data.samples["label"]) == list(NAMES)
    assert np.array_equal(data.image(sample_name(3))[:, :, 1], LEVELS[3].reshape(48, 48))
    check_loader(data)


def test_the_layout_is_recognised_before_any_other_table(tmp_path):
    """No ``--loader`` is needed."""
    data = load_dataset(write(tmp_path / "any.csv"))
    assert data.card["layout"] == "fer2013"
    assert list(data.samples.index) == ["fer0000004.png", "fer0000005.png", "fer0000006.png"]


@pytest.mark.parametrize(("split", "count"), [("train", 2), ("valid", 2), ("test", 3), ("all", 7)])
def test_splits_are_kaggles_usages(tmp_path, split, count):
    """PublicTest is valid and PrivateTest is test, as FER+ has it."""
    assert len(load_dataset(write(tmp_path / "t.csv"), split=split)) == count


def test_a_split_that_does_not_exist_is_answered_with_the_nearest(tmp_path):
    """The names are the same for FER+ and FER2013."""
    with pytest.raises(UsageError, match=r"--split 'trian' is not one .* did you mean 'train'"):
        load_dataset(write(tmp_path / "t.csv"), split="trian")


GOOD = " ".join(["7"] * 2304)


@pytest.mark.parametrize(
    ("header", "row", "complaint"),
    [
        ("emotion,pixels,Usage", f"0,{GOOD} 7,Training", "row 2: not 2,304 grey levels from 0 to 255"),
        ("emotion,pixels,Usage", f"0,{GOOD[:-2]},Training", "row 2: not 2,304 grey levels"),
        ("emotion,pixels,Usage", f"0,{GOOD[:-1]}256,Training", "row 2: not 2,304 grey levels"),
        ("emotion,pixels,Usage", f"0,{GOOD[:-1]}-1,Training", "row 2: not 2,304 grey levels"),
        ("emotion,pixels,Usage", f"0,{GOOD[:-1]}1.5,Training", "row 2: not 2,304 grey levels"),
        ("emotion,pixels,Usage", f"0,{GOOD[:-1]}{'9' * 30},Training", "row 2: not 2,304 grey levels"),
        ("emotion,pixels,Usage", "0,,Training", "row 2: not 2,304 grey levels"),
        ("emotion,pixels,Usage", f"7,{GOOD},Training", "row 2: emotion '7' is none of FER2013's 0 to 6"),
        ("emotion,pixels,Usage", f"happy,{GOOD},Training", "row 2: emotion 'happy' is none of"),
        ("emotion,pixels,Usage", f",{GOOD},Training", "row 2: emotion .* is none of"),
        ("emotion,pixels,Usages", f"0,{GOOD},Training", "needs the columns emotion and Usage"),
        ("emotion,pixel,Usage", f"0,{GOOD},Training", "has no column 'pixels'"),
        ("emotion,pixels,Usage", f"0,{GOOD},Elsewhere", "no samples are left; check the split"),
    ],
)
def test_a_row_that_is_no_face_is_refused_with_its_number(tmp_path, header, row, complaint):
    """Cut short, out of range, or of another table: the file's row, and what to do."""
    with pytest.raises(DataError, match=complaint):
        load_dataset(write(tmp_path / "t.csv", header, [row]), loader="fer2013", split="all")


def test_a_folder_is_no_such_table(tmp_path):
    """Nothing but a CSV file is looked into."""
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(DataError, match="none of the known layouts"):
        load_dataset(tmp_path / "x.csv")
