"""ExpW: several faces per picture, boxes, confidence and damaged lines."""

from __future__ import annotations

import numpy as np
import pytest

from fairfer.datasets.images import UnreadableImageError
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, UsageError

GOOD = "awe_2.jpg 0 0 0 5 5 50 2"


@pytest.fixture
def root(plant):
    return plant("expw")


@pytest.fixture
def labels(root):
    return root / "label" / "label.lst"


def test_codes_and_names(root):
    """Codes 0 to 6; the face is part of the name, because a picture has several."""
    data = load_dataset(root)
    assert list(data.samples["label"]) == ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    assert list(data.samples.index)[:2] == ["angry_actor_1.jpg#0", "angry_actor_1.jpg#1"]
    assert data.samples["face_confidence"].iloc[1] == 12.25
    assert data.card["lowest face confidence"] == "none"


def test_faces_are_cut_out_in_the_order_of_the_list(root):
    """The list has top, left, right, bottom: an unusual order."""
    data = load_dataset(root)
    whole = load_dataset(root, images="picture").image("angry_actor_1.jpg#0")
    assert whole.shape == (10, 20, 3)
    assert np.array_equal(data.image("angry_actor_1.jpg#0"), whole[2:9, 1:7])
    assert np.array_equal(data.image("angry_actor_1.jpg#1"), whole[0:9, 10:20])
    assert data.image_digests["angry_actor_1.jpg#0"] != data.image_digests["angry_actor_1.jpg#1"]


def test_boxes_beyond_the_picture_are_clipped(root):
    """From -5 to 40 in a picture of 20 x 10 is all of it."""
    assert load_dataset(root).image("calm_3.png#0").shape == (10, 20, 3)


def test_box_without_pixels_and_missing_picture_are_rows(root, labels):
    """Their neighbor is read."""
    labels.write_text(f"{GOOD}\nawe_2.jpg 1 5 5 5 9 1 0\nabsent.jpg 0 0 0 5 5 1 0\n")
    data = load_dataset(root)
    for name, complaint in (("awe_2.jpg#1", "holds no pixel"), ("absent.jpg#0", r"absent.jpg is missing")):
        with pytest.raises(UnreadableImageError, match=complaint):
            data.image(name)
    assert data.image("awe_2.jpg#0").shape == (5, 5, 3)


def test_low_confidence_is_excluded_by_the_option_only(root):
    """Stated with its number."""
    data = load_dataset(root, min_confidence=40.0)
    assert list(data.samples.index) == ["angry_actor_1.jpg#0", "awe_2.jpg#0", "awe_2.jpg#1", "awe_2.jpg#2"]
    assert [(s.what, s.excluded, s.unlabeled) for s in data.steps if s.excluded] == [
        ("faces of which the face detector was less confident than 40", 3, False)
    ]
    assert data.card["lowest face confidence"] == "40"
    with pytest.raises(UsageError, match="--min-confidence nan"):
        load_dataset(root, min_confidence=float("nan"))


def test_repeated_lines_and_numbers(root, labels):
    """The same line is excluded; another face with the same number gets its own name."""
    labels.write_text(f"{GOOD}\n{GOOD}\nawe_2.jpg 0 1 1 5 5 50 3\n")
    data = load_dataset(root)
    assert list(data.samples.index) == ["awe_2.jpg#0", "awe_2.jpg#0#2"]
    assert [s.excluded for s in data.steps] == [0, 1, 0]


def test_names_with_spaces(root, labels, write_picture):
    """The seven numbers are counted from the end."""
    write_picture(root / "image" / "origin" / "a b.jpg")
    labels.write_text("a b.jpg 0 0 0 5 5 50 2\n")
    assert list(load_dataset(root).samples.index) == ["a b.jpg#0"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("awe_2.jpg 0 0 0 5 5 50", "7 fields instead of 8"),
        (GOOD[:-1] + "7", "'7' is not a code from 0 to 6"),
        (GOOD[:-1] + "happy", "'happy' is not a code"),
        ("awe_2.jpg 0 0 0 x 5 50 2", "the face box '0 0 x 5' has an edge"),
        ("awe_2.jpg 0 0 0 5 5 high 2", "the confidence 'high' is not a number"),
        ("/etc/passwd 0 0 0 5 5 50 2", "'/etc/passwd' is not below the folder"),
    ],
)
def test_damaged_lines(root, labels, line, complaint):
    """File and line."""
    labels.write_text(f"{GOOD}\n\n{line}\n")
    with pytest.raises(DataError, match=f"label.lst, line 3: {complaint}"):
        load_dataset(root)


def test_absent_list_images_and_option(root, labels):
    """Each has one message."""
    with pytest.raises(UsageError, match="--images 'box' is not available for ExpW"):
        load_dataset(root, images="box")
    (root / "image").rename(root / "pictures")
    with pytest.raises(DataError, match=r"has none of the images of ExpW \(the first: angry_actor_1.jpg\)"):
        load_dataset(root)
    labels.unlink()
    with pytest.raises(DataError, match=r"has no label/label.lst; see `fairfer datasets expw`"):
        load_dataset(root, loader="expw")


def test_attributes_of_a_picture_are_not_given_to_all_of_its_faces(root, labels, tmp_path):
    """The faces of one picture may be different people."""
    name, _, *rest = labels.read_text(encoding="utf-8").splitlines()[0].split()
    labels.write_text("".join(" ".join([name, str(face), *rest]) + "\n" for face in (0, 1)), encoding="utf-8")
    table = tmp_path / "people.csv"
    table.write_text(f"image,gender\n{name},female\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"'{name}' has several faces in ExpW; give each its own row, as in '{name}#0'"):
        load_dataset(root, demographics=table)
    table.write_text(f"image,gender\n{name}#0,female\n{name}#1,male\n", encoding="utf-8")
    assert load_dataset(root, demographics=table).samples["gender"].tolist() == ["female", "male"]
