"""Tables of facial landmarks, joined to samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fairfer.datasets.landmarks import read_landmarks
from fairfer.errors import DataError

POINTS = np.arange(2 * 68, dtype=float).reshape(68, 2)


def lists(names, points, **columns):
    rows = [(None, None) if p is None else (list(p[:, 0]), list(p[:, 1])) for p in points]
    return pd.DataFrame({"image": names, "x": [x for x, _ in rows], "y": [y for _, y in rows], **columns})


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("number", [68, 468, 478])
def test_lists_of_coordinates(tmp_path, suffix, number):
    points = np.random.default_rng(0).normal(24, 9, (number, 2))
    frame = lists(["a.png", "b.png"], [points, None])
    path = tmp_path / f"points.{suffix}"
    frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
    landmarks = read_landmarks(path, ["faces/a.png", "b.png", "c.png"])
    assert (landmarks.scheme, list(landmarks.points), landmarks.source, len(landmarks)) == (
        number,
        ["faces/a.png"],
        path.name,
        1,
    )
    assert np.allclose(landmarks.points["faces/a.png"], points)


def test_one_column_per_coordinate(tmp_path):
    cells = {f"{axis}_{i}": [p[k], np.nan] for i, p in enumerate(POINTS) for k, axis in enumerate("xy")}
    frame = pd.DataFrame({"input": ["a.png", "b.png"], **cells})
    frame.to_csv(tmp_path / "fex.csv", index=False)
    landmarks = read_landmarks(tmp_path / "fex.csv", ["a.png", "b.png"])
    assert list(landmarks.points) == ["a.png"]
    assert np.array_equal(landmarks.points["a.png"], POINTS)


def test_a_file_name_that_is_not_unique_is_not_joined(tmp_path):
    lists(["one/a.png", "two/a.png", "b.png"], [POINTS, POINTS + 1, POINTS]).to_parquet(tmp_path / "p.parquet")
    assert list(read_landmarks(tmp_path / "p.parquet", ["a.png", "x/b.png", "two/a.png"]).points) == ["x/b.png", "two/a.png"]


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (pd.DataFrame({"picture": ["a"], "x": [[1.0]], "y": [[1.0]]}), "no column that names the image"),
        (lists(["a", "a"], [POINTS, POINTS]), "several rows for 'a'"),
        (lists(["z"], [POINTS]), "of no image of this dataset"),
        (lists(["a"], [None]), "no row has coordinates that can be used"),
        (pd.DataFrame({"image": ["a"], "x": ["nan"], "y": ["nan"]}), "no row has coordinates that can be used"),
        (lists(["a"], [POINTS[:5]]), "has 5 points per face"),
        (pd.DataFrame({"image": ["a"], "left": [1]}), "it needs columns x and y"),
        (pd.DataFrame({"image": ["a"], "x": [[1.0, 2.0]], "y": [[1.0]]}), "2 x and 1 y coordinates"),
    ],
)
def test_tables_that_are_not_landmarks_are_refused(tmp_path, frame, complaint):
    frame.to_parquet(tmp_path / "p.parquet")
    with pytest.raises(DataError, match=complaint):
        read_landmarks(tmp_path / "p.parquet", ["a"])


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "p.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="cannot be read"):
        read_landmarks(tmp_path / "p.parquet", ["a"])
