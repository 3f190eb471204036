"""FER+: labels by the official rules; the card and the steps name the votes, the rule and the exclusions."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from fairfer.datasets.loaders.ferplus import RULES, VOTES, labels_of
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, UsageError
from fairfer.labels import FERPLUS
from fairfer.testing import check_loader

OFFICIAL = ("majority", "crossentropy", "multi_target")


def process_data(votes: list[float], mode: str) -> list[float]:  # noqa: C901, PLR0912 - one function, as in the trainer
    """Independent implementation of the official trainer's rules, in its own loops.

    Written from the published description (single votes are dropped; then one of three modes; *unknown* if no class wins),
    slow and literal, so that it can be compared with the trainer line by line.
    """
    votes = list(votes)
    unknown = [0.0] * len(votes)
    unknown[-2] = 1.0
    for i in range(len(votes)):
        if votes[i] <= 1:
            votes[i] = 0.0
    total = sum(votes)
    kept = [0.0] * len(votes)
    if mode == "majority":
        highest = max(votes)
        if highest > 0.5 * total:
            kept[votes.index(highest)] = highest
        else:
            kept = unknown
    elif mode == "crossentropy":
        part, count, valid = 0.0, 0, True
        while part < 0.75 * total and count < 3 and valid:
            highest = max(votes)
            for i in range(len(votes)):
                if votes[i] == highest:
                    kept[i] = highest
                    votes[i] = 0
                    part += kept[i]
                    count += 1
                    if i >= 8:
                        valid = False
                        if sum(kept) > highest:
                            kept[i] = 0
                            count -= 1
                        break
        if sum(kept) <= 0.5 * total or count > 3:
            kept = unknown
    else:
        for i in range(len(votes)):
            if votes[i] >= 0.3 * total:
                kept[i] = votes[i]
        if sum(kept) <= 0.5 * total:
            kept = unknown
    return [k / sum(kept) for k in kept]


def official_label(votes, mode: str) -> str | None:
    """The class that the official reader trains on, or ``None`` if it excludes the image."""
    target = process_data([float(v) for v in votes], mode)
    best = target.index(max(target))
    return FERPLUS.labels[best] if best < 8 else None


@st.composite
def ten_votes(draw) -> list[int]:
    """Ten raters' votes over ten classes, with a few favored classes so that ties and majorities are common."""
    classes = draw(st.lists(st.integers(0, 9), min_size=1, max_size=5))
    counts = [0] * 10
    for choice in draw(st.lists(st.sampled_from(classes), min_size=10, max_size=10)):
        counts[choice] += 1
    return counts


any_votes = st.lists(st.integers(0, 12), min_size=10, max_size=10)


@pytest.mark.parametrize("mode", OFFICIAL)
@given(votes=st.one_of(ten_votes(), any_votes))
@example(votes=[1] * 10)
@example(votes=[0] * 10)
@example(votes=[5, 5, 0, 0, 0, 0, 0, 0, 0, 0])
@example(votes=[3, 0, 0, 0, 3, 0, 0, 0, 4, 0])
@example(votes=[2, 2, 2, 2, 2, 0, 0, 0, 0, 0])
@example(votes=[3, 0, 0, 0, 0, 0, 0, 0, 3, 4])
@example(votes=[2, 0, 0, 0, 0, 0, 0, 0, 2, 2])
@example(votes=[6, 0, 0, 0, 0, 0, 0, 0, 4, 0])
def test_the_rules_agree_with_the_official_trainer(mode, votes):
    """In the label and in the weight of every class."""
    [label], [is_emotion] = labels_of(np.array([votes]), mode)
    assert (label if is_emotion else None) == official_label(votes, mode)
    weights = RULES[mode](np.array([votes]))[0]
    if weights.sum():
        assert weights / weights.sum() == pytest.approx(process_data([float(v) for v in votes], mode))
    else:
        assert process_data([float(v) for v in votes], mode)[8] == 1


@given(st.lists(ten_votes(), min_size=1, max_size=8))
def test_rows_are_independent(rows):
    """The label of a face depends only on its own votes."""
    for rule in RULES:
        labels, kept = labels_of(np.array(rows), rule)
        for i, row in enumerate(rows):
            [alone], [alone_kept] = labels_of(np.array([row]), rule)
            assert (labels[i], kept[i]) == (alone, alone_kept)


@given(ten_votes())
def test_plurality_is_the_first_class_with_most_votes(votes):
    """It drops no votes."""
    [label], _ = labels_of(np.array([votes]), "plurality")
    assert label == VOTES[votes.index(max(votes))]


# --- the layout ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ("majority", {"0": "neutral", "1": "happiness", "3": "anger", "6": "contempt"}),
        ("crossentropy", {"0": "neutral", "1": "happiness", "2": "neutral", "3": "anger", "6": "contempt"}),
        ("plurality", {"0": "neutral", "1": "happiness", "2": "neutral", "3": "anger", "6": "contempt"}),
    ],
)
@pytest.mark.parametrize("source", ["label.csv", "fer2013new.csv"])
def test_the_official_folder_is_read(tmp_path, write_ferplus, rule, labels, source):
    """Both label files, every single-label rule; exclusions are counted with a reason."""
    data = load_dataset(write_ferplus(tmp_path), rule=rule, votes_from=source)
    assert dict(data.samples["label"]) == {f"fer000000{i}.png": label for i, label in labels.items()}
    assert data.labels is FERPLUS
    assert (data.card["vote rule"], data.card["votes from"], data.card["split"]) == (rule, source, "test")
    rows = 8 if source == "fer2013new.csv" else 7
    assert f"rows in {source}: {rows}" in data.steps[0].what
    assert rows - sum(s.excluded for s in data.steps) == len(data)
    assert list(data.votes.columns) == list(VOTES)
    assert list(data.votes.loc["fer0000003.png"]) == [0, 0, 0, 0, 6, 2, 2, 0, 0, 0]
    check_loader(data)


def test_unknown_and_not_a_face_are_excluded_separately(tmp_path, write_ferplus):
    """The steps have a reason for each."""
    data = load_dataset(write_ferplus(tmp_path))
    reasons = {s.what: s.excluded for s in data.steps if s.excluded}
    assert reasons == {"labeled unknown by the rule 'majority'": 2, "labeled as not a face": 1}


SPLITS = {
    "Train": {"a.png": (10, *[0] * 9), "b.png": (0, 10, *[0] * 8)},
    "Test": {"c.png": (0, 0, 10, *[0] * 7), "d.png": (10, *[0] * 9)},
}


def test_splits_are_read_by_name(tmp_path, write_ferplus):
    """``all`` reads every split that is present."""
    root = write_ferplus(tmp_path, SPLITS)
    assert list(load_dataset(root, split="train").samples.index) == ["a.png", "b.png"]
    data = load_dataset(root, split="all")
    assert list(data.samples["split"]) == ["train", "train", "test", "test"]
    assert data.name == "FER+ all"


def test_duplicates_in_other_splits_are_counted_or_excluded(tmp_path, write_ferplus):
    """A model that was trained on one has seen the other."""
    root = write_ferplus(tmp_path, SPLITS)
    folders = root / "data" / "FER2013Train", root / "data" / "FER2013Test"
    (folders[1] / "c.png").write_bytes((folders[0] / "a.png").read_bytes())
    counted = load_dataset(root)
    assert len(counted) == 2
    assert any("train" in s.what and s.what.endswith(": 1 (kept)") for s in counted.steps)
    kept = load_dataset(root, dedupe=True)
    assert list(kept.samples.index) == list(kept.votes.index) == ["d.png"]
    assert {s.what: s.excluded for s in kept.steps if s.excluded} == {"exact duplicates of an image in train (--dedupe)": 1}


def test_the_second_row_of_a_name_is_kept(tmp_path, write_ferplus):
    """``fer2013new.csv`` lists four names twice, one of them with different votes."""
    root = write_ferplus(tmp_path)
    file = root / "fer2013new.csv"
    file.write_text(file.read_text() + "PrivateTest,fer0000000.png,0,10,0,0,0,0,0,0,0,0\n")
    data = load_dataset(root, votes_from="fer2013new.csv")
    assert data.samples["label"].loc[["fer0000000.png", "fer0000000.png#2"]].tolist() == ["neutral", "happiness"]
    assert np.array_equal(data.image("fer0000000.png#2"), data.image("fer0000000.png"))
    assert any("repeat an image name" in s.what for s in data.steps)


def test_images_can_be_read_from_kaggles_table(tmp_path, write_ferplus):
    """The image names are the row numbers of ``fer2013.csv``."""
    root = write_ferplus(tmp_path / "ferplus", pictures=False)
    levels = np.random.default_rng(0).integers(0, 256, (7, 48 * 48))
    table = tmp_path / "fer2013.csv"
    lines = [f"0,{' '.join(map(str, row))},PrivateTest" for row in levels]
    table.write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    data = load_dataset(root, pixels=table)
    assert np.array_equal(data.image("fer0000003.png")[:, :, 0], levels[3].reshape(48, 48))
    check_loader(data)
    table.write_text("\n".join(["emotion,pixels,Usage", *lines[:2]]) + "\n")
    with pytest.raises(DataError, match=r"has 2 rows but not fer0000002\.png; give the complete fer2013\.csv"):
        load_dataset(root, pixels=str(table))


def test_the_folder_is_the_root_or_its_data_folder(tmp_path, write_ferplus):
    """Both give the same dataset."""
    root = write_ferplus(tmp_path)
    assert load_dataset(root / "data", loader="ferplus").digest == load_dataset(root).digest
    assert len(load_dataset(root / "data", loader="ferplus", votes_from="fer2013new.csv")) == 4


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"split": "tset"}, "--split 'tset' does not exist in this dataset; did you mean 'test'"),
        ({"rule": "majorty"}, "--rule 'majorty' is not a vote rule of FER\\+; did you mean 'majority'"),
        ({"votes_from": "labels.csv"}, "--votes-from 'labels.csv' is not a label file of FER\\+; did you mean 'label.csv'"),
    ],
)
def test_invalid_options_are_refused_with_the_nearest_name(tmp_path, write_ferplus, options, complaint):
    """Before the images are read."""
    with pytest.raises(UsageError, match=complaint):
        load_dataset(write_ferplus(tmp_path), **options)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("fer0000000.png,1,2,3", "label.csv, line 8: 4 fields instead of name, box and ten votes"),
        ('"","(0, 0, 48, 48)",1,2,3,4,0,0,0,0,0,0', "line 8: 12 fields instead of name, box and ten votes"),
        ('x.png,"(0, 0, 48, 48)",1,2,3,4,0,0,0,0,0,many', "line 8: votes are not whole numbers \\(1,2,3.*many\\)"),
        ('x.png,"(0, 0, 48, 48)",1,2,3,4,0,0,0,0,0,-1', "line 8: votes are not whole numbers"),
        ("\xff\xfe".encode("latin-1"), "label.csv cannot be read"),
    ],
)
def test_an_invalid_label_csv_is_refused_with_its_line(tmp_path, write_ferplus, line, complaint):
    """The message says where to get the file again."""
    root = write_ferplus(tmp_path)
    file = root / "data" / "FER2013Test" / "label.csv"
    file.write_bytes(file.read_bytes() + (line.encode() if isinstance(line, str) else line) + b"\n")
    with pytest.raises(DataError, match=complaint) as caught:
        load_dataset(root)
    assert "again" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("contempt", "contemptt"), "fer2013new.csv has no column 'contempt'"),
        (("PrivateTest,fer0000000.png,10", "PrivateTest,fer0000000.png,ten"), "line 2: votes are not whole numbers"),
        (("PrivateTest", "Elsewhere"), "has no test split with fer2013new.csv; see datasets/README.md"),
    ],
)
def test_an_invalid_fer2013new_csv_is_refused_with_its_line(tmp_path, write_ferplus, change, complaint):
    """As for the other label file."""
    root = write_ferplus(tmp_path)
    file = root / "fer2013new.csv"
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(DataError, match=complaint):
        load_dataset(root, votes_from="fer2013new.csv")


def test_a_missing_split_is_refused_with_those_present(tmp_path, write_ferplus):
    """Often only some splits were copied."""
    root = write_ferplus(tmp_path, SPLITS)
    with pytest.raises(DataError, match=r"has no valid split with label\.csv; available: train, test"):
        load_dataset(root, split="valid")
    with pytest.raises(DataError, match=r"see datasets/README\.md for the layout"):
        load_dataset(tmp_path / "data" / "FER2013Test", loader="ferplus")


def test_a_folder_without_images_is_refused(tmp_path, write_ferplus):
    """A single missing image is a row with a status."""
    root = write_ferplus(tmp_path / "a", pictures=False)
    with pytest.raises(DataError, match=r"has none of the images; write them with FER\+'s generate_training_data\.py, or"):
        load_dataset(root)
    whole = write_ferplus(tmp_path / "b")
    (whole / "data" / "FER2013Test" / "fer0000000.png").unlink()
    assert load_dataset(whole).image_digests["fer0000000.png"] == ""


# --- the real data ---------------------------------------------------------------------------------------------------

KEPT = {
    ("label.csv", "majority"): (25045, 3137, (1083, 892, 394, 382, 269, 16, 86, 15)),
    ("label.csv", "crossentropy"): (27947, 3507, (1250, 925, 438, 437, 315, 20, 96, 26)),
    ("label.csv", "multi_target"): (27667, 3466, (1238, 921, 440, 435, 298, 18, 93, 23)),
    ("fer2013new.csv", "majority"): (25060, 3153, (1090, 893, 396, 384, 273, 18, 83, 16)),
    ("fer2013new.csv", "crossentropy"): (27956, 3505, (1251, 925, 435, 435, 320, 22, 92, 25)),
    ("fer2013new.csv", "multi_target"): (27671, 3472, (1243, 921, 438, 434, 302, 21, 90, 23)),
}
"""Faces kept in Train and Test, and faces per emotion in Test, computed with the official trainer's code."""


def read_votes(root, source: str, split: str) -> list[list[int]]:
    """Votes, read without fairfer."""
    if source == "label.csv":
        with (root / "data" / f"FER2013{split}" / "label.csv").open() as file:
            return [[int(v) for v in row[2:]] for row in csv.reader(file)]
    usage = {"Train": "Training", "Test": "PrivateTest"}[split]
    with (root / "fer2013new.csv").open() as file:
        return [[int(v) for v in row[2:]] for row in csv.reader(file) if row[0] == usage and row[1]]


@pytest.mark.parametrize(("source", "rule"), KEPT)
def test_real_ferplus_keeps_the_official_faces(shared, source, rule):
    """Counts, and the label of every face of Train and Test."""
    train, test, classes = KEPT[source, rule]
    for split, kept in (("Train", train), ("Test", test)):
        votes = read_votes(shared / "data" / "ferplus", source, split)
        labels, is_emotion = labels_of(np.array(votes), rule)
        assert is_emotion.sum() == kept
        official = [official_label(v, rule) for v in votes]
        assert [label if ok else None for label, ok in zip(labels, is_emotion, strict=True)] == official
    assert tuple(int((labels[is_emotion] == n).sum()) for n in FERPLUS.labels) == classes


def test_real_ferplus_test_loads_with_its_demographics(shared):
    """Count, images, and attributes of the Test split."""
    root = shared / "data" / "ferplus"
    data = load_dataset(root, demographics=root / "demographics.csv", bands={"age": [20, 40, 60]})
    assert len(data) == 3137
    assert data.image(data.samples.index[0]).shape == (48, 48, 3)
    assert data.attribute("gender").source == "inferred"
    assert data.samples["gender"].isin(data.attribute("gender").levels).all()
    assert np.asarray(Image.open(root / "data" / "FER2013Test" / data.samples.index[0])).shape == (48, 48)
