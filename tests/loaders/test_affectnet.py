"""AffectNet: codes, exclusions, face boxes, valence and arousal, in both layouts."""

from __future__ import annotations

import numpy as np
import pytest

from fairfer.datasets.images import UnreadableImageError
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, UsageError

LABELS = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"]
GOOD = "0/validation0.jpg,1,2,6,5,1;2,0,0.1,0.2"


@pytest.fixture
def root(plant):
    return plant("affectnet")


@pytest.fixture
def validation(root):
    return root / "Manually_Annotated_file_lists" / "validation.csv"


@pytest.mark.parametrize("name", ["affectnet", "affectnet arrays"])
def test_codes_exclusions_and_affect(plant, name):
    """Codes 0 to 7 are labels; 8, 9 and 10 are excluded by the protocol, each counted; -2 is missing."""
    data = load_dataset(plant(name))
    assert list(data.samples["label"]) == LABELS
    assert [(s.what, s.excluded, s.unlabeled) for s in data.steps if s.excluded] == [
        ("faces labeled None (8)", 1, False),
        ("faces labeled Uncertain (9)", 1, False),
        ("faces labeled Non-Face (10)", 1, False),
    ]
    assert data.samples["valence"].iloc[1] == 0.1
    assert set(data.samples["split"]) == {"valid"}


@pytest.mark.parametrize("name", ["affectnet", "affectnet arrays"])
@pytest.mark.parametrize(("split", "faces"), [("train", 8), ("all", 16)])
def test_splits(plant, name, split, faces):
    """Training and validation; the test set is not public."""
    assert len(load_dataset(plant(name), split=split)) == faces


def test_test_split_is_refused(root):
    """The message lists those there are."""
    with pytest.raises(UsageError, match="--split 'test' is not a split of AffectNet; available: train, valid, all"):
        load_dataset(root, split="test")


def test_unknown_affect_is_missing(root, validation):
    """-2 stands for none."""
    validation.write_text(
        GOOD.replace("0.1,0.2", "-2,-2") + "\n" + GOOD.replace("validation0", "b").replace("0.1,0.2", "NULL,1") + "\n"
    )
    samples = load_dataset(root).samples
    assert samples["valence"].isna().all()
    assert list(samples["arousal"].isna()) == [True, False]


def test_list_without_a_header_is_read(root, validation):
    """Some copies of validation.csv have none."""
    validation.write_text("\n".join(validation.read_text().splitlines()[1:]))
    assert list(load_dataset(root).samples["label"]) == LABELS


def test_faces_are_cut_out_by_their_box(root):
    """X 3, y 2, width 6, height 5 of a picture whose columns are 10 apart."""
    data = load_dataset(root)
    face, whole = data.image("3/validation3.jpg"), load_dataset(root, images="picture").image("3/validation3.jpg")
    assert whole.shape == (10, 20, 3)
    assert np.array_equal(face, whole[2:7, 3:9])
    assert data.images_digest != load_dataset(root, images="picture").images_digest


@pytest.mark.parametrize(
    ("box", "complaint"),
    [
        ("5,5,-3,4", r"from \(5, 5\) to \(2, 9\) holds no pixel of the picture \(20 x 10\)"),
        ("500,5,3,4", "holds no pixel"),
        ("NULL,NULL,NULL,NULL", "has no face box"),
    ],
)
def test_box_without_pixels_is_a_row_with_the_reason(root, validation, box, complaint):
    """A negative width occurs in the list. Its neighbor is read."""
    validation.write_text(f"{GOOD.replace('1,2,6,5', box)}\n{GOOD.replace('0/validation0', '1/validation1')}\n")
    data = load_dataset(root)
    with pytest.raises(UnreadableImageError, match=complaint):
        data.image("0/validation0.jpg")
    assert data.image("1/validation1.jpg").shape == (5, 6, 3)


def test_images_are_found_below_manually_annotated(root):
    """As the archives extract."""
    (root / "Manually_Annotated").mkdir()
    (root / "Manually_Annotated_Images").rename(root / "Manually_Annotated" / "Manually_Annotated_Images")
    assert load_dataset(root).image("0/validation0.jpg").shape == (5, 6, 3)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("0/a.jpg,1,2", r"3 cells instead of 9"),
        (GOOD.replace(";2,0,", ";2,11,"), r"'11' is not an expression from 0 to 10"),
        (GOOD.replace(";2,0,", ";2,happy,"), r"'happy' is not an expression"),
        (GOOD.replace("1,2,6,5", "1,2,six,5"), r"face_width 'six' is not a whole number of pixels"),
        (GOOD.replace("0.1,0.2", "0.1,5"), r"valence '0.1' or arousal '5' is not a number from -1 to 1"),
        (GOOD.replace("0.1,0.2", "x,0"), r"valence 'x'"),
        (GOOD.replace("0/validation0", "../secret"), r"'../secret.jpg' is not a file below the folder"),
    ],
)
def test_damaged_lists_name_file_and_line(root, validation, row, complaint):
    """The line of the file, header included."""
    validation.write_text(f"{validation.read_text().splitlines()[0]}\n{GOOD}\n{row}\n")
    with pytest.raises(DataError, match=rf"validation.csv, line 3: {complaint}"):
        load_dataset(root)


def test_unreadable_and_missing_lists(root, validation):
    """The message says which list there is."""
    validation.write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match=r"validation.csv cannot be read"):
        load_dataset(root)
    validation.unlink()
    with pytest.raises(DataError, match=r"has no validation.csv; available: training.csv"):
        load_dataset(root)


def test_repeated_images_get_their_own_name(root, validation):
    """A path that the list has twice, with two boxes."""
    validation.write_text(f"{GOOD}\n{GOOD.replace('1,2,6,5', '0,0,3,3')}\n")
    data = load_dataset(root)
    assert list(data.samples.index) == ["0/validation0.jpg", "0/validation0.jpg#2"]
    assert data.image("0/validation0.jpg#2").shape == (3, 3, 3)
    assert data.steps[-1].what.startswith("rows that repeat an image")


def test_unknown_kind_of_image_is_refused(root):
    """Only face and picture."""
    with pytest.raises(UsageError, match="--images 'aligned' is not available for AffectNet; available: face, picture"):
        load_dataset(root, images="aligned")


# Arrays


@pytest.fixture
def arrays(plant):
    return plant("affectnet arrays")


def test_arrays_are_read_in_numerical_order_and_by_number(arrays):
    """10 comes after 9."""
    (arrays / "val_set" / "annotations" / "10_exp.npy").unlink()
    np.save(arrays / "val_set" / "annotations" / "10_exp.npy", np.array(3))
    assert list(load_dataset(arrays).samples.index)[-1] == "val_set/images/10.jpg"


def test_missing_annotations_of_arrays(arrays):
    """Without a label a face is excluded as unlabeled; without valence it is kept."""
    notes = arrays / "val_set" / "annotations"
    (notes / "0_exp.npy").unlink()
    (notes / "1_val.npy").unlink()
    data = load_dataset(arrays)
    assert data.steps[1].unlabeled
    assert data.steps[1].excluded == 1
    assert np.isnan(data.samples.loc["val_set/images/1.jpg", "valence"])


@pytest.mark.parametrize(
    ("kind", "value", "complaint"),
    [
        ("exp", np.array("11"), r"0_exp.npy: '11' is not an expression from 0 to 10"),
        ("exp", np.array([1, 2]), r"0_exp.npy is not an array with one value"),
        ("exp", np.array({"a": 1}, dtype=object), r"0_exp.npy is not an array with one value \(.*allow_pickle"),
        ("val", np.array("7"), r"0_val.npy: not a number from -1 to 1"),
    ],
)
def test_damaged_arrays_name_their_file(arrays, kind, value, complaint):
    """Pickles are never executed."""
    np.save(arrays / "val_set" / "annotations" / f"0_{kind}.npy", value, allow_pickle=True)
    with pytest.raises(DataError, match=complaint):
        load_dataset(arrays)


def test_truncated_and_bytes_arrays(arrays):
    """A file that a full disk cut off; and numbers stored as bytes."""
    file = arrays / "val_set" / "annotations" / "0_exp.npy"
    np.save(file, np.array(b"2"))
    assert load_dataset(arrays).samples["label"].iloc[0] == "sadness"
    file.write_bytes(b"")
    with pytest.raises(DataError, match=r"0_exp.npy is not an array with one value"):
        load_dataset(arrays)


def test_arrays_have_cropped_faces_and_may_lack_a_split(arrays):
    """The option of the lists is refused; so is a split that was not extracted."""
    with pytest.raises(UsageError, match="cropped already"):
        load_dataset(arrays, images="face")
    (arrays / "val_set").rename(arrays / "x")
    with pytest.raises(DataError, match=r"no annotations of split valid; available: train_set"):
        load_dataset(arrays)
