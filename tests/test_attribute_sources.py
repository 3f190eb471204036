"""Attributes as FairFace and UTKFace write them."""

from __future__ import annotations

import pandas as pd
import pytest

from fairfer.datasets.attribute_sources import annotate_from_names
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError
from fairfer.testing import check_loader

LABELS = """file,age,gender,race,service_test
train/1.jpg,more than 70,Male,East Asian,True
train/2.jpg,3-9,Female,Latino_Hispanic,False
"""
HEADER = "face_name_align,race,race4,gender,age,race_scores_fair,race_scores_fair_4,gender_scores_fair,age_scores_fair\n"


def row(
    name="detected_faces/1_face0.jpg", race="East Asian", age="70+", gender="Male", race_scores="[0.1 0. 0.\n 6.e-01 .2 .1 0.0]"
):
    return (
        f'{name},{race},Asian,Male,70+,"{race_scores}","[1.e-01 1.e-01 7.e-01 1.e-01]","[0.9 0.1]",'
        '"[0. 0. 0. 0. 0. 0. 0. 0.25 0.75]"\n'
    )


@pytest.fixture
def faces(tmp_path, write_pictures):
    folder = tmp_path / "faces"
    write_pictures(folder, ["happy/1.jpg", "sad/2.jpg"])
    return folder


def test_labels_of_fairface_are_annotated(faces, tmp_path):
    """No .toml is needed; the images are found by the last part of their path or by the whole."""
    table = tmp_path / "fairface_label_val.csv"
    table.write_text(LABELS.replace("train/", ""))
    data = load_dataset(faces, demographics=table)
    assert data.attribute("gender").source == "annotated"
    assert "FairFace" in data.attribute("race").by
    assert list(data.samples["age"]) == ["70+", "3-9"]
    assert data.attribute("age").levels[-1] == "70+"
    assert "service_test" not in data.samples
    check_loader(data)


def test_a_provenance_file_wins(faces, tmp_path):
    (tmp_path / "f.csv").write_text(LABELS.replace("train/", ""))
    (tmp_path / "f.toml").write_text('[gender]\nsource = "self-reported"\n')
    data = load_dataset(faces, demographics=tmp_path / "f.csv")
    assert data.attribute("gender").source == "self-reported"
    assert data.attribute("race").source == "unstated"


def test_output_of_predict_is_inferred_with_probabilities(faces, tmp_path):
    """Printed numpy arrays, over several lines; faces are named after their image."""
    (tmp_path / "test_outputs.csv").write_text(HEADER + row())
    data = load_dataset(faces, demographics=tmp_path / "test_outputs.csv")
    race = data.attribute("race")
    assert (race.source, race.by) == ("inferred", "FairFace (predict.py)")
    assert list(data.samples["race"]) == ["East Asian", "unannotated"]
    assert data.samples[race.probabilities["East Asian"]].iloc[0] == pytest.approx(0.6)
    assert data.samples[data.attribute("age").probabilities["70+"]].iloc[0] == pytest.approx(0.75)
    check_loader(data)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (row(race="White"), "does not have the highest score"),
        (row(race_scores="[0.5 0.5]"), "is not 7 probabilities"),
        (row(race_scores="[1 1 1 1 1 1 1]"), "is not 7 probabilities"),
        (row() + row("detected_faces/1_face1.jpg", race_scores="[0 0 0 1 0 0 0]"), "several different rows"),
        (row("detected_faces/9_face0.jpg"), "has no image of faces"),
    ],
)
def test_invalid_output_is_one_line(faces, tmp_path, content, reason):
    (tmp_path / "o.csv").write_text(HEADER + content)
    with pytest.raises(DataError, match=reason):
        load_dataset(faces, demographics=tmp_path / "o.csv")


def test_utkface_names(tmp_path, write_pictures):
    """Complete names, names with a chip suffix, names that lack a field, and other names."""
    names = [
        "happy/25_1_0_20170116174525125.jpg",
        "sad/61_0_3_20170109150557335.jpg.chip.jpg",
        "sad/39_1_20170116174525125.jpg.chip.jpg",
        "sad/53__0_20170116184028385.jpg",
        "sad/other.jpg",
    ]
    write_pictures(tmp_path / "utk", names)
    data = load_dataset(tmp_path / "utk", demographics="utkface", bands={"age": [40]})
    order = data.samples.loc[names]
    assert list(order["gender"]) == ["female", "male", "unannotated", "unannotated", "unannotated"]
    assert list(order["race"]) == ["White", "Indian", "unannotated", "White", "unannotated"]
    assert list(order["age"]) == ["under 40", "40 and over", "under 40", "40 and over", "unannotated"]
    assert data.attribute("gender").source == "annotated"
    assert any("without age, gender or race" in s.what and s.what.endswith(": 3") for s in data.steps)
    check_loader(data)
    with pytest.raises(DataError, match="already has a column 'age'"):
        annotate_from_names(data)


def test_other_names_are_refused(faces):
    with pytest.raises(DataError, match="no image of faces has a name such as"):
        load_dataset(faces, demographics="utkface")


def test_a_table_called_utkface_is_a_table(faces, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"image": ["1.jpg"], "gender": ["f"]}).to_csv("utkface", index=False)
    with pytest.raises(DataError, match="not a table file"):
        load_dataset(faces, demographics="utkface")
