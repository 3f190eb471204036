"""RAF-DB: codes, annotations, variants of the layout, and damaged files."""

from __future__ import annotations

import pytest

from fairfer.datasets.images import UnreadableImageError
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, UsageError
from fairfer.vocabulary import UNANNOTATED

LABELS = ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"]


@pytest.fixture
def root(plant):
    return plant("raf-db")


@pytest.fixture
def list_file(root):
    return root / "basic" / "EmoLabel" / "list_patition_label.txt"


def test_codes_and_annotations_are_those_of_the_authors(root):
    """Codes 1 to 7 in RAF-DB's own order; gender 2 is unsure and therefore missing."""
    data = load_dataset(root)
    assert list(data.samples["label"]) == LABELS
    assert list(data.samples["gender"]) == ["female", UNANNOTATED, "male"] * 2 + ["female"]
    assert list(data.samples["race"]) == ["African-American", "Asian", "Caucasian"] * 2 + ["African-American"]
    assert list(data.samples["age"]) == ["4-19", "20-39", "40-69", "70+", "0-3", "4-19", "20-39"]
    assert {a.name: (a.source, a.levels) for a in data.attributes} == {
        "gender": ("annotated", ("male", "female", UNANNOTATED)),
        "race": ("annotated", ("Caucasian", "African-American", "Asian")),
        "age": ("annotated", ("0-3", "4-19", "20-39", "40-69", "70+")),
    }
    assert any("unsure" in s.what and s.what.endswith("2") and not s.excluded for s in data.steps)


@pytest.mark.parametrize(("split", "ids"), [("test", 7), ("train", 7), ("all", 14)])
def test_splits_follow_the_names(root, split, ids):
    """The prefix of a name is its split."""
    data = load_dataset(root, split=split)
    assert len(data) == ids
    assert all(i.startswith(s) for i, s in data.samples["split"].items())


def test_images_are_aligned_or_original(root):
    """The two folders hold other pictures under other names, and their results are not mixed up."""
    aligned, original = load_dataset(root), load_dataset(root, images="original")
    assert aligned.image("test_0001.jpg").shape == (6, 8, 3)
    assert original.image("test_0001.jpg").shape == (20, 20, 3)
    assert aligned.images_digest != original.images_digest
    assert aligned.card["images"] == "aligned"


def test_part_may_be_given_and_both_spellings_of_the_list_are_read(root, list_file):
    """``basic`` itself is a dataset; the list of a tidy user is spelled correctly."""
    list_file.rename(list_file.with_name("list_partition_label.txt"))
    assert len(load_dataset(root / "basic")) == 7
    flat = root / "basic"
    (flat / "EmoLabel" / "list_partition_label.txt").rename(flat / "list_patition_label.txt")
    (flat / "Image" / "aligned").rename(flat / "aligned")
    assert load_dataset(flat).image("test_0002.jpg").shape == (6, 8, 3)


def test_compound_labels_keep_their_names(plant):
    """Eleven labels, none of them one of the basic emotions."""
    root = plant("raf-db compound")
    data = load_dataset(root)
    assert len(data.labels) == 11
    assert data.samples.loc["test_0011.jpg", "label"] == "disgustedly surprised"
    assert data.name == "RAF-DB compound test"
    assert len(load_dataset(root / "compound")) == 11


def test_compound_codes_are_not_read_as_basic_ones(plant, tmp_path):
    """In a folder of another name, the message names the option."""
    path = plant("raf-db compound") / "compound"
    path.rename(tmp_path / "mine")
    with pytest.raises(DataError, match=r"line 8: '8' is not a code from 1 to 7 of RAF-DB 7; if .* add --labels compound"):
        load_dataset(tmp_path / "mine")
    assert len(load_dataset(tmp_path / "mine", labels="compound")) == 11


def test_both_parts_in_one_folder(plant, root):
    """Basic is the default, ``--labels compound`` reads the other."""
    (plant("raf-db compound") / "compound").rename(root / "compound")
    assert len(load_dataset(root)) == 7
    assert len(load_dataset(root, labels="compound")) == 11


def test_missing_annotations_are_stated(root):
    """A face without a file is unannotated; without the folder there are no attributes."""
    manual = root / "basic" / "Annotation" / "manual"
    (manual / "test_0003_manu_attri.txt").unlink()
    data = load_dataset(root)
    assert data.samples.loc["test_0003.jpg", "race"] == UNANNOTATED
    assert any("without a file in Annotation/manual" in s.what and s.what.endswith(": 1") for s in data.steps)
    manual.rename(manual.with_name("other"))
    bare = load_dataset(root)
    assert bare.attributes == ()
    assert any("no folder Annotation/manual" in s.what for s in bare.steps)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("1\t2\n" * 5 + "3\n0\n1\n", r"test_0001_manu_attri.txt, line 6: '3' is not a code of gender from 0 to 2"),
        ("1\t2\n" * 5 + "0\nx\n1\n", r"line 7: 'x' is not a code of race from 0 to 2"),
        ("1\t2\n" * 5 + "0\n0\n", r"line 7: 7 lines instead of five landmarks, gender, race and age"),
        ("", r"line 1: 0 lines instead"),
    ],
)
def test_damaged_annotations_name_file_and_line(root, content, complaint):
    """A code outside of the documented ones is not guessed."""
    (root / "basic" / "Annotation" / "manual" / "test_0001_manu_attri.txt").write_text(content)
    with pytest.raises(DataError, match=complaint):
        load_dataset(root)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("test_0001.jpg", "'test_0001.jpg' is not a name and a code"),
        ("face.jpg 3", "'face.jpg 3' is not a name and a code"),
        ("../test_0001.jpg 3", r"'../test_0001.jpg 3' is not a name and a code"),
        ("test_0001.jpg 0", "'0' is not a code from 1 to 7"),
        ("test_0001.jpg 3 4", "'3 4' is not a code from 1 to 7"),
        ("test_0001.jpg 3.5", "'3.5' is not a code"),
    ],
)
def test_damaged_list_names_file_and_line(list_file, root, line, complaint):
    """The line is counted from 1."""
    list_file.write_text(f"train_00001.jpg 1\n{line}\n")
    with pytest.raises(DataError, match=f"list_patition_label.txt, line 2: {complaint}"):
        load_dataset(root)


def test_repeated_line_and_bytes_that_are_no_text_are_refused(list_file, root):
    """Neither is guessed."""
    list_file.write_text("test_0001.jpg 1\ntest_0001.jpg 2\n")
    with pytest.raises(DataError, match=r"line 2: test_0001.jpg occurs a second time"):
        load_dataset(root)
    list_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"list_patition_label.txt cannot be read .*copy the file again"):
        load_dataset(root)


def test_missing_images(root):
    """One missing image is a row; if all are missing, the user has not extracted them."""
    folder = root / "basic" / "Image" / "aligned"
    (folder / "test_0001_aligned.jpg").unlink()
    data = load_dataset(root)
    assert len(data) == 7
    with pytest.raises(UnreadableImageError, match=r"test_0001_aligned.jpg is missing"):
        data.image("test_0001.jpg")
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(DataError, match=r"has none of the images of RAF-DB \(the first: test_0001_aligned.jpg\)"):
        load_dataset(root)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"split": "valid"}, "--split 'valid' is not a split of RAF-DB; available: train, test, all"),
        ({"images": "aligend"}, "--images 'aligend' is not available for RAF-DB; did you mean 'aligned'"),
        ({"labels": "ferplus"}, "--labels 'ferplus' is not available for RAF-DB; available: basic, compound"),
    ],
)
def test_invalid_options_are_refused(root, options, complaint):
    """The message lists the choices."""
    with pytest.raises(UsageError, match=complaint.replace("(", r"\(")):
        load_dataset(root, **options)


def test_absent_part_is_refused(root):
    """Compound labels of a folder that has only basic ones."""
    with pytest.raises(DataError, match=r"has no EmoLabel/list_patition_label.txt with compound labels"):
        load_dataset(root, loader="raf-db", labels="compound")


# Kaggle's copy


@pytest.fixture
def kaggle(plant):
    return plant("raf-db kaggle")


def test_copy_on_kaggle_has_the_same_labels_and_no_attributes(kaggle):
    """Label folders 1 to 7 are the codes."""
    data = load_dataset(kaggle)
    assert list(data.samples["label"]) == LABELS
    assert data.attributes == ()
    assert any("no gender, race and age" in s.what for s in data.steps)
    assert set(load_dataset(kaggle, split="all").samples["split"]) == {"train", "test"}
    assert len(load_dataset(kaggle / "DATASET")) == 7


def test_copy_without_tables_is_labeled_by_its_folders(kaggle):
    """The tables repeat what the folders say."""
    (kaggle / "test_labels.csv").unlink()
    assert list(load_dataset(kaggle).samples["label"]) == LABELS


def test_table_of_the_copy_decides(kaggle):
    """An image in another folder than its row says is missing, and one without a row is excluded as unlabeled."""
    table = kaggle / "test_labels.csv"
    table.write_text(
        table.read_text().replace("test_0001_aligned.jpg,1", "test_0001_aligned.jpg,2").replace("test_0007_aligned.jpg,7\n", "")
    )
    data = load_dataset(kaggle)
    assert len(data) == 6
    with pytest.raises(UnreadableImageError, match="is missing"):
        data.image("test/2/test_0001_aligned.jpg")
    assert [s.excluded for s in data.steps if s.unlabeled] == [2]


@pytest.mark.parametrize("row", ["x.jpg,1", "test_0001_aligned.jpg,8", "test_0001_aligned.jpg,"])
def test_damaged_table_of_the_copy(kaggle, row):
    """File and line."""
    (kaggle / "test_labels.csv").write_text(f"image,label\n{row}\n")
    with pytest.raises(DataError, match=r"test_labels.csv, line 2: .* is not the name of an image and a code from 1 to 7"):
        load_dataset(kaggle)


def test_table_of_the_copy_without_its_columns(kaggle):
    """Both columns are needed."""
    (kaggle / "test_labels.csv").write_text("image,class\ntest_0001_aligned.jpg,1\n")
    with pytest.raises(DataError, match="needs the columns image and label"):
        load_dataset(kaggle)


def test_copy_has_neither_originals_nor_compound_labels(kaggle):
    """An option without an effect is refused."""
    with pytest.raises(UsageError, match="only aligned images and basic labels"):
        load_dataset(kaggle, images="original")
    with pytest.raises(UsageError, match="only aligned images and basic labels"):
        load_dataset(kaggle, labels="compound")


def test_split_that_the_copy_lacks_and_a_foreign_folder(kaggle, write_picture):
    """Neither is read as if it were empty."""
    write_picture(kaggle / "DATASET" / "test" / "8" / "test_0009_aligned.jpg")
    (kaggle / "test_labels.csv").unlink()
    with pytest.raises(DataError, match=r"test/8/test_0009_aligned.jpg is not below a folder 1 to 7"):
        load_dataset(kaggle)
    (kaggle / "DATASET" / "test").rename(kaggle / "old")
    with pytest.raises(DataError, match="has no images of split test"):
        load_dataset(kaggle)


@pytest.mark.parametrize(("folder", "labels"), [("basic", "compound"), ("compound", "basic")])
def test_the_labels_of_a_folder_are_not_read_as_the_other_kind(plant, folder, labels):
    """Codes 1 to 7 exist in both; read as the other kind, every label would be wrong."""
    root = plant("raf-db compound" if folder == "compound" else "raf-db")
    with pytest.raises(UsageError, match=rf"--labels {labels}: .* has the {folder} labels; give the folder {labels}"):
        load_dataset(root / folder, labels=labels)
    assert len(load_dataset(root / folder, labels=folder))
