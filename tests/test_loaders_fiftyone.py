"""Exports of FiftyOne, in the form that its exporters write (fiftyone/utils/data/exporters.py)."""

from __future__ import annotations

import base64
import io
import json
import zlib

import numpy as np
import pytest

from fairfer.datasets.loading import load_dataset, loaders
from fairfer.errors import DataError, UsageError
from fairfer.testing import check_layout, check_loader

CLASSES = ["happy", "sad", "neutral"]


def classification(label, logits=None, confidence=None) -> dict:
    return {
        "_id": {"$oid": "5e"},
        "_cls": "Classification",
        "tags": [],
        "label": label,
        "confidence": confidence,
        "logits": logits,
    }


def compressed(values) -> dict:
    """As FiftyOne serializes arrays."""
    file = io.BytesIO()
    np.save(file, np.array(values))
    return {"$binary": {"base64": base64.b64encode(zlib.compress(file.getvalue())).decode(), "subType": "00"}}


def sample(name, truth, predicted=None, gender=None, **more) -> dict:
    return {
        "_id": {"$oid": name},
        "filepath": f"data/{name}.png",
        "tags": ["test"],
        "metadata": None,
        "_media_type": "image",
        "_rand": 0.5,
        "created_at": {"$date": "2026-01-01T00:00:00Z"},
        "ground_truth": None if truth is None else classification(truth),
        "predictions": predicted,
        "gender": gender,
        **more,
    }


@pytest.fixture
def export(tmp_path, write_pictures):
    folder = tmp_path / "faces"
    write_pictures(folder, [f"data/{n}.png" for n in "abcd"])
    samples = [
        sample("a", "happy", classification("happy", compressed([2.0, 0.0, 0.0])), "f"),
        sample("b", "sad", classification("neutral", compressed([0.0, 0.0, 1.0])), "m", box=[1, 2]),
        sample("c", "neutral", None, "m"),
        sample("d", None, classification("sad", compressed([0, 1, 0])), "f"),
    ]
    (folder / "samples.json").write_text(json.dumps({"samples": samples}))
    (folder / "metadata.json").write_text(json.dumps({"classes": {"predictions": CLASSES}, "default_classes": []}))
    return folder


def change(export, edit) -> None:
    content = json.loads((export / "samples.json").read_text())
    edit(content["samples"])
    (export / "samples.json").write_text(json.dumps(content))


def test_labels_attributes_and_images(export):
    """Without --predicted a model can be run, and the field of predictions is no attribute."""
    data = load_dataset(export)
    assert dict(data.samples["label"]) == {"data/a.png": "happiness", "data/b.png": "sadness", "data/c.png": "neutral"}
    assert [a.name for a in data.attributes] == ["gender"]
    assert data.recorded is None
    assert any("predictions" in s.what for s in data.steps)
    assert any("box" in s.what for s in data.steps)
    check_loader(data)
    check_layout(loaders()["fiftyone"], export)


def test_predictions_are_recorded_with_probabilities(export):
    data = load_dataset(export, predicted="predictions")
    frame = data.recorded.frame
    assert list(frame["predicted"].fillna("")) == ["happiness", "neutral", ""]
    assert list(frame["status"]) == ["ok", "ok", "error"]
    assert frame["score:happiness"].iloc[0] == pytest.approx(np.exp(2) / (np.exp(2) + 2))
    assert data.recorded.model == "predictions"
    check_loader(data)


def test_samples_may_be_a_folder(export):
    """`use_dirs=True`."""
    plain = load_dataset(export)
    samples = json.loads((export / "samples.json").read_text())["samples"]
    (export / "samples").mkdir()
    for i, one in enumerate(samples):
        (export / "samples" / f"{i:06}-x.json").write_text(json.dumps(one))
    (export / "samples.json").unlink()
    assert load_dataset(export).digest == plain.digest


def test_images_that_were_not_exported_have_absolute_paths(export):
    """`export_media=False`; ids do not depend on where the images are."""

    def absolute(samples):
        for one in samples:
            one["filepath"] = str(export / one["filepath"])

    change(export, absolute)
    data = load_dataset(export)
    assert list(data.samples.index) == ["a.png", "b.png", "c.png"]
    check_loader(data)


def test_fields_are_named(export):
    with pytest.raises(UsageError, match="no field 'prediction' of type Classification"):
        load_dataset(export, predicted="prediction")
    with pytest.raises(UsageError, match="both the field"):
        load_dataset(export, predicted="ground_truth")
    change(export, lambda samples: [s.update(mine=s.pop("ground_truth")) for s in samples])
    with pytest.raises(UsageError, match=r"with --truth \(mine, predictions\)"):
        load_dataset(export)
    assert len(load_dataset(export, truth="mine")) == 3


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda s: s.clear(), "no samples with a filepath"),
        (lambda s: s[0].pop("filepath"), "no samples with a filepath"),
        (lambda s: s.append(s[0]), "one image in several samples"),
        (lambda s: [one.update(ground_truth=None, predictions=None) for one in s], "no field of type Classification"),
        (lambda s: s[0]["predictions"].update(logits=[1.0, 2.0]), "2 logits of predictions, but 3 classes"),
        (lambda s: s[0]["predictions"].update(logits={"$binary": "xx"}), "logits of predictions cannot be read"),
    ],
)
def test_damaged_exports_are_one_line(export, edit, reason):
    change(export, edit)
    with pytest.raises(DataError, match=reason):
        load_dataset(export)


def test_files_that_are_no_json_are_one_line(export):
    (export / "metadata.json").write_text("{")
    with pytest.raises(DataError, match=r"metadata\.json cannot be read"):
        load_dataset(export)
    (export / "metadata.json").write_text("[]")
    with pytest.raises(DataError, match="not a JSON object"):
        load_dataset(export)


@pytest.fixture
def simple(tmp_path, write_pictures):
    folder = tmp_path / "simple"
    write_pictures(folder, ["data/a.png", "data/b.png", "data/c.png"])
    return folder


def test_classification_export(simple):
    """Codes of classes, no label, and details; names have no suffix."""
    labels = {"a": 0, "b": {"label": 1, "confidence": 0.5, "attributes": {"gender": "f"}}, "c": None}
    (simple / "labels.json").write_text(json.dumps({"classes": CLASSES, "labels": labels}))
    data = load_dataset(simple)
    assert dict(data.samples["label"]) == {"a.png": "happiness", "b.png": "sadness"}
    assert list(data.samples["gender"]) == ["unannotated", "f"]
    check_loader(data)


def test_classification_export_without_classes(simple):
    (simple / "labels.json").write_text(
        json.dumps({"classes": None, "labels": {"a": "sad", str(simple / "data" / "b"): "happy"}})
    )
    assert list(load_dataset(simple).samples["label"]) == ["sadness", "happiness"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"labels": []}, "no map 'labels'"),
        ({"classes": CLASSES, "labels": {"a": 7}}, "not one of the classes 0 to 2"),
        ({"classes": CLASSES, "labels": {"a": [0, 1]}}, "several labels"),
        ({"classes": CLASSES, "labels": {"../x": 0}}, "outside of"),
    ],
)
def test_damaged_classification_exports_are_one_line(simple, content, reason):
    (simple / "labels.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=reason):
        load_dataset(simple)


def test_a_classification_export_has_no_predictions(simple):
    (simple / "labels.json").write_text(json.dumps({"classes": CLASSES, "labels": {"a": 0, "b": 1}}))
    with pytest.raises(UsageError, match="--predicted"):
        load_dataset(simple, predicted="predictions")
