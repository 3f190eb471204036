"""The package fer with its real weights."""

from __future__ import annotations

import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import fairfer
from fairfer.errors import ModelError
from fairfer.models import requirements
from fairfer.models.adapters import fer
from fairfer.testing import check_model

needs_fer = pytest.mark.skipif(
    not all(find_spec(name) for name in fer.PACKAGES), reason="fer is not installed: pip install 'fairfer[fer]'"
)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("something connected to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def model():
    return fairfer.load_model("fer")


def photograph(face: np.ndarray, side: int) -> np.ndarray:
    """A face of this size in the middle of a gray picture."""
    from PIL import Image

    large = np.asarray(Image.fromarray(face).resize((side, side)))
    return np.pad(large, ((80, 80), (80, 80), (0, 0)), constant_values=128)


@needs_fer
def test_contract(model) -> None:
    assert model.labels.spellings == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert model.options["offsets"] == "0 pixels"
    check_model(model)


@needs_fer
def test_scores_are_the_library_s(model) -> None:
    """Rounded scores of `detect_emotions` for the whole image, from BGR."""
    from fer.fer import FER

    image = np.random.default_rng(3).integers(0, 256, (60, 40, 3), np.uint8)
    library = FER(cascade_file=str(Path(FER.__init__.__code__.co_filename).parent / "data" / fer.CASCADE), offsets=(0, 0))
    [face] = library.detect_emotions(np.ascontiguousarray(image[:, :, ::-1]), face_rectangles=[(0, 0, 40, 60)])
    [answer] = model.predict([image])
    assert answer.scores.tolist() == [face["emotions"][n] for n in model.labels.spellings]
    assert answer.scores.tolist() == [round(x, 2) for x in answer.scores.tolist()]


@needs_fer
def test_nothing_is_printed_and_logging_stays(capsys) -> None:
    import logging

    level = logging.getLogger().level
    fairfer.load_model("fer").predict([np.zeros((9, 9, 3), np.uint8)])
    assert capsys.readouterr().out == ""
    assert logging.getLogger().level == level


@needs_fer
def test_one_bad_image_costs_only_itself(model) -> None:
    good = np.zeros((48, 48, 3), np.uint8)
    answers = model.predict([good, np.zeros((0, 9, 3), np.uint8), good])
    assert [a.status for a in answers] == ["ok", "error", "ok"]


@needs_fer
@pytest.mark.slow
def test_accuracy_on_ferplus(model, shared) -> None:
    """As published for this network on FER2013 (0.66): the preprocessing is right. A frame of ten pixels costs a tenth."""
    data = fairfer.load_dataset(shared / "data" / "ferplus")
    ids = [i for i in data.samples.index if data.samples.loc[i, "label"] in model.labels]
    answers = model.predict([data.image(i) for i in ids])
    predicted = [model.labels.labels[int(a.scores.argmax())] for a in answers]
    accuracy = float((data.samples.loc[ids, "label"].to_numpy() == np.array(predicted)).mean())
    assert 0.66 < accuracy < 0.69


@needs_fer
@pytest.mark.slow
def test_keras_engine_agrees(model, shared) -> None:
    """The original network and its quantized copy differ by little."""
    data = fairfer.load_dataset(shared / "data" / "ferplus")
    images = [data.image(i) for i in data.samples.index[:20]]
    keras = fairfer.load_model("fer", engine="keras")
    assert keras.version != model.version
    for one, other in zip(model.predict(images), keras.predict(images), strict=True):
        assert one.scores == pytest.approx(other.scores, abs=0.1)


@needs_fer
@pytest.mark.slow
def test_detector_opencv(shared) -> None:
    """No face is a status; of several faces the largest is read, and the detail says so."""
    data = fairfer.load_dataset(shared / "data" / "ferplus")
    face, other = (data.image(i) for i in data.samples.index[:2])
    detecting = fairfer.load_model("fer", detector="opencv")
    one = photograph(face, 256)
    two = np.concatenate([one, photograph(other, 256), photograph(face, 120)[:416, :200].repeat(2, 0)[:416]], 1)
    answers = detecting.predict([np.zeros((200, 200, 3), np.uint8), one, two])
    assert [a.status for a in answers] == ["no_face", "ok", "ok"]
    assert answers[0].detail == "fer's detector opencv found no face"
    assert answers[2].detail.endswith("faces were found; the largest was read")


@needs_fer
@pytest.mark.slow
def test_detector_mtcnn(shared, tmp_path) -> None:
    """MTCNN's weights are part of facenet-pytorch. In a process of its own: see `check_torchvision`."""
    code = "import torch, torchvision"
    if subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode:
        pytest.skip("torchvision does not load here")
    data = fairfer.load_dataset(shared / "data" / "ferplus")
    np.save(tmp_path / "face.npy", photograph(data.image(data.samples.index[1]), 256))
    code = (
        "import fairfer, numpy as np; model = fairfer.load_model('fer', detector='mtcnn');"
        "print(*(a.status for a in model.predict([np.zeros((200, 200, 3), np.uint8), np.load('face.npy')])))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert run.stdout == "no_face ok\n"


@needs_fer
def test_detector_mtcnn_after_tensorflow(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", object())
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(ModelError, match=r"detector=mtcnn needs torchvision.*start a new process"):
        fer.load(detector="mtcnn")


@pytest.mark.parametrize("option", ["detector", "engine"])
def test_wrong_options(option) -> None:
    with pytest.raises(ModelError, match=f"option {option}='caffe' is not a choice"):
        fer.load(**{option: "caffe"})


def test_missing_pkg_resources_is_one_sentence(monkeypatch) -> None:
    """The package imports it without declaring it; setuptools 81 no longer has it."""
    monkeypatch.setitem(sys.modules, "pkg_resources", None)
    with pytest.raises(ModelError, match=r"needs the package 'pkg_resources'.*fairfer\[fer\]"):
        fer.load()


@needs_fer
def test_failing_library_is_one_sentence(monkeypatch) -> None:
    from fer.fer import FER

    def fail(*_: object) -> None:
        message = "no interpreter\nfor this model"
        raise RuntimeError(message)

    monkeypatch.setattr(FER, "_initialize_model", fail)
    with pytest.raises(ModelError, match=r"fer cannot build its network \(no interpreter\); install"):
        fer.load()


def test_readiness(monkeypatch, tmp_path) -> None:
    from importlib.machinery import ModuleSpec

    monkeypatch.setattr(requirements, "find_spec", lambda name: None if name == "tensorflow" else True)
    assert str(fer.readiness()) == "needs an extra: pip install 'fairfer[fer]'"
    spec = ModuleSpec("fer", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(requirements, "find_spec", lambda _: True)
    monkeypatch.setattr(fer, "find_spec", lambda _: spec)
    assert fer.readiness().state == "needs weights"
    (tmp_path / "data").mkdir()
    for name in fer.WEIGHTS.values():
        (tmp_path / "data" / name).touch()
    assert fer.readiness().state == "ready"
