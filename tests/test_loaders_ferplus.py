"""FER+: the official rules make the labels, and the report can say which votes were read and who was left out."""

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


def process_data(votes: list[float], mode: str) -> list[float]:  # noqa: C901, PLR0912 - literal on purpose
    """What FER+'s own trainer does with the ten votes of a face, step by step, in its own loops.

    Written anew from the published description of the rule (single votes dropped; then one of three modes; *unknown* where none
    wins); deliberately slow and literal, so that it can be compared with the trainer line by line and with fairfer's by test.
    """
    votes = list(votes)
    nothing = [0.0] * len(votes)
    nothing[-2] = 1.0
    for i in range(len(votes)):
        if votes[i] <= 1:
            votes[i] = 0.0
    everything = sum(votes)
    kept = [0.0] * len(votes)
    if mode == "majority":
        highest = max(votes)
        if highest > 0.5 * everything:
            kept[votes.index(highest)] = highest
        else:
            kept = nothing
    elif mode == "crossentropy":
        part, count, goes_on = 0.0, 0, True
        while part < 0.75 * everything and count < 3 and goes_on:
            highest = max(votes)
            for i in range(len(votes)):
                if votes[i] == highest:
                    kept[i] = highest
                    votes[i] = 0
                    part += kept[i]
                    count += 1
                    if i >= 8:
                        goes_on = False
                        if sum(kept) > highest:
                            kept[i] = 0
                            count -= 1
                        break
        if sum(kept) <= 0.5 * everything or count > 3:
            kept = nothing
    else:
        for i in range(len(votes)):
            if votes[i] >= 0.3 * everything:
                kept[i] = votes[i]
        if sum(kept) <= 0.5 * everything:
            kept = nothing
    return [k / sum(kept) for k in kept]


def official_label(votes, mode: str) -> str | None:
    """The class that the official reader trains on, or nothing where it leaves the picture out."""
    target = process_data([float(v) for v in votes], mode)
    best = target.index(max(target))
    return FERPLUS.labels[best] if best < 8 else None


@st.composite
def ten_votes(draw) -> list[int]:
    """Ten raters' votes over ten classes, a few classes favoured so that ties and majorities are common."""
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
def test_the_rules_are_the_official_trainers(mode, votes):
    """Label, and the weight of every class, are those of the trainer's own loops."""
    [label], [is_emotion] = labels_of(np.array([votes]), mode)
    assert (label if is_emotion else None) == official_label(votes, mode)
    weights = RULES[mode](np.array([votes]))[0]
    if weights.sum():
        assert weights / weights.sum() == pytest.approx(process_data([float(v) for v in votes], mode))
    else:
        assert process_data([float(v) for v in votes], mode)[8] == 1


@given(st.lists(ten_votes(), min_size=1, max_size=8))
def test_rows_do_not_influence_one_another(rows):
    """A face's label depends on its own votes alone."""
    for rule in RULES:
        labels, kept = labels_of(np.array(rows), rule)
        for i, row in enumerate(rows):
            [alone], [alone_kept] = labels_of(np.array([row]), rule)
            assert (labels[i], kept[i]) == (alone, alone_kept)


@given(ten_votes())
def test_plurality_is_the_most_votes_and_the_first_on_a_tie(votes):
    """The one rule that is not official drops nothing."""
    [label], _ = labels_of(np.array([votes]), "plurality")
    assert label == VOTES[votes.index(max(votes))]


# --- the layout ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ("majority", {"0": "neutral", "1": "happiness", "3": "anger", "6": "contempt"}),
        ("crossentropy", {"0": "neutral", "1": "happiness", "2": "neutral", "3": "anger", "6": "contempt"}),
        ("multi_target", {"0": "neutral", "1": "happiness", "2": "neutral", "3": "anger", "6": "contempt"}),
        ("plurality", {"0": "neutral", "1": "happiness", "2": "neutral", "3": "anger", "6": "contempt"}),
    ],
)
@pytest.mark.parametrize("source", ["label.csv", "fer2013new.csv"])
def test_the_official_folder_is_read_and_the_report_can_say_how(tmp_path, write_ferplus, rule, labels, source):
    """Both label files, every rule; everyone left out is counted with a reason, and the counts add up."""
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


def test_unknown_and_not_a_face_are_left_out_each_with_its_reason(tmp_path, write_ferplus):
    """Who was voted no face is not who has no majority."""
    data = load_dataset(write_ferplus(tmp_path))
    reasons = {s.what: s.excluded for s in data.steps if s.excluded}
    assert reasons == {"unknown by the rule 'majority'": 2, "voted not a face": 1}


SPLITS = {
    "Train": {"a.png": (10, *[0] * 9), "b.png": (0, 10, *[0] * 8)},
    "Test": {"c.png": (0, 0, 10, *[0] * 7), "d.png": (10, *[0] * 9)},
}


def test_splits_are_read_by_name_and_all_together(tmp_path, write_ferplus):
    """Train, valid and test are the three official ones; ``all`` is what is there."""
    root = write_ferplus(tmp_path, SPLITS)
    assert list(load_dataset(root, split="train").samples.index) == ["a.png", "b.png"]
    everyone = load_dataset(root, split="all")
    assert list(everyone.samples["split"]) == ["train", "train", "test", "test"]
    assert everyone.name == "FER+ all"


def test_twins_in_other_splits_are_told_and_left_out_when_asked(tmp_path, write_ferplus):
    """A model that was trained on one twin has seen the other; FER2013 holds hundreds."""
    root = write_ferplus(tmp_path, SPLITS)
    folders = root / "data" / "FER2013Train", root / "data" / "FER2013Test"
    (folders[1] / "c.png").write_bytes((folders[0] / "a.png").read_bytes())
    told = load_dataset(root)
    assert len(told) == 2
    assert any("train" in s.what and s.what.endswith(": 1") for s in told.steps)
    kept = load_dataset(root, dedupe=True)
    assert list(kept.samples.index) == list(kept.votes.index) == ["d.png"]
    assert {s.what: s.excluded for s in kept.steps if s.excluded} == {"with an exact pixel twin in train (--dedupe)": 1}


def test_the_second_row_of_a_name_is_kept_beside_the_first(tmp_path, write_ferplus):
    """``fer2013new.csv`` lists four names twice, one of them with different votes."""
    root = write_ferplus(tmp_path)
    file = root / "fer2013new.csv"
    file.write_text(file.read_text() + "PrivateTest,fer0000000.png,0,10,0,0,0,0,0,0,0,0\n")
    data = load_dataset(root, votes_from="fer2013new.csv")
    assert data.samples["label"].loc[["fer0000000.png", "fer0000000.png#2"]].tolist() == ["neutral", "happiness"]
    assert np.array_equal(data.image("fer0000000.png#2"), data.image("fer0000000.png"))
    assert any("repeat a picture's name" in s.what for s in data.steps)


def test_pictures_can_come_from_kaggles_table(tmp_path, write_ferplus):
    """Whoever never wrote the PNG files gives ``fer2013.csv``; row numbers are the pictures' names."""
    root = write_ferplus(tmp_path / "ferplus", pictures=False)
    levels = np.random.default_rng(0).integers(0, 256, (7, 48 * 48))
    table = tmp_path / "fer2013.csv"
    lines = [f"0,{' '.join(map(str, row))},PrivateTest" for row in levels]
    table.write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    data = load_dataset(root, pixels=str(table))
    assert np.array_equal(data.image("fer0000003.png")[:, :, 0], levels[3].reshape(48, 48))
    check_loader(data)
    table.write_text("\n".join(["emotion,pixels,Usage", *lines[:2]]) + "\n")
    with pytest.raises(DataError, match=r"has 2 rows and lacks fer0000002\.png; give the whole fer2013\.csv"):
        load_dataset(root, pixels=str(table))


def test_the_folder_may_be_given_at_either_level(tmp_path, write_ferplus):
    """The root, or its ``data``."""
    root = write_ferplus(tmp_path)
    assert load_dataset(root / "data", loader="ferplus").digest == load_dataset(root).digest
    assert len(load_dataset(root / "data", loader="ferplus", votes_from="fer2013new.csv")) == 4


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"split": "tset"}, "--split 'tset' is not one of this data set's; did you mean 'test'"),
        ({"rule": "majorty"}, "--rule 'majorty' is no vote rule of FER\\+; did you mean 'majority'"),
        ({"votes_from": "labels.csv"}, "--votes-from 'labels.csv' is no label file of FER\\+; did you mean 'label.csv'"),
    ],
)
def test_options_that_do_not_exist_are_answered_with_the_nearest(tmp_path, write_ferplus, options, complaint):
    """Before anything large is read."""
    with pytest.raises(UsageError, match=complaint):
        load_dataset(write_ferplus(tmp_path), **options)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("fer0000000.png,1,2,3", "label.csv, line 8: not 'name, box, ten votes' but 4 fields"),
        ('"","(0, 0, 48, 48)",1,2,3,4,0,0,0,0,0,0', "line 8: not 'name, box, ten votes'"),
        ('x.png,"(0, 0, 48, 48)",1,2,3,4,0,0,0,0,0,many', "line 8: votes must be whole numbers, not 1,2,3.*many"),
        ('x.png,"(0, 0, 48, 48)",1,2,3,4,0,0,0,0,0,-1', "line 8: votes must be whole numbers"),
        ("\xff\xfe".encode("latin-1"), "label.csv cannot be read"),
    ],
)
def test_a_label_file_that_is_not_ferplus_is_refused_with_its_line(tmp_path, write_ferplus, line, complaint):
    """What, where, and where to get it again."""
    root = write_ferplus(tmp_path)
    file = root / "data" / "FER2013Test" / "label.csv"
    file.write_bytes(file.read_bytes() + (line.encode() if isinstance(line, str) else line) + b"\n")
    with pytest.raises(DataError, match=complaint) as caught:
        load_dataset(root)
    assert "again" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("contempt", "contemptt"), "fer2013new.csv lacks the column 'contempt'"),
        (("PrivateTest,fer0000000.png,10", "PrivateTest,fer0000000.png,ten"), "line 2: votes must be whole numbers"),
        (("PrivateTest", "Elsewhere"), "has no test split with fer2013new.csv; see the layout"),
    ],
)
def test_a_vote_table_that_is_not_ferplus_is_refused_with_its_line(tmp_path, write_ferplus, change, complaint):
    """The same for the other label file."""
    root = write_ferplus(tmp_path)
    file = root / "fer2013new.csv"
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(DataError, match=complaint):
        load_dataset(root, votes_from="fer2013new.csv")


def test_a_missing_split_is_answered_with_those_there_are(tmp_path, write_ferplus):
    """Often only one split was copied."""
    root = write_ferplus(tmp_path, SPLITS)
    with pytest.raises(DataError, match=r"has no valid split with label\.csv; there are: train, test"):
        load_dataset(root, split="valid")
    with pytest.raises(DataError, match="see the layout"):
        load_dataset(tmp_path / "data" / "FER2013Test", loader="ferplus")


def test_a_folder_without_any_picture_is_refused_and_one_with_some_is_not(tmp_path, write_ferplus):
    """Nothing to show a model is the user's to mend; a single missing picture is a row."""
    root = write_ferplus(tmp_path / "a", pictures=False)
    with pytest.raises(DataError, match=r"holds none of the pictures; write them with FER\+'s generate_training_data\.py, or"):
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
"""Faces kept in Train and Test, and Test's faces per emotion, computed once with the official trainer's code."""


def read_votes(root, source: str, split: str) -> list[list[int]]:
    """Votes as the official trainer reads them, without fairfer."""
    if source == "label.csv":
        with (root / "data" / f"FER2013{split}" / "label.csv").open() as file:
            return [[int(v) for v in row[2:]] for row in csv.reader(file)]
    usage = {"Train": "Training", "Test": "PrivateTest"}[split]
    with (root / "fer2013new.csv").open() as file:
        return [[int(v) for v in row[2:]] for row in csv.reader(file) if row[0] == usage and row[1]]


@pytest.mark.parametrize(("source", "rule"), KEPT)
def test_real_ferplus_keeps_the_official_faces(shared, source, rule):
    """The official counts, and label by label the official loops, on every face of Train and Test."""
    train, test, classes = KEPT[source, rule]
    for split, kept in (("Train", train), ("Test", test)):
        votes = read_votes(shared / "data" / "ferplus", source, split)
        labels, is_emotion = labels_of(np.array(votes), rule)
        assert is_emotion.sum() == kept
        official = [official_label(v, rule) for v in votes]
        assert [label if ok else None for label, ok in zip(labels, is_emotion, strict=True)] == official
    assert tuple(int((labels[is_emotion] == n).sum()) for n in FERPLUS.labels) == classes


def test_real_ferplus_test_loads_with_its_demographics(shared):
    """The Test split end to end: count, pictures, and everyone annotated or counted as not."""
    root = shared / "data" / "ferplus"
    data = load_dataset(root, demographics=root / "demographics.csv", bands={"age": [20, 40, 60]})
    assert len(data) == 3137
    assert data.image(data.samples.index[0]).shape == (48, 48, 3)
    assert data.attribute("gender").source == "inferred"
    assert data.samples["gender"].isin(data.attribute("gender").levels).all()
    assert np.asarray(Image.open(root / "data" / "FER2013Test" / data.samples.index[0])).shape == (48, 48)
