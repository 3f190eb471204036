"""FER2013 as folders of images: official splits from the names, and duplicates."""

from __future__ import annotations

import shutil

import pytest

from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError


@pytest.fixture
def root(plant):
    return plant("fer2013 folders")


@pytest.mark.parametrize(("split", "faces"), [("train", 7), ("valid", 7), ("test", 7), ("all", 21)])
def test_names_tell_the_public_from_the_private_test_set(root, split, faces):
    """The folder test holds both; only PrivateTest is the test split, as in the table."""
    data = load_dataset(root, split=split)
    assert len(data) == faces
    assert data.labels.name == "FER2013 7"
    assert data.name == f"FER2013 {split}"


def test_labels_are_those_of_the_folders(root):
    """In FER2013's label space."""
    samples = load_dataset(root).samples
    assert samples.loc["test/angry/PrivateTest_1000.jpg", "label"] == "anger"
    assert set(samples["split"]) == {"PrivateTest"}


def test_duplicates_are_excluded_within_and_across_splits(root):
    """--dedupe excludes a copy in the same split and one that is also a training image."""
    shutil.copy(root / "test/angry/PrivateTest_1000.jpg", root / "test/angry/PrivateTest_9000.jpg")
    shutil.copy(root / "train/happy/Training_1003.jpg", root / "test/happy/PrivateTest_9001.jpg")
    data = load_dataset(root)
    assert len(data) == 9
    deduped = load_dataset(root, dedupe=True)
    assert len(deduped) == 7
    assert [(s.excluded, s.what) for s in deduped.steps[1:]] == [
        (1, "exact duplicates of an earlier image (--dedupe)"),
        (1, "exact duplicates of an image in train, valid (--dedupe)"),
    ]
    assert len(load_dataset(root, split="all", dedupe=True)) == 21


def test_folder_without_the_official_names_is_left_to_the_folder_loader(root):
    """Its split would be unknown."""
    for file in root.rglob("*.jpg"):
        file.rename(file.with_name(file.name.replace("_", "")))
    assert load_dataset(root).card["layout"] == "folder"
    with pytest.raises(DataError, match=r"is not named by its usage.*--loader folder"):
        load_dataset(root, loader="fer2013")


def test_foreign_label_folders_are_refused(root, write_picture):
    """In the folder that was not looked at for detection."""
    write_picture(root / "test" / "contempt" / "PrivateTest_1.jpg")
    with pytest.raises(DataError, match="test/contempt is not a label of FER2013"):
        load_dataset(root)


def test_folder_of_the_table_is_read_like_the_table(plant):
    """Kaggle's archive extracts to fer2013/fer2013.csv. In FER+'s folder the table only has the pixels."""
    table = plant("fer2013")
    assert load_dataset(table.parent).samples.equals(load_dataset(table).samples)
    ferplus = plant("ferplus")
    shutil.copy(table, ferplus / "fer2013.csv")
    assert load_dataset(ferplus).card["layout"] == "ferplus"


def test_duplicates_in_the_table(plant):
    """A table of one face has none; the option is read."""
    data = load_dataset(plant("fer2013"), dedupe=True)
    assert [s.excluded for s in data.steps] == [0, 0]
