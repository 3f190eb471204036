"""py-feat: its real code on small random networks in a temporary folder of weights.

`Detectorv2` runs its real classes throughout, with the smallest backbone of the same family. In `Detectorv1`, the landmark
network, the HOG features and the classifiers are real; ResMaskNet (138 million parameters) is replaced by a small network with
the same interface.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from fairfer.errors import ModelError
from fairfer.models import registry, requirements
from fairfer.models.adapters import pyfeat
from fairfer.models.library import weights_digest
from fairfer.testing import check_model

REVISION = "0" * 40
UNITS = tuple(f"AU{i}" for i in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43))
EMOTIONS_1 = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
EMOTIONS_2 = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
HOG = 5408
"""Length of py-feat's HOG features of a 112-pixel face."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("something connected to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def cache_file(resources: Path, repository: str, name: str) -> Path:
    """Where the Hugging Face hub keeps a file."""
    folder = resources / f"models--py-feat--{repository}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(REVISION)
    snapshot = folder / "snapshots" / REVISION
    snapshot.mkdir(parents=True, exist_ok=True)
    return snapshot / name


def faces(count: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = ((48, 48), (90, 64), (48, 48))
    return [rng.integers(0, 256, (*shapes[i % 3], 3), np.uint8) for i in range(count)]


# ---- the real library


@pytest.fixture(scope="module")
def feat_module():
    """The real py-feat; skipped where it, or torchvision, which it needs, does not load."""
    if "tensorflow" in sys.modules and "torchvision" not in sys.modules:
        pytest.skip("TensorFlow was loaded first: torchvision could crash the process")
    try:
        import feat
    except ImportError:
        pytest.skip("py-feat is not installed: pip install 'fairfer[py-feat]'")
    except RuntimeError as error:
        pytest.skip(f"py-feat does not load here: {error}")
    return feat


@pytest.fixture(scope="module")
def resources(feat_module, tmp_path_factory):
    """A folder of weights of py-feat with random ones; its own files are linked."""
    import feat.detector
    import torch
    from feat.face_detectors.Retinaface.Retinaface_test import Retinaface
    from safetensors.torch import save_file

    place = tmp_path_factory.mktemp("feat")
    real = Path(feat_module.__path__[0])
    (place / "resources").mkdir()
    for path in (real / "resources").iterdir():
        (place / "resources" / path.name).symlink_to(path)
    for path in real.iterdir():
        if path.name != "resources":
            (place / path.name).symlink_to(path)
    folder = place / "resources"
    torch.manual_seed(0)
    save_file(Retinaface(pretrained="").net.state_dict(), cache_file(folder, "retinaface_r34", "model.safetensors"))
    torch.set_grad_enabled(True)
    landmarks = feat.detector.MobileFaceNet([112, 112], 136, device="cpu")
    torch.save({"state_dict": landmarks.state_dict()}, cache_file(folder, "mobilefacenet", "mobilefacenet_model_best.pth.tar"))
    write_multitask(cache_file(folder, "face_multitask_v2", "face_multitask_v28.safetensors"))
    write_classifiers(folder)
    before = feat_module.__path__[0]
    feat_module.__path__[0] = str(place)
    yield folder
    feat_module.__path__[0] = before


def write_multitask(path: Path) -> None:
    from feat.multitask.model_v2 import MEGraphAUv2, ModelV2Config
    from safetensors.torch import save_file

    config = {
        "backbone": "convnextv2_atto", "n_au": 20, "n_emotion": 7, "n_blendshape": 52,
        "mesh_normalized": True, "use_head_v3": True, "afg_channels": 32, "mefl_channels": 32,
    }  # fmt: skip
    network = MEGraphAUv2(ModelV2Config(**config, pretrained=False))
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path, metadata={"config": json.dumps(config)})


def write_classifiers(folder: Path) -> None:
    """Random scalers, principal components and classifiers of the sizes that py-feat expects."""
    import skops.io
    from feat.au_detectors.StatLearning.SL_test import SVMClassifier, XGBClassifier
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC
    from xgboost import XGBClassifier as Trees

    rng = np.random.default_rng(0)
    hog = rng.random((12, HOG)).astype(np.float32)
    scaler = StandardScaler().fit(hog)
    pca = PCA(3).fit(scaler.transform(hog))
    x, y = rng.normal(size=(12, 3 + 136)), np.arange(12) % 2
    parts = {
        f"{kind}_{part}": value
        for part in ("upper", "lower", "full")
        for kind, value in (("scaler", scaler), ("pca_model", pca))
    }
    trees, machine = Trees(n_estimators=2, max_depth=2).fit(x, y), LinearSVC().fit(x, y)
    for maker, name, classifier in ((XGBClassifier, "xgb", trees), (SVMClassifier, "svm", machine)):
        wrapper = maker()
        wrapper.load_weights(**parts, classifiers=dict.fromkeys(UNITS, classifier))
        skops.io.dump(wrapper, cache_file(folder, f"{name}_au", f"{name}_au_classifier_v2.skops"))


@pytest.mark.slow
@pytest.mark.parametrize("load", [pyfeat.load, pyfeat.load_aus], ids=["emotions", "aus"])
def test_detector_2(load, resources) -> None:
    """Real classes of Detectorv2 on face crops: labels by name, one answer per image, the same alone and among others."""
    import torch

    model = load(pipeline="v2", detector="skip")
    assert torch.is_grad_enabled()
    assert model.version.startswith("py-feat 2")
    if load is pyfeat.load:
        assert (model.task, model.labels.labels) == ("single-label", EMOTIONS_2)
    else:
        assert (model.task, model.labels.labels) == ("multi-label", UNITS)
    answers = model.predict(faces())
    assert all(((a.scores >= 0) & (a.scores <= 1)).all() for a in answers)
    check_model(model, faces())


@pytest.mark.slow
def test_detector_2_is_the_library(resources, feat_module) -> None:
    """The scores are those of `Detectorv2.forward` on a crop of the whole image."""
    import torch

    [image] = faces(1)
    weights = cache_file(resources, "face_multitask_v2", "face_multitask_v28.safetensors")
    model = pyfeat.load(pipeline="v2", detector="skip", weights=str(weights))
    face = cache_file(resources, "retinaface_r34", "model.safetensors")
    assert weights_digest([face, weights]) in model.version
    library = feat_module.Detectorv2(identity_model=None, multitask_weights=str(weights))
    torch.set_grad_enabled(True)
    tensor = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    crops = library.crop_faces_from_boxes(tensor, torch.tensor([[0.0, 0.0, 48.0, 48.0]]))
    expected = library.multitask(crops[0]["faces"])
    [answer] = model.predict([image])
    assert model.labels.spellings == tuple(expected.emotion_names)
    assert answer.scores == pytest.approx(expected.emotion[0], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("au_model", ["xgb", "svm"])
def test_action_units_of_detector_1(au_model, resources) -> None:
    """Real landmark network, HOG features and classifiers: probabilities of XGBoost, decisions of the SVM."""
    model = pyfeat.load_aus(au_model=au_model, detector="skip")
    assert model.labels.labels == UNITS
    assert model.options["au_model"] == au_model
    [answer, *_] = model.predict(faces())
    assert np.isin(answer.scores, (0, 1)).all() == (au_model == "svm")
    check_model(model, faces())


@pytest.mark.slow
def test_emotions_of_detector_1(resources, monkeypatch) -> None:
    """Detectorv1 with a small network in place of ResMaskNet."""
    import feat.detector
    import torch

    class Small(torch.nn.Module):
        def __init__(self, _: str, in_channels: int = 3) -> None:
            super().__init__()
            self.body = torch.nn.Conv2d(in_channels, 512, 1)
            self.fc = torch.nn.Linear(512, 7)

        def forward(self, x):
            return self.fc(self.body(x).mean(dim=(2, 3)))

    monkeypatch.setattr(feat.detector, "ResMasking", Small)
    cache_file(resources, "resmasknet", "config.json").write_text('{"in_channels": 3, "num_classes": 7}')
    network = Small("")
    network.fc = torch.nn.Sequential(torch.nn.Dropout(0.4), torch.nn.Linear(512, 7))
    torch.save({"net": network.state_dict()}, cache_file(resources, "resmasknet", "ResMaskNet_Z_resmasking_dropout1_rot30.pth"))
    model = pyfeat.load(detector="skip")
    assert model.labels.labels == EMOTIONS_1
    assert model.predict(faces(1))[0].scores.sum() == pytest.approx(1, abs=1e-5)
    check_model(model, faces())


@pytest.mark.slow
def test_face_detector(resources, monkeypatch, capsys) -> None:
    """The real RetinaFace with random weights: no face passes a high threshold; of several the largest counts."""
    from feat.face_detectors.Retinaface.Retinaface_test import Retinaface

    model = pyfeat.load(pipeline="v2")
    image = np.zeros((64, 64, 3), np.uint8)
    boxes = [[0, 0, 20, 20, 0.9], [5, 5, 60, 60, 0.9]]
    monkeypatch.setattr(Retinaface, "forward", lambda self, frames: [boxes])
    [answer] = model.predict([image])
    assert answer.detail == "2 faces were found; the largest was read"
    monkeypatch.setattr(Retinaface, "forward", lambda self, frames: [boxes[1:]])
    assert model.predict([image])[0].scores == pytest.approx(answer.scores)
    monkeypatch.undo()
    real = Retinaface.forward
    monkeypatch.setattr(Retinaface, "forward", lambda self, frames: [[b for b in f if b[4] > 2] for f in real(self, frames)])
    assert [a.status for a in model.predict([image])] == ["no_face"]
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_damaged_weights_of_the_library(resources, tmp_path) -> None:
    (tmp_path / "page.safetensors").write_text("<html>")
    with pytest.raises(ModelError, match="py-feat cannot build its detector"):
        pyfeat.load(pipeline="v2", weights=str(tmp_path / "page.safetensors"))


# ---- a stand-in for the library: what the adapter does around it


class Detector:
    """Answers as py-feat does; a face is as wide as the top left pixel says, and level 0 is no face."""

    made: ClassVar[list[dict[str, object]]] = []
    names = EMOTIONS_1

    def __init__(self, **options: object) -> None:
        Detector.made.append(options)
        if options.get("multitask_weights") == "broken":
            message = "file is broken"
            raise ValueError(message)
        self.multitask = type("Multitask", (), {"emotion_names": EMOTIONS_2, "au_names": ["AU01", "AU12"]})

    def detect(self, tensor, *, data_type: str, batch_size: int, progress_bar: bool) -> pd.DataFrame:
        assert (data_type, batch_size, progress_bar) == ("tensor", 1, False)
        assert tuple(tensor.shape[:2]) == (1, 3)
        sys.stderr.write("progress")
        width = float(tensor[0, 0, 0, 0])
        if width == 13:
            message = "the detector fails\nat length"
            raise RuntimeError(message)
        rows = pd.DataFrame({"FaceRectWidth": [1.0, width], "FaceRectHeight": [1.0, 1.0]})
        for i, name in enumerate((*EMOTIONS_1, *UNITS, "AU01")):
            rows[name] = [0.0, np.nan if width == 99 else i / 100]
        return rows[1:] if width > 0 else pd.DataFrame(np.nan, index=[0], columns=rows.columns)


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    pytest.importorskip("torch")
    package, pretrained, utils = ModuleType("feat"), ModuleType("feat.pretrained"), ModuleType("feat.utils")
    package.Detectorv1 = package.Detectorv2 = Detector
    package.__version__ = "2.9"
    pretrained.AU_LANDMARK_MAP = {"Feat": list(UNITS)}
    utils.FEAT_EMOTION_COLUMNS = list(EMOTIONS_1)
    for module in (package, pretrained, utils):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(pyfeat, "_folder", lambda: tmp_path)
    monkeypatch.setattr(pyfeat, "check_torchvision", lambda _: None)
    monkeypatch.setattr(requirements, "find_spec", lambda _: True)
    monkeypatch.setattr(Detector, "made", [])
    return tmp_path


def fill(folder: Path, *repositories: str) -> None:
    for name in repositories:
        for alternatives in pyfeat.WEIGHTS[name]:
            cache_file(folder, name, alternatives[-1].replace("*", "any")).write_text(name)


def test_answers(stand_in, capsys) -> None:
    """No face and failures are statuses of single images; several faces are mentioned; nothing is printed."""
    fill(stand_in, "retinaface_r34", "resmasknet")
    model = pyfeat.load()
    levels = (20, 0, 13, 99, 30)
    answers = model.predict([np.full((8, 8, 3), level, np.uint8) for level in levels])
    assert [a.status for a in answers] == ["ok", "no_face", "error", "error", "ok"]
    assert answers[0].scores.tolist() == [i / 100 for i in range(7)]
    assert answers[1].detail == "py-feat's detector retinaface found no face"
    assert answers[2].detail == "py-feat failed (the detector fails)"
    assert answers[3].detail == "the output of py-feat is not finite"
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("load", "options", "repositories", "built"),
    [
        ("load", {}, ("resmasknet",), {"landmark_model": None, "emotion_model": "resmasknet", "au_model": None}),
        (
            "load",
            {"emotion_model": "svm"},
            ("mobilefacenet", "svm_emo"),
            {"landmark_model": "mobilefacenet"},
        ),
        ("load_aus", {}, ("mobilefacenet", "xgb_au"), {"au_model": "xgb", "emotion_model": None}),
        ("load_aus", {"au_model": "svm"}, ("mobilefacenet", "svm_au"), {"au_model": "svm", "identity_model": None}),
        ("load_aus", {"pipeline": "v2"}, ("face_multitask_v2",), {"identity_model": None}),
    ],
)
def test_needed_weights(load, options, repositories, built, stand_in) -> None:
    """Without one of its repositories a model names it; with them it is built from these parts only."""
    fill(stand_in, "retinaface_r34", *repositories[:-1])
    with pytest.raises(ModelError, match=rf"py-feat/{repositories[-1]} are missing; let py-feat download .*download=yes"):
        getattr(pyfeat, load)(**options)
    assert not Detector.made
    fill(stand_in, *repositories)
    model = getattr(pyfeat, load)(**options)
    assert Detector.made[0].items() >= built.items()
    assert weights_digest(pyfeat._files(("retinaface_r34", *repositories), stand_in)) in model.version


def test_download_when_asked(stand_in, monkeypatch) -> None:
    """With download=yes py-feat is built although files are missing, and host names may be resolved."""
    resolved = []

    class Downloading(Detector):
        def __init__(self, **options: object) -> None:
            super().__init__(**options)
            resolved.append(socket.getaddrinfo is before)
            fill(stand_in, "retinaface_r34", "resmasknet")

    before = socket.getaddrinfo
    monkeypatch.setattr(sys.modules["feat"], "Detectorv1", Downloading)
    pyfeat.load(download="yes")
    pyfeat.load()
    assert resolved == [True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pipeline": "v3"}, "option pipeline='v3' is not a choice"),
        ({"detector": "mtcnn"}, "option detector='mtcnn' is not a choice"),
        ({"download": "maybe"}, "option download='maybe' is not a choice"),
        ({"emotion_model": "xgb"}, "option emotion_model='xgb' is not a choice"),
        ({"emotion_model": "svm", "pipeline": "v2"}, "Detectorv2 has one network for all tasks; remove it"),
        ({"weights": "a.safetensors"}, "option weights is for pipeline=v2"),
        ({"weights": "absent", "pipeline": "v2"}, "there is no such file"),
    ],
)
def test_wrong_options(options, message, stand_in) -> None:
    with pytest.raises(ModelError, match=message):
        pyfeat.load(**options)


def test_damaged_weights(stand_in, monkeypatch) -> None:
    monkeypatch.chdir(stand_in)
    (stand_in / "broken").touch()
    fill(stand_in, "retinaface_r34")
    with pytest.raises(ModelError, match=r"cannot build its detector \(file is broken\); replace the damaged file"):
        pyfeat.load(pipeline="v2", weights="broken")


def test_readiness(stand_in, monkeypatch) -> None:
    assert pyfeat.readiness().state == "needs weights"
    fill(stand_in, "retinaface_r34")
    assert pyfeat.readiness().state == "needs weights"
    fill(stand_in, "face_multitask_v2")
    assert str(pyfeat.readiness()) == "ready: retinaface_r34, face_multitask_v2"
    monkeypatch.setattr(requirements, "find_spec", lambda _: None)
    assert str(pyfeat.readiness()) == "needs an extra: pip install 'fairfer[py-feat]'"


def test_folder_is_found_without_an_import(monkeypatch, tmp_path) -> None:
    (tmp_path / "feat").mkdir()
    (tmp_path / "feat" / "__init__.py").write_text("raise AssertionError")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [n for n in sys.modules if n.partition(".")[0] == "feat"]:
        monkeypatch.delitem(sys.modules, name)
    assert pyfeat._folder() == tmp_path / "feat" / "resources"


def test_crops_are_boxes_around_whole_images() -> None:
    assert pyfeat._whole_image(np.zeros((2, 3, 40, 30))) == [[[0.0, 0.0, 30.0, 40.0, 1.0]]] * 2


def test_names_are_registered() -> None:
    assert {"py-feat", "py-feat-aus", "fer", "hsemotion", "emotiefflib"} <= {entry.name for entry in registry.list_models()}
