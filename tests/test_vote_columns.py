"""Raters' votes and soft labels in tables and folders."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from fairfer.audits.audit import audit_predictions
from fairfer.audits.plan import AuditPlan
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, UsageError
from fairfer.predictions.inference import predict
from fairfer.testing import check_loader


def frame(**columns) -> pd.DataFrame:
    base = {"id": list("abcd"), "predicted": ["happy", "sad", "sad", "happy"], "gender": ["f", "m", "f", "m"]}
    return pd.DataFrame({**base, **columns})


COUNTS = {"votes_happy": [8, 1, 5, 3], "votes_sad": [2, 9, 5, 2], "votes_unknown": [0, 0, 0, 6]}
SHARES = {"soft_happy": [0.8, 0.1, 0.5, 1.0], "soft_sad": [0.2, 0.9, 0.5, 0.0]}


def test_numbers_of_votes_are_votes_and_the_plurality_is_the_truth():
    """A tie has no label and is named; neither has a face that most raters called unknown."""
    data = load_dataset(frame(**COUNTS), votes="votes_*")
    assert dict(data.samples["label"]) == {"a": "happiness", "b": "sadness"}
    assert data.votes.loc["a"].to_dict() == {"happiness": 8, "sadness": 2, "unknown": 0}
    assert [a.name for a in data.attributes] == ["gender"]
    assert any("ties" in s.what and s.what.endswith(": 1") for s in data.steps)
    assert data.card["truth"] == "plurality of votes"
    check_loader(data)


def test_a_column_of_true_labels_wins():
    data = load_dataset(frame(**COUNTS, label=["sad"] * 4), votes="votes_*")
    assert set(data.samples["label"]) == {"sadness"}
    assert len(data.votes) == 4
    named = load_dataset(frame(**COUNTS, mine=["happy"] * 4), votes="votes_*", truth="mine")
    assert set(named.samples["label"]) == {"happiness"}


def test_shares_give_labels_and_entropy_but_no_votes():
    """Agreement between raters needs their number; it is refused in words, not computed from rounded shares."""
    data = load_dataset(frame(**SHARES), votes="soft_*")
    assert dict(data.samples["label"]) == {"a": "happiness", "b": "sadness", "d": "happiness"}
    assert data.votes is None
    assert data.samples["vote_entropy"].loc[["a", "d"]].tolist() == pytest.approx([0.721928095, 0.0])
    assert any("not numbers of raters" in s.what for s in data.steps)
    check_loader(data)


@pytest.mark.parametrize(("columns", "pattern"), [(COUNTS, "votes_*"), (SHARES, "soft_*")])
def test_entropy_can_be_standardized_over(columns, pattern, tmp_path):
    many = pd.concat([frame(**columns)] * 40, ignore_index=True).assign(id=[f"x{i}" for i in range(160)])
    data = load_dataset(many, votes=pattern)
    plan = AuditPlan.of({"by": ("gender",), "permutations": 100, "standardize": ("vote_entropy",)})
    audit = audit_predictions(data, predict(data, None, tmp_path / "run"), plan)
    assert audit.plan.standardize == ("vote_entropy",)
    assert (audit.human_agreement is not None) == (pattern == "votes_*")


def test_a_column_of_lists_needs_the_order():
    lists = {"soft": [json.dumps(v) for v in ([0.8, 0.2], [0.1, 0.9], [0.5, 0.5], [1, 0])]}
    with pytest.raises(UsageError, match=r"order of their labels with --labels"):
        load_dataset(frame(**lists), votes="soft")
    data = load_dataset(frame(**lists), votes="soft", labels="happy,sad")
    assert dict(data.samples["label"]) == {"a": "happiness", "b": "sadness", "d": "happiness"}
    lists["soft"][1] = "[1, 0, 0]"
    with pytest.raises(DataError, match="not a list of 2 numbers"):
        load_dataset(frame(**lists), votes="soft", labels="happy,sad")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"v_happy": [0.8, 1, 1, 1], "v_sad": [0.3, 0, 0, 0]}, r"neither whole numbers nor shares that sum to 1 \(sum 1.1\)"),
        ({"v_happy": [-1, 1, 1, 1], "v_sad": [2, 0, 0, 0]}, "negative"),
        ({"v_happy": [None, 1, 1, 1], "v_sad": [2, 0, 0, 0]}, "some votes are missing"),
        ({"v_happy": [0, 0, 0, 0], "v_sad": [0, 0, 0, 0]}, "no row has votes"),
        ({"v_happy": ["x", "1", "1", "1"], "v_sad": [2, 0, 0, 0]}, "not a number of votes"),
        ({"v_happy": [1, 1, 1, 1], "v_joy": [2, 0, 0, 0]}, "same label"),
    ],
)
def test_invalid_votes_are_one_line(columns, reason):
    with pytest.raises(DataError, match=reason):
        load_dataset(frame(**columns), votes="v_*")


def test_other_refusals():
    with pytest.raises(UsageError, match="no column that matches --votes"):
        load_dataset(frame(**COUNTS), votes="wotes_*")
    with pytest.raises(DataError, match="a true label but no votes"):
        load_dataset(frame(v_happy=[3, 2, None, 1], v_sad=[1, 0, None, 1], label=["happy", "sad"] * 2), votes="v_*")
    with pytest.raises(DataError, match="column 'vote_entropy' beside --votes"):
        load_dataset(frame(**SHARES, vote_entropy=["x"] * 4), votes="soft_*")
    multi = pd.DataFrame(
        {"truth_a": [1, 0], "truth_b": [0, 1], "pred_a": [1, 0], "pred_b": [0, 1], "v_a": [1, 2], "v_b": [2, 1]}
    )
    with pytest.raises(DataError, match="not for one column per label"):
        load_dataset(multi, votes="v_*", truth="truth_*", predicted="pred_*")


def test_a_folder_with_votes(tmp_path, write_pictures):
    """In metadata.csv; folders of labels have none."""
    write_pictures(tmp_path / "f", ["a.png", "b.png", "c.png"])
    (tmp_path / "f" / "metadata.csv").write_text(
        "file_name,votes_happy,votes_sad,gender\na.png,7,3,f\nb.png,1,9,m\nc.png,5,5,m\n"
    )
    data = load_dataset(tmp_path / "f", votes="votes_*")
    assert dict(data.samples["label"]) == {"a.png": "happiness", "b.png": "sadness"}
    assert data.votes["happiness"].tolist() == [7, 1]
    assert [a.name for a in data.attributes] == ["gender"]
    check_loader(data)
    write_pictures(tmp_path / "g", ["happy/a.png", "sad/b.png"])
    with pytest.raises(UsageError, match=r"has no metadata\.csv"):
        load_dataset(tmp_path / "g", votes="votes_*")


@pytest.mark.parametrize(("sad", "suspicious"), [(40, True), (39, False)])
def test_votes_that_may_be_percentages_are_pointed_out(sad, suspicious):
    """60 and 40 could be 100 raters, or percentages, which say nothing about the number of raters."""
    frame = pd.DataFrame({"votes_happy": [60, 20], "votes_sad": [sad, 80], "predicted": ["happy", "sad"]})
    steps = load_dataset(frame, votes="votes_*").steps
    assert any("if these are percentages, divide them by 100" in step.what for step in steps) == suspicious
