"""Kaggle's ``fer2013.csv``: codes, splits and gray levels."""

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
def test_both_headers_are_read(tmp_path, header):
    """One version of the table has spaces before its column names and another order."""
    rows = [f"{i},{' '.join(map(str, LEVELS[i]))},{USAGES[i]}" for i in range(7)]
    if "Usage, pixels" in header:
        rows = [",".join([r.split(",")[0], r.split(",")[2], r.split(",")[1]]) for r in rows]
    data = load_dataset(write(tmp_path / "t.csv", header, rows), loader="fer2013", split="all")
    assert list(data.samples["label"]) == list(NAMES)
    assert np.array_equal(data.image(sample_name(3))[:, :, 1], LEVELS[3].reshape(48, 48))
    check_loader(data)


def test_the_layout_is_detected_before_other_tables(tmp_path):
    """``--loader`` is not needed."""
    data = load_dataset(write(tmp_path / "any.csv"))
    assert data.card["layout"] == "fer2013"
    assert list(data.samples.index) == ["fer0000004.png", "fer0000005.png", "fer0000006.png"]


@pytest.mark.parametrize(("split", "count"), [("train", 2), ("valid", 2), ("test", 3), ("all", 7)])
def test_splits_are_selected_by_usage(tmp_path, split, count):
    """PublicTest is valid and PrivateTest is test, as in FER+."""
    assert len(load_dataset(write(tmp_path / "t.csv"), split=split)) == count


def test_an_unknown_split_is_refused_with_the_nearest_name(tmp_path):
    """FER+ and FER2013 have the same names."""
    with pytest.raises(UsageError, match=r"--split 'trian' does not exist in this dataset; did you mean 'train'"):
        load_dataset(write(tmp_path / "t.csv"), split="trian")


GOOD = " ".join(["7"] * 2304)


@pytest.mark.parametrize(
    ("header", "row", "complaint"),
    [
        ("emotion,pixels,Usage", f"0,{GOOD} 7,Training", "row 2: not 2,304 gray levels from 0 to 255"),
        ("emotion,pixels,Usage", f"0,{GOOD[:-2]},Training", "row 2: not 2,304 gray levels"),
        ("emotion,pixels,Usage", f"0,{GOOD[:-1]}256,Training", "row 2: not 2,304 gray levels"),
        ("emotion,pixels,Usage", f"0,{GOOD[:-1]}-1,Training", "row 2: not 2,304 gray levels"),
        ("emotion,pixels,Usage", f"0,{GOOD[:-1]}1.5,Training", "row 2: not 2,304 gray levels"),
        ("emotion,pixels,Usage", f"0,{GOOD[:-1]}{'9' * 30},Training", "row 2: not 2,304 gray levels"),
        ("emotion,pixels,Usage", "0,,Training", "row 2: not 2,304 gray levels"),
        ("emotion,pixels,Usage", f"7,{GOOD},Training", "row 2: emotion '7' is not a code from 0 to 6"),
        ("emotion,pixels,Usage", f"happy,{GOOD},Training", "row 2: emotion 'happy' is not a code"),
        ("emotion,pixels,Usage", f",{GOOD},Training", "row 2: emotion .* is not a code"),
        ("emotion,pixels,Usages", f"0,{GOOD},Training", "needs the columns emotion and Usage"),
        ("emotion,pixel,Usage", f"0,{GOOD},Training", "has no column 'pixels'"),
        ("emotion,pixels,Usage", f"0,{GOOD},Elsewhere", "no samples are left; check the split"),
    ],
)
def test_an_invalid_row_is_refused_with_its_number(tmp_path, header, row, complaint):
    """Truncated, out of range, or of another table."""
    with pytest.raises(DataError, match=complaint):
        load_dataset(write(tmp_path / "t.csv", header, [row]), loader="fer2013", split="all")


def test_a_folder_is_not_a_table(tmp_path):
    """Also if it is called ``x.csv``."""
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(DataError, match="none of the layouts that fairfer reads"):
        load_dataset(tmp_path / "x.csv")
