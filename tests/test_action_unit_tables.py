"""Tables of action units beside a dataset: labels, outputs of detectors, landmarks."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairfer.datasets.action_unit_tables import read_action_units
from fairfer.errors import DataError, FairferError, UsageError
from fairfer.facs.geometry import NOTE, THRESHOLDS, estimate

NAMES = ["a.png", "b.png", "c.png", "d.png"]
RNG = np.random.default_rng(11)


def write(path: Path, frame: pd.DataFrame) -> Path:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    return path


def values(table, code: str) -> list[int | None]:
    return [None if pd.isna(v) else int(v) for v in table.units[code]]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_labels_of_coders(tmp_path, suffix):
    """1 and 0, 9 and empty unknown; the order of samples and units is fixed; a sample without a row is unknown."""
    frame = pd.DataFrame({"image": NAMES[:3], "AU12": [1, 0, 9], "au 01": [0.0, np.nan, 1.0], "age": [30, 40, 50]})
    table = read_action_units(write(tmp_path / f"au.{suffix}", frame), ["x/d.png", "x/b.png", "x/a.png", "x/c.png"])
    assert (list(table.units.columns), list(table.units.index)) == (
        ["AU1", "AU12"],
        ["x/d.png", "x/b.png", "x/a.png", "x/c.png"],
    )
    assert (values(table, "AU12"), values(table, "AU1")) == ([None, 0, 1, None], [None, None, 0, 1])
    assert set(map(str, table.units.dtypes)) == {"Int8"}
    assert table.units.index.name == "sample_id"
    assert (table.kind, table.source) == ("labels", f"au.{suffix}")
    assert table.notes == (f"au.{suffix} has action units of 3 of 4 images",)


def test_words_for_present_and_unknown(tmp_path):
    frame = pd.DataFrame({"image": NAMES, "AU1": ["true", "False", "NA", "unknown"]})
    assert values(read_action_units(write(tmp_path / "au.csv", frame), NAMES), "AU1") == [1, 0, None, None]


def test_intensities_need_a_threshold(tmp_path):
    """Without one, 3 is refused with its row; with one, all columns are intensities, also one that has only 0 and 1."""
    frame = pd.DataFrame({"image": NAMES, "AU1": [0, 3, 2, 9], "AU2": [1, 0, 1, 1]})
    path = write(tmp_path / "au.csv", frame)
    with pytest.raises(UsageError, match=r"row 3: AU1 is 3, neither 1, 0 nor 9 \(unknown\); give a threshold"):
        read_action_units(path, NAMES)
    table = read_action_units(path, NAMES, threshold=2)
    assert (values(table, "AU1"), values(table, "AU2")) == ([0, 1, 1, None], [0, 0, 0, 0])
    assert table.kind == "labels"
    assert "an action unit is present from 2" in table.notes


def test_probabilities_are_detected(tmp_path):
    frame = pd.DataFrame({"image": NAMES, "AU1": [0.1, 0.5, 0.9, np.nan]})
    table = read_action_units(write(tmp_path / "au.csv", frame), NAMES, threshold=0.5)
    assert (values(table, "AU1"), table.kind) == ([0, 1, 1, None], "detected")


@pytest.mark.parametrize(("suffix", "kind"), [("_c", "detected"), ("", "labels")])
def test_columns_named_as_openface_names_them_are_detected(tmp_path, suffix, kind):
    frame = pd.DataFrame({"image": NAMES, f"AU01{suffix}": [1, 0, 1, 0]})
    assert read_action_units(write(tmp_path / "au.csv", frame), NAMES).kind == kind


def test_intensities_of_openface_need_a_threshold_even_if_whole(tmp_path):
    path = write(tmp_path / "au.csv", pd.DataFrame({"image": NAMES, "AU01_r": [1, 0, 1, 0]}))
    with pytest.raises(UsageError, match=r"its columns hold intensities \(AU12_r\)"):
        read_action_units(path, NAMES)
    table = read_action_units(path, NAMES, threshold=1)
    assert (values(table, "AU1"), table.kind) == ([1, 0, 1, 0], "detected")


def test_units_that_are_not_known_are_named(tmp_path):
    frame = pd.DataFrame({"image": NAMES, "AU12": [1, 0, 1, 0], "AU38": 1, "AU39": 0})
    table = read_action_units(write(tmp_path / "au.csv", frame), NAMES)
    assert list(table.units) == ["AU12"]
    assert "AU38, AU39 are not among fairfer's action units and were left out" in table.notes


def fex(units: np.ndarray, names: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame({"FaceRectX": 1.0, "FaceRectWidth": 9.0, "FaceRectHeight": 9.0, "input": names})
    return frame.assign(AU01=units[:, 0], AU12=units[:, 1], anger=0.5, happiness=0.5, x_0=1.0, y_0=1.0)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_py_feats_table(tmp_path, suffix):
    """A probability is present from 0.5; the largest of several faces counts; without a face all is unknown."""
    frame = fex(np.array([[0.5, 0.49], [0.2, 0.8], [0.9, 0.1]]), NAMES[:3])
    second = frame.iloc[[1]].assign(FaceRectWidth=90.0, AU01=1.0, AU12=0.0)
    none = frame.iloc[[2]].assign(input="d.png")
    none.loc[:, [c for c in none.columns if c != "input"]] = np.nan
    path = write(tmp_path / f"fex.{suffix}", pd.concat([frame, second, none]))
    table = read_action_units(path, ["d", "c", "b", "a"])
    assert (values(table, "AU1"), values(table, "AU12")) == ([None, 1, 1, 1], [None, 0, 0, 0])
    assert table.kind == "detected"
    assert table.notes[:2] == ("an action unit is present from 0.5", "in 1 images with several faces, the largest was read")
    assert values(read_action_units(path, ["a", "b", "c"], threshold=0.6), "AU1") == [0, 1, 1]


def test_openfaces_table(tmp_path):
    """Decisions are read, intensities are not; without success all is unknown."""
    frame = pd.DataFrame({"image": NAMES, " success": [1, 1, 0, 1], " AU01_r": [3.0, 0.1, 2.0, 0.0], " AU01_c": [0, 1, 1, 0]})
    table = read_action_units(write(tmp_path / "of.csv", frame), NAMES)
    assert (values(table, "AU1"), table.kind) == ([0, 1, None, 0], "detected")


def face(scale: float) -> np.ndarray:
    """68 points with the eyes 10 apart and the mouth `scale` wide."""
    points = np.zeros((68, 2))
    points[[36, 39, 42, 45]] = [[-7, 0], [-3, 0], [3, 0], [7, 0]]
    points[17:27] = np.column_stack([np.linspace(-8, 8, 10), np.full(10, -3)])
    points[[37, 38, 43, 44]], points[[41, 40, 47, 46]] = [[0, -0.5]], [[0, 0.5]]
    points[[48, 54]] = [[-5 * scale, 12], [5 * scale, 12]]
    points[[33, 62, 66]] = [[0, 8], [0, 11.9], [0, 12.1]]
    return points


@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_landmarks_are_estimates(tmp_path, lists, suffix):
    """Points go through `fairfer.facs.geometry`; a row without a face, or with points that are none, is unknown."""
    points = [face(0.6), face(1.1), np.zeros((68, 2)), None]
    if lists:
        columns = {axis: [None if p is None else list(p[:, i]) for p in points] for i, axis in enumerate("xy")}
    else:
        columns = {
            f"{a}_{k}": [np.nan if p is None else p[k, i] for p in points] for k in range(68) for i, a in enumerate("xy")
        }
    path = write(tmp_path / f"points.{suffix}", pd.DataFrame({"image": NAMES, **columns}))
    table = read_action_units(path, NAMES)
    assert (values(table, "AU12"), table.kind) == ([0, 1, None, None], "estimated")
    assert table.notes == (NOTE, f"points.{suffix} has action units of 2 of 4 images")
    for row, p in enumerate(points[:2]):
        expected = {code: int(value >= THRESHOLDS[code]) for code, value in estimate(p, 68).items()}
        assert dict(table.units.iloc[row]) == expected


def test_landmarks_without_any_face_are_refused(tmp_path):
    frame = pd.DataFrame({"image": ["a.png"], **{f"{a}_{k}": [1.0] for k in range(68) for a in "xy"}})
    with pytest.raises(DataError, match="no landmarks in the shape of a face"):
        read_action_units(write(tmp_path / "p.csv", frame), NAMES)


@pytest.mark.parametrize(
    ("frame", "threshold", "complaint"),
    [
        ({"image": NAMES, "mood": 1}, None, r"has no action units; name their columns AU1, AU12"),
        ({"who": NAMES, "AU1": 1}, None, "no column that names the image; call it 'image'"),
        ({"image": NAMES, "AU1": 1, "AU01": 1}, None, "'AU1' and 'AU01' are both AU1; keep one"),
        ({"image": NAMES, "AU38": 1}, None, "AU38 are not among"),
        ({"image": NAMES, "AU1": [1, "yes please", 0, 0]}, None, "row 3: AU1 is 'yes please', not a number"),
        ({"image": NAMES, "AU1": [1, "inf", 0, 0]}, None, "row 3: AU1 is .*inf.*, not a number"),
        ({"image": NAMES, "AU1": [1, 7, 0, 0]}, 2, "AU1 is 7, outside of 0 to 5"),
        ({"image": NAMES, "AU1": [1, -1, 0, 0]}, 2, "AU1 is -1, outside of 0 to 5"),
        ({"image": NAMES, "AU1": [1, 3, 0, 0]}, 0, "threshold of action units is 0; give a number above 0 and up to 5"),
        ({"image": NAMES, "AU1": [1, 3, 0, 0]}, float("nan"), "threshold of action units is nan"),
        ({"image": NAMES, "AU1": 1}, 2, r"has only 1, 0 and 9 \(unknown\); leave the threshold out"),
        ({"image": ["a.png", None], "AU1": 1}, None, "row 3: the name of the image is empty"),
        ({"image": ["a.png", "a.png"], "AU1": 1}, None, "'a.png' stands for several rows of the table"),
        ({"image": ["z.png"], "AU1": 1}, None, "of no image of this dataset: its names are such as z.png"),
        (fex(np.array([[0.5, 7.0]]), ["a.png"]), None, "AU12 is 7, outside of 0 to 1"),
        (
            fex(np.array([[0.5, 0.5]]), ["a.png"]).drop(columns=["AU01", "AU12", "x_0", "y_0"]),
            None,
            "emotions of py-feat but no action units",
        ),
        ({"image": NAMES, "success": 1, "AU01_c": 1}, 2, "decisions of OpenFace"),
        ({"success": [1], "AU01_c": 1}, None, "no column that names the image"),
        ({"image": NAMES, "x_0": 1.0, "y_0": 1.0}, 2, "landmarks, from which action units are estimated; leave"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_line(tmp_path, frame, threshold, complaint):
    """The message names the file and what is wrong."""
    path = write(tmp_path / "au.csv", pd.DataFrame(frame))
    with pytest.raises(FairferError, match=complaint) as caught:
        read_action_units(path, NAMES, threshold=threshold)
    assert "\n" not in str(caught.value)
    assert "au.csv" in str(caught.value) or "threshold" in str(caught.value)


def test_a_file_name_that_stands_for_two_images_is_refused(tmp_path):
    path = write(tmp_path / "au.csv", pd.DataFrame({"image": ["a.png"], "AU1": 1}))
    with pytest.raises(DataError, match=r"'a.png' stands for several images of the dataset"):
        read_action_units(path, ["x/a.png", "y/a.png"])


@pytest.mark.parametrize("name", ["au.parquet", "au.csv", "au.xml"])
def test_a_file_that_is_no_table_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="au"):
        read_action_units(tmp_path / name, NAMES)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_action_units(tmp_path / "none.parquet", NAMES)


@pytest.mark.skipif("FAIRFER_SHARED" not in os.environ, reason="needs the shared landmarks of FER+")
def test_landmarks_of_ferplus():
    """Of 3,573 images, those in which a face mesh was found have estimates."""
    path = Path(os.environ["FAIRFER_SHARED"]) / "data" / "ferplus" / "landmarks_test.parquet"
    frame = pd.read_parquet(path)
    table = read_action_units(path, frame["image"])
    assert table.kind == "estimated"
    found = frame["x"].notna().to_numpy()
    assert np.array_equal(table.units.notna().all(axis=1), found)
    assert np.array_equal(table.units.isna().all(axis=1), ~found)
    assert 0 < float(table.units["AU12"].astype("Float64").mean()) < 1
