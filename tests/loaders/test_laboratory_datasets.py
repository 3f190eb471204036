"""CK+, KDEF and JAFFE: photographs of people in a laboratory, with subjects."""

from __future__ import annotations

import shutil

import pytest

from fairfer.datasets.images import UnreadableImageError
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, UsageError
from fairfer.metrics.subjects import likely_subject_column

# CK+


@pytest.fixture
def ck(plant):
    return plant("ck+")


@pytest.fixture
def emotion(ck):
    return ck / "Emotion" / "S005" / "001" / "S005_001_00000004_emotion.txt"


def test_peak_frames_have_the_labels(ck):
    """Seven labels with contempt and without neutral; sequences without an emotion file are excluded and counted."""
    data = load_dataset(ck)
    assert list(data.samples["label"]) == ["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"]
    assert data.labels.labels == ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
    assert all(i.endswith("_00000004.png") for i in data.samples.index)
    assert list(data.samples["subject"]) == ["S005", "S005", "S006", "S006", "S007", "S007", "S008"]
    assert [(s.what, s.excluded, s.unlabeled) for s in data.steps] == [
        ("sequences: 8", 0, False),
        ("sequences without an emotion label", 1, True),
    ]


def test_first_frames_are_neutral_only_by_option(ck):
    """The report says that they have no label of their own."""
    data = load_dataset(ck, neutral_frames=True)
    assert data.labels.labels[0] == "neutral"
    neutral = data.samples[data.samples["label"] == "neutral"]
    assert len(neutral) == 7
    assert all(i.endswith("_00000001.png") for i in neutral.index)
    assert "7" in data.steps[-1].what
    assert "no label of their own" in data.steps[-1].what


def test_labeled_frame_that_is_missing_is_a_row(ck):
    """The label names its frame."""
    frame = "cohn-kanade-images/S005/001/S005_001_00000004.png"
    (ck / frame).unlink()
    with pytest.raises(UnreadableImageError, match="is missing"):
        load_dataset(ck).image(frame)


@pytest.mark.parametrize("content", ["8.0", "1.5", "happy", "", "1\n2\n"])
def test_damaged_emotion_files(ck, emotion, content):
    """File and line."""
    emotion.write_text(content)
    with pytest.raises(DataError, match=r"S005_001_00000004_emotion.txt, line 1: .* is not one code from 0 to 7"):
        load_dataset(ck)


def test_two_emotion_files_and_a_single_frame(ck, emotion):
    """Neither is guessed."""
    other = emotion.with_name("S005_001_00000003_emotion.txt")
    shutil.copy(emotion, other)
    with pytest.raises(DataError, match=r"S005/001 has 2 emotion files"):
        load_dataset(ck)
    other.unlink()
    for k in (1, 2, 3):
        (ck / "cohn-kanade-images" / "S005" / "001" / f"S005_001_0000000{k}.png").unlink()
    assert len(load_dataset(ck)) == 7
    with pytest.raises(DataError, match=r"has only the frame S005_001_00000004.png, so no neutral one"):
        load_dataset(ck, neutral_frames=True)


def test_folders_as_the_archives_extract(ck):
    """Names of the archives around the folders."""
    for outer, inner in (("extended-cohn-kanade-images", "cohn-kanade-images"), ("Emotion_labels", "Emotion")):
        (ck / outer).mkdir()
        (ck / inner).rename(ck / outer / inner)
    assert len(load_dataset(ck)) == 7


def test_half_of_ck_plus(ck):
    """Images without labels, or the reverse."""
    (ck / "Emotion").rename(ck / "emotions")
    with pytest.raises(DataError, match="has no folder Emotion; extract"):
        load_dataset(ck, loader="ck+")
    (ck / "cohn-kanade-images").rename(ck / "images")
    with pytest.raises(DataError, match="has no folder cohn-kanade-images; extract"):
        load_dataset(ck, loader="ck+")


# KDEF


def test_kdef_reads_names_from_the_front(plant):
    """Two people, two sessions, seven expressions; the sessions of one person are one subject."""
    data = load_dataset(plant("kdef"))
    assert len(data) == 28
    assert data.samples.loc["AF01/AF01AFS.JPG"].to_dict() == {
        "label": "fear",
        "subject": "F01",
        "session": "A",
        "gender": "female",
        "angle": "straight",
    }
    assert sorted(set(data.samples["subject"])) == ["F01", "M02"]
    [gender] = data.attributes
    assert (gender.name, gender.source) == ("gender", "annotated")
    assert "whether the actors were asked" in gender.note
    assert [s.excluded for s in data.steps] == [0, 16]


def test_kdef_from_all_angles(plant):
    """The angle is an attribute if there is more than one; another angle can be selected."""
    root = plant("kdef")
    data = load_dataset(root, angle="all")
    assert len(data) == 44
    assert data.attribute("angle").levels == ("full left", "half left", "straight", "half right", "full right")
    left = load_dataset(root, angle="half left")
    assert len(left) == 4
    assert left.name == "KDEF half left"
    with pytest.raises(UsageError, match="--angle 'frontal' is not available for KDEF"):
        load_dataset(root, angle="frontal")


def test_kdef_counts_names_that_are_not_its_own(plant, write_picture):
    """They are excluded as unlabeled; lower case is accepted."""
    root = plant("kdef")
    write_picture(root / "AF01" / "AF01V.JPG")
    write_picture(root / "AF03" / "af03has.jpg")
    data = load_dataset(root)
    assert data.samples.loc["AF03/af03has.jpg", "label"] == "happiness"
    assert [s.excluded for s in data.steps if s.unlabeled] == [1]


# JAFFE


def test_jaffe_reads_names(plant, write_picture):
    """All are women, so that there is no attribute."""
    root = plant("jaffe")
    write_picture(root / "montage.png")
    data = load_dataset(root)
    assert len(data) == 14
    assert data.samples.loc["KA.FE1.3.tiff"].to_dict() == {"label": "fear", "subject": "KA"}
    assert data.attributes == ()
    assert [s.excluded for s in data.steps if s.unlabeled] == [1]


@pytest.mark.parametrize(("name", "example"), [("kdef", "AF01ANS.JPG"), ("jaffe", "KA.AN1.39.tiff")])
def test_folders_without_such_names(tmp_path, write_picture, name, example):
    """The message shows a name."""
    write_picture(tmp_path / "x.png")
    with pytest.raises(DataError, match=f"has no picture with a name such as {example}.*`fairfer datasets {name}`"):
        load_dataset(tmp_path, loader=name)


@pytest.mark.parametrize("name", ["ck+", "kdef", "jaffe"])
def test_subjects_are_suggested(plant, name):
    """``fairfer audit`` says that the column subject has to be named."""
    column = likely_subject_column(load_dataset(plant(name)).samples)
    assert column is not None
    assert column[0] == "subject"
