"""Maps are made in parts, stored, and read back; which answers are explained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.audits.explained_pairs import explained_pairs
from fairfer.audits.join import join
from fairfer.audits.plan import AuditPlan, check_plan
from fairfer.explanations import stored_maps
from fairfer.explanations.attribution import Maps
from fairfer.explanations.stored_maps import make_maps, shrink
from fairfer.labels import LabelSpace
from fairfer.predictions.inference import predict
from fairfer.testing import FakeModel


class Levels:
    """A method whose map is the picture's red levels, with a sign by the target."""

    name, needs_gradients, trusted, warning, explains = "levels", False, True, "", "score"

    def __init__(self, options=None):
        self.options, self.calls = dict(options or {"scale": "1"}), []

    def maps(self, images, targets):
        self.calls.append(len(images))
        signs = np.where(np.array(targets) % 2, -1.0, 1.0)
        values = np.stack([image[:, :, 0] for image in images]).astype(np.float32) * signs[:, None, None]
        frames = np.tile([0.0, 0.0, values.shape[2], values.shape[1]], (len(images), 1))
        return Maps(values.astype(np.float32), frames, signs, values.sum(axis=(1, 2)))


@pytest.fixture
def data(toy, monkeypatch):
    monkeypatch.setattr(stored_maps, "PART_SIZE", 4)
    return toy(["anger", "fear", "happiness"] * 3, {"gender": ["female", "male", "female"] * 3})


def pairs_of(data):
    return pd.DataFrame({"sample_id": list(data.samples.index), "label": list(data.samples["label"])})


def run(data, method, folder=None, identity="model"):
    pairs = pairs_of(data)
    return list(make_maps(data, method, pairs, list(range(len(pairs))), folder, identity))


def test_maps_are_the_same_with_and_without_a_folder(data, tmp_path):
    method = Levels()
    stored, read, memory = run(data, method, tmp_path), run(data, method, tmp_path), run(data, Levels())
    assert method.calls == [4, 4, 1]
    for one, two, three in zip(stored, read, memory, strict=True):
        for field in dataclasses.fields(one):
            a, b, c = (getattr(p, field.name) for p in (one, two, three))
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
            assert np.array_equal(a, c, equal_nan=a.dtype.kind == "f")
    exact = np.stack([data.image(i)[:, :, 0] for i in data.samples.index[:4]]) * np.array([1, -1, 1, -1])[:, None, None]
    assert np.allclose(stored[0].maps, exact, atol=0.13)  # 16 bits: 11 significant binary digits of 255


@pytest.mark.parametrize("change", ["method", "model", "images", "labels", "damage"])
def test_parts_of_something_else_are_made_again(data, toy, tmp_path, change):
    run(data, Levels(), tmp_path)
    method = Levels({"scale": "2"} if change == "method" else None)
    if change == "images":
        data = toy(["anger", "fear", "happiness"] * 3, said=[7] * 9)
    if change == "damage":
        part = tmp_path / "part-00001.parquet"
        part.write_bytes(part.read_bytes()[:-30])
    pairs = pairs_of(data)
    if change == "labels":
        pairs.loc[0, "label"] = "sadness"
    list(make_maps(data, method, pairs, list(range(9)), tmp_path, "other" if change == "model" else "model"))
    assert method.calls == {"damage": [4], "labels": [4]}.get(change, [4, 4, 1])


def test_an_image_that_cannot_be_read_has_no_map(write_pictures, tmp_path):
    from fairfer.datasets.loading import load_dataset

    write_pictures(tmp_path / "faces", ["anger/a.png", "anger/b.png", "anger/c.png"])
    (tmp_path / "faces" / "anger" / "b.png").write_bytes(b"broken")
    data = load_dataset(tmp_path / "faces")
    [part] = run(data, Levels())
    assert part.readable.tolist() == [True, False, True]
    assert np.isnan(part.maps[1]).all()
    assert np.isfinite(part.maps[[0, 2]]).all()
    assert np.isnan(part.outputs[1])


def test_a_part_without_a_readable_image_is_kept(write_pictures, tmp_path):
    from fairfer.datasets.loading import load_dataset

    write_pictures(tmp_path / "faces", ["anger/a.png"])
    (tmp_path / "faces" / "anger" / "a.png").write_bytes(b"broken")
    [part] = run(load_dataset(tmp_path / "faces"), Levels(), tmp_path / "maps")
    assert not part.readable.any()
    assert part.maps.shape[0] == 1


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(0, 99))
def test_shrinking_keeps_the_sum_of_a_map(height, width, side, seed):
    maps = np.random.default_rng(seed).normal(size=(2, height, width)).astype(np.float32)
    small = shrink(maps, side)
    assert small.shape == (2, min(height, side), min(width, side))
    assert np.allclose(small.sum(axis=(1, 2)), maps.sum(axis=(1, 2)), atol=1e-3)


def test_shrinking_sums_blocks_of_pixels():
    maps = np.arange(36, dtype=np.float32).reshape(1, 6, 6)
    blocks = maps.reshape(1, 3, 2, 3, 2).sum(axis=(2, 4))
    assert np.allclose(shrink(maps, 3), blocks)
    assert np.allclose(shrink(maps, 6), maps)


# ---- which answers are explained


def joined(data, model, **plan):
    predictions = predict(data, model)
    return join(check_plan(AuditPlan.of(plan), data, predictions.labels, predictions.task), predictions)


def test_each_face_is_explained_for_its_label_and_for_the_one_the_model_saw(toy):
    names = FakeModel().labels.labels
    said = [names.index(n) for n in ("anger", "fear", "anger", "fear")]
    data = toy(["anger", "anger", "fear", "fear"], {"gender": ["female", "male", "female", "male"]}, said=said)
    pairs = explained_pairs(joined(data, FakeModel(), by="gender"), names)
    rows = [(r.sample_id[-5], r.label, r.outcome, r.truth, r.predicted, r.by0) for r in pairs.itertuples()]
    assert sorted(rows) == [
        ("0", "anger", "TP", "anger", "anger", "female"),
        ("1", "anger", "FN", "anger", "fear", "male"),
        ("1", "fear", "FP", "anger", "fear", "male"),
        ("2", "anger", "FP", "fear", "anger", "female"),
        ("2", "fear", "FN", "fear", "anger", "female"),
        ("3", "fear", "TP", "fear", "fear", "male"),
    ]
    assert pairs.groupby(["truth", "predicted"])["stratum"].nunique().eq(1).all()
    assert pairs["stratum"].nunique() == 4
    assert pairs.groupby("sample_id")["subject"].nunique().eq(1).all()
    assert pairs["subject"].nunique() == 4


def test_faces_without_an_answer_and_labels_without_an_output_have_no_pair(toy):
    names = FakeModel().labels.labels
    data = toy(["anger", "fear", "happiness"])
    pairs = explained_pairs(joined(data, FakeModel(no_face=(names.index("fear"),))), ["happiness", "fear"])
    assert pairs[["label", "outcome"]].to_numpy().tolist() == [["happiness", "TP"]]


def test_unknown_action_units_have_no_pair(toy):
    units = LabelSpace("units", ("AU1", "AU12"))
    data = toy(["anger"] * 4, said=[0b00, 0b01, 0b10, 0b11])
    truth = {"truth:AU1": [1, 1, None, 0], "truth:AU12": [0, 0, 1, None]}
    samples = pd.DataFrame(truth, index=data.samples.index).astype("Int8")
    data = data.replace(samples=samples, labels=units, task="multi-label")
    pairs = explained_pairs(joined(data, FakeModel(units.labels, task="multi-label")), units.labels)
    rows = [(r.sample_id[-5], r.label, r.outcome) for r in pairs.itertuples()]
    assert rows == [("0", "AU1", "FN"), ("1", "AU1", "TP"), ("2", "AU12", "TP"), ("3", "AU1", "FP")]


def test_faces_of_one_subject_share_its_number(toy):
    data = toy(["anger", "fear", "anger"], {"gender": ["f", "f", "m"]})
    data = data.replace(samples=data.samples.assign(subject=["a", "a", "b"]))
    pairs = explained_pairs(joined(data, FakeModel(), by="gender", subject="subject"), FakeModel().labels.labels)
    assert pairs["subject"].nunique() == 2
