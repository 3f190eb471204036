"""The bundled model: its answers, its size, and the whole path from photographs to the graph."""

from __future__ import annotations

import csv
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

import fairfer.models.baseline
from fairfer.errors import DataError
from fairfer.labels import FERPLUS
from fairfer.models.baseline import export, train
from fairfer.models.baseline.options import TrainingOptions
from fairfer.models.baseline.votes import official_majority, vote_targets
from fairfer.models.model import Model


@pytest.fixture(scope="module")
def model():
    return fairfer.models.baseline.load()


def images(count=6, seed=5):
    gray = np.random.default_rng(seed).integers(0, 256, (count, 48, 48, 1), dtype=np.uint8)
    return list(np.repeat(gray, 3, axis=3))


def scores(model, batch):
    predictions = model.predict(batch)
    assert [p.status for p in predictions] == ["ok"] * len(batch)
    return np.stack([p.scores for p in predictions])


def test_scores_are_probabilities_of_the_labels_of_ferplus(model):
    assert isinstance(model, Model)
    assert model.name == "baseline"
    assert model.task == "single-label"
    assert model.labels.labels == FERPLUS.labels
    probabilities = scores(model, images())
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)


def test_a_face_and_its_mirror_image_have_the_same_scores(model):
    faces = images()
    np.testing.assert_allclose(scores(model, faces), scores(model, [f[:, ::-1] for f in faces]), atol=1e-6)


def test_scores_do_not_depend_on_exposure(model):
    faces = [(f // 4 + 60).astype(np.uint8) for f in images()]
    np.testing.assert_allclose(scores(model, faces), scores(model, [f + 40 for f in faces]), atol=1e-4)


def test_uniform_images_have_finite_scores(model):
    scores(model, [np.full((48, 48, 3), v, np.uint8) for v in (0, 128, 255)])
    scores(model, [np.full((1, 200, 3), 9, np.uint8)])


def test_scores_do_not_depend_on_batch_size_or_threads(model):
    faces = images(9)
    whole = scores(model, faces)
    np.testing.assert_allclose(whole, np.concatenate([scores(model, [f]) for f in faces]), atol=1e-6)
    np.testing.assert_allclose(whole, scores(fairfer.models.baseline.load(threads="1"), faces), atol=1e-6)
    assert (whole == scores(model, faces)).all()


def test_the_graph_is_small_and_has_a_model_card():
    folder = files(fairfer.models.baseline)
    assert len((folder / "baseline.onnx").read_bytes()) <= 1_500_000
    card = (folder / "CARD.md").read_text(encoding="utf-8")
    assert all(f"## {part}" in card for part in ("Data", "Training", "Intended use", "Limits", "License"))


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("onnxruntime", "torch", "PIL", "onnx", "pydantic")
    code = f"import sys, fairfer.models.baseline; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


WITHOUT_LIBRARIES = """
import pkgutil, sys

class Blocker:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx", "onnxruntime", "tensorflow", "deepface", "cv2"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker)
import fairfer
for module in pkgutil.walk_packages(fairfer.__path__, "fairfer."):
    if ".pytorch." in module.name:
        continue
    __import__(module.name)
"""


def test_every_module_imports_without_the_model_libraries():
    """Doctest collection imports every module to collect doctests; a fresh clone has no PyTorch."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_LIBRARIES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["torch", "onnx"])
@pytest.mark.parametrize("command", [train, export])
def test_a_missing_package_is_one_line_with_the_command_that_installs_it(monkeypatch, tmp_path, capsys, command, package):
    if package != "torch":
        pytest.importorskip("torch", reason="PyTorch is not installed, and is the first package that is missed")
    monkeypatch.setitem(sys.modules, package, None)
    first = ["--data", str(tmp_path)] if command is train else ["--checkpoint", str(tmp_path / "c.pt")]
    with pytest.raises(SystemExit) as caught:
        command.main([*first, "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"need the package {package}, which is not installed; run: pip install 'fairfer[torch]'" in error


def test_an_emotion_with_a_single_vote_is_dropped():
    votes = np.array([[7, 1, 1, 1, 0, 0, 0, 0, 0, 0], [2, 2, 0, 0, 0, 0, 0, 0, 6, 0], [0, 0, 0, 0, 0, 0, 0, 0, 5, 5]])
    targets, usable = vote_targets(votes)
    assert usable.tolist() == [True, False, False]
    assert targets[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert official_majority(votes).tolist() == [0, 8, 8]


# --- training --------------------------------------------------------------------------------------------------------


@pytest.fixture
def ferplus(tmp_path):
    """A folder of the official FER+ layout with random images: 20 in Train, 4 in Test, one of them in both."""
    rng = np.random.default_rng(1)
    duplicate = rng.integers(0, 256, (48, 48), dtype=np.uint8)
    for split, count in (("Train", 20), ("Test", 4)):
        folder = tmp_path / "ferplus" / "data" / f"FER2013{split}"
        folder.mkdir(parents=True)
        with (folder / "label.csv").open("w", newline="") as file:
            for i in range(count):
                name = f"fer{i:07d}.png"
                image = rng.integers(0, 256, (48, 48), dtype=np.uint8) if i else duplicate
                Image.fromarray(image).save(folder / name)
                votes = [0] * 10
                votes[i % 8], votes[(i + 3) % 8] = 7, 3
                csv.writer(file).writerow([name, "(0, 0, 48, 48)", *votes])
    return tmp_path / "ferplus"


@pytest.fixture
def training():
    """The module of the training loop, where its libraries are installed."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    from fairfer.models.baseline.pytorch import training

    return training


@pytest.mark.slow
@pytest.mark.usefixtures("training")
def test_from_photographs_to_a_graph(ferplus, tmp_path, capsys):
    from fairfer.models.adapters import onnx as adapter

    out, graphs = tmp_path / "out", tmp_path / "graphs"
    graphs.mkdir()
    options = ["--epochs", "1", "--batch", "8", "--holdout", "0.1", "--threads", "1"]
    train.main(["--data", str(ferplus), "--out", str(out), "--export", str(graphs), *options])
    assert "same top label" in capsys.readouterr().out
    network = export.read_checkpoint(out / "checkpoint.pt")
    faces = np.stack(images(32))[..., 0]
    difference, agreement = export.compare(network, graphs / "baseline.onnx", faces)
    assert difference < 2e-3
    assert agreement > 0.9
    (graphs / "baseline.toml").write_bytes((files(fairfer.models.baseline) / "baseline.toml").read_bytes())
    assert scores(adapter.load(graphs / "baseline.toml"), images(32)).shape == (32, 8)
    first = (graphs / "baseline.onnx").read_bytes()
    export.main(["--checkpoint", str(out / "checkpoint.pt"), "--out", str(graphs)])
    assert (graphs / "baseline.onnx").read_bytes() == first
    assert sorted(p.name for p in graphs.iterdir()) == ["baseline.onnx", "baseline.toml"]


def test_training_again_gives_the_same_weights(ferplus, tmp_path, training):
    import torch

    torch.set_num_threads(1)
    options = TrainingOptions(epochs=1, batch=8, holdout=0)
    first, second = (training.train(ferplus, tmp_path, options).state_dict() for _ in range(2))
    assert all(torch.equal(a, second[name]) for name, a in first.items())
    other = training.train(ferplus, tmp_path, TrainingOptions(epochs=1, batch=8, holdout=0, seed=1)).state_dict()
    assert not torch.equal(other["head.weight"], first["head.weight"])


def test_images_of_test_are_not_trained_on(ferplus, training):
    """One of the 20 faces is also in Test, so a batch of 20 cannot be filled."""
    with pytest.raises(DataError, match="19 usable training faces are fewer than one batch of 20"):
        training.load_faces(ferplus, TrainingOptions(epochs=1, batch=20, holdout=0))


@pytest.mark.usefixtures("training")
@pytest.mark.parametrize("damage", ["missing", "image", "votes"])
def test_data_that_is_not_ferplus_is_one_line(ferplus, tmp_path, capsys, damage):
    folder = ferplus / "data" / "FER2013Train"
    if damage == "missing":
        (folder / "label.csv").unlink()
    elif damage == "image":
        (folder / "fer0000003.png").write_bytes(b"no image")
    else:
        (folder / "label.csv").write_text("fer0000000.png,box,many\n")
    with pytest.raises(SystemExit) as caught:
        train.main(["--data", str(ferplus), "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert str(folder) in error


@pytest.mark.usefixtures("training")
@pytest.mark.parametrize("content", [None, b"", b"no checkpoint", "other"])
def test_a_file_that_is_not_a_checkpoint_is_one_line(tmp_path, capsys, content):
    import torch

    path = tmp_path / "checkpoint.pt"
    if content == "other":
        torch.save({"weight": torch.zeros(3)}, path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as caught:
        export.main(["--checkpoint", str(path), "--out", str(tmp_path)])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path}")
    assert error.count("\n") == 1
