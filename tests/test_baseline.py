"""The bundled model: it answers, it is small, and the way from photographs to the graph runs from end to end."""

from __future__ import annotations

import csv
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

import fairfer.models.baseline
from fairfer.labels import FERPLUS
from fairfer.models.model import Model


@pytest.fixture(scope="module")
def model():
    return fairfer.models.baseline.load()


def pictures(count=6, seed=5):
    grey = np.random.default_rng(seed).integers(0, 256, (count, 48, 48, 1), dtype=np.uint8)
    return list(np.repeat(grey, 3, axis=3))


def scores(model, images):
    answers = model.predict(images)
    assert [a.status for a in answers] == ["ok"] * len(images)
    return np.stack([a.scores for a in answers])


def test_it_answers_in_the_words_of_ferplus(model):
    assert isinstance(model, Model)
    assert model.name == "baseline"
    assert model.labels.labels == FERPLUS.labels
    said = scores(model, pictures())
    assert (said >= 0).all()
    np.testing.assert_allclose(said.sum(1), 1, atol=1e-6)


def test_a_face_and_its_mirror_image_are_answered_alike(model):
    faces = pictures()
    np.testing.assert_allclose(scores(model, faces), scores(model, [f[:, ::-1] for f in faces]), atol=1e-6)


def test_exposure_hardly_matters(model):
    faces = [(f // 4 + 60).astype(np.uint8) for f in pictures()]
    np.testing.assert_allclose(scores(model, faces), scores(model, [f + 40 for f in faces]), atol=1e-4)


def test_plain_pictures_are_answered_too(model):
    scores(model, [np.full((48, 48, 3), v, np.uint8) for v in (0, 128, 255)])
    scores(model, [np.full((1, 200, 3), 9, np.uint8)])


def test_answers_do_not_depend_on_the_batch_or_the_threads(model):
    faces = pictures(9)
    whole = scores(model, faces)
    np.testing.assert_allclose(whole, np.concatenate([scores(model, [f]) for f in faces]), atol=1e-6)
    np.testing.assert_allclose(whole, scores(fairfer.models.baseline.load(threads="1"), faces), atol=1e-6)
    assert (whole == scores(model, faces)).all()


def test_it_is_small_and_says_what_it_is():
    folder = files(fairfer.models.baseline)
    assert len((folder / "baseline.onnx").read_bytes()) <= 1_500_000
    card = (folder / "CARD.md").read_text(encoding="utf-8")
    assert all(f"## {part}" in card for part in ("Data", "Training", "Intended use", "Limits", "Licence"))


def test_importing_it_imports_nothing_heavy():
    code = (
        "import sys, fairfer.models.baseline; sys.exit(bool({'onnxruntime', 'torch', 'PIL', 'onnx', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def ferplus(tmp_path):
    """A folder of the official FER+ layout with random pictures: 20 to learn from, 4 to test on, one of them a twin."""
    rng = np.random.default_rng(1)
    twin = rng.integers(0, 256, (48, 48), dtype=np.uint8)
    for split, count in (("Train", 20), ("Test", 4)):
        folder = tmp_path / "ferplus" / "data" / f"FER2013{split}"
        folder.mkdir(parents=True)
        with (folder / "label.csv").open("w", newline="") as file:
            for i in range(count):
                name = f"fer{i:07d}.png"
                picture = rng.integers(0, 256, (48, 48), dtype=np.uint8) if i else twin
                Image.fromarray(picture).save(folder / name)
                votes = [0] * 10
                votes[i % 8], votes[(i + 3) % 8] = 7, 3
                csv.writer(file).writerow([name, "(0, 0, 48, 48)", *votes])
    return tmp_path / "ferplus"


@pytest.fixture
def train():
    pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    from fairfer.models.baseline import train

    return train


def test_from_photographs_to_a_graph(ferplus, tmp_path, train, capsys):
    from fairfer.models.adapters import onnx as adapter
    from fairfer.models.baseline import export

    out, graphs = tmp_path / "out", tmp_path / "graphs"
    graphs.mkdir()
    settings = ["--epochs", "1", "--batch", "8", "--holdout", "0.1", "--threads", "1"]
    train.main(["--data", str(ferplus), "--out", str(out), "--export", str(graphs), *settings])
    assert "same top label" in capsys.readouterr().out
    network = export.read_checkpoint(out / "checkpoint.pt")
    faces = np.stack(pictures(32))[..., 0]
    difference, agreement = export.compare(network, graphs / "baseline.onnx", faces)
    assert difference < 2e-3
    assert agreement > 0.9
    (graphs / "baseline.toml").write_bytes((files(fairfer.models.baseline) / "baseline.toml").read_bytes())
    said = scores(adapter.load(str(graphs / "baseline.toml")), pictures(32))
    assert said.shape == (32, 8)
    first = (graphs / "baseline.onnx").read_bytes()
    export.main(["--checkpoint", str(out / "checkpoint.pt"), "--out", str(graphs)])
    assert (graphs / "baseline.onnx").read_bytes() == first
    assert sorted(p.name for p in graphs.iterdir()) == ["baseline.onnx", "baseline.toml"]


def test_training_again_gives_the_same_weights(ferplus, tmp_path, train):
    import torch

    torch.set_num_threads(1)
    settings = train.TrainingOptions(epochs=1, batch=8, holdout=0)
    first, second = (train.train(ferplus, tmp_path, settings).state_dict() for _ in range(2))
    assert all(torch.equal(a, second[name]) for name, a in first.items())
    other = train.train(ferplus, tmp_path, train.TrainingOptions(epochs=1, batch=8, holdout=0, seed=1)).state_dict()
    assert not torch.equal(other["head.weight"], first["head.weight"])


def test_pictures_of_test_are_not_trained_on(ferplus, tmp_path, train):
    from fairfer.errors import DataError

    # Of 20 faces one is a twin of a Test face, so that a batch of 20 cannot be filled.
    with pytest.raises(DataError, match="19 usable training faces are fewer than one batch of 20"):
        train.train(ferplus, tmp_path, train.TrainingOptions(epochs=1, batch=20, holdout=0))


def test_the_votes_of_a_single_rater_are_outliers(train):
    votes = np.array([[7, 1, 1, 1, 0, 0, 0, 0, 0, 0], [2, 2, 0, 0, 0, 0, 0, 0, 6, 0], [0, 0, 0, 0, 0, 0, 0, 0, 5, 5]])
    targets, usable = train.vote_targets(votes)
    assert usable.tolist() == [True, False, False]
    assert targets[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert train.official_majority(votes).tolist() == [0, 8, 8]


@pytest.mark.parametrize("spoil", ["missing", "picture", "votes"])
def test_data_that_is_not_ferplus_is_one_line(ferplus, tmp_path, train, capsys, spoil):
    folder = ferplus / "data" / "FER2013Train"
    if spoil == "missing":
        (folder / "label.csv").unlink()
    elif spoil == "picture":
        (folder / "fer0000003.png").write_bytes(b"no picture")
    else:
        (folder / "label.csv").write_text("fer0000000.png,box,many\n")
    with pytest.raises(SystemExit) as caught:
        train.main(["--data", str(ferplus), "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert str(folder) in said


@pytest.mark.parametrize("raw", [None, b"", b"no checkpoint", "other"])
def test_a_checkpoint_that_is_none_is_one_line(tmp_path, train, capsys, raw):
    import torch

    from fairfer.models.baseline import export

    assert train
    path = tmp_path / "checkpoint.pt"
    if raw == "other":
        torch.save({"weight": torch.zeros(3)}, path)
    elif raw is not None:
        path.write_bytes(raw)
    with pytest.raises(SystemExit) as caught:
        export.main(["--checkpoint", str(path), "--out", str(tmp_path)])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {path}")
    assert said.count("\n") == 1
