"""The networks that models offer: their scores are those of the models, and their frames say what the input shows."""

from __future__ import annotations

import importlib
import sys
import textwrap
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from fairfer.errors import ModelError
from fairfer.models.adapters.deepface.isolation import isolated
from fairfer.models.adapters.huggingface_gradients import kept_area
from fairfer.models.differentiable import HasGradients
from fairfer.models.preprocessing import Preprocessing
from fairfer.models.registry import load_model
from fairfer.models.resizing import frame, resized

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("onnx", reason="the package onnx reads the bundled weights")
pytestmark = pytest.mark.adapters

WEIGHTS = "facial_expression_model_weights"


@pytest.fixture
def crops() -> list[np.ndarray]:
    """Noise of several sizes and shapes, one of them nearly black."""
    rng = np.random.default_rng(6)
    images = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in ((48, 48), (48, 48), (60, 31), (20, 90))]
    return [*images, np.ones((48, 48, 3), np.uint8)]


@pytest.fixture
def ferplus_faces(shared) -> list[np.ndarray]:
    files = sorted((shared / "data" / "ferplus" / "data" / "FER2013Test").glob("*.png"))[:60]
    return [np.asarray(Image.open(file).convert("RGB")) for file in files]


@pytest.fixture
def random_deepface(tmp_path, monkeypatch):
    """A folder with DeepFace's PyTorch network with random weights."""
    with isolated(network=False):
        emotion = importlib.import_module("deepface.models.demography.pytorch.Emotion")
    folder = tmp_path / ".deepface" / "weights"
    folder.mkdir(parents=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        torch.save(emotion.EmotionModel().state_dict(), folder / f"{WEIGHTS}.pth")
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    return emotion


def same_scores(model, images) -> None:
    """The offered network answers as the model does."""
    from fairfer.explanations.methods.pytorch.network import answers

    assert isinstance(model, HasGradients)
    network = model.differentiable()
    assert network.labels == model.labels
    assert not network.module.training
    expected = np.array([answer.scores for answer in model.predict(images)])
    np.testing.assert_allclose(answers(network, images), expected, atol=1e-5)
    inputs, frames = network.inputs(images)
    assert (inputs.dtype, len(inputs), frames.shape) == (np.float32, len(images), (len(images), 4))
    if network.limits:
        assert network.limits[0] <= inputs.min()
        assert inputs.max() <= network.limits[1] + 1e-6


# ---- the bundled model


def test_the_bundled_network(crops) -> None:
    """The weights of the graph make the network again, for a face and its mirror image."""
    model = load_model("baseline")
    same_scores(model, crops)
    network = model.differentiable()
    assert network.mirrored
    assert network.limits is None
    np.testing.assert_array_equal(network.inputs(crops[2:3])[1], [[0, 0, 31, 60]])


def test_the_bundled_network_on_faces(ferplus_faces) -> None:
    same_scores(load_model("baseline"), ferplus_faces)


def test_another_graph_is_refused(tmp_path) -> None:
    """Weights of other shapes, or too few, are one sentence."""
    import onnx

    from fairfer.models.baseline.pytorch.folded import read_network

    for count in (2, 60):
        values = [onnx.numpy_helper.from_array(np.zeros((2, 2), np.float16), f"w{i}") for i in range(count)]
        graph = onnx.helper.make_graph([], "other", [], [], values)
        path = tmp_path / f"{count}.onnx"
        path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
        with pytest.raises(ModelError, match="does not have the weights of fairfer's bundled network"):
            read_network(path)


# ---- DeepFace


def test_deepface_layers_in_sequence(random_deepface, crops) -> None:
    """DeepFace's layers up to the logits, on images of several shapes and a nearly black one."""
    model = load_model("deepface", backend="torch")
    same_scores(model, crops)
    network = model.differentiable()
    inputs, frames = network.inputs(crops)
    planes = np.stack([model._inputs([crop])[0] for crop in crops])
    np.testing.assert_array_equal(inputs[:, 0], planes)
    np.testing.assert_allclose(frames[0], [0, 0, 48, 48])
    # 60 x 31 becomes 224 x 115 between black borders of 54 and 55 pixels, then 48 x 48.
    np.testing.assert_allclose(frames[2], [-54 * 31 / 115, 0, 224 * 31 / 115, 60])
    shown = np.flatnonzero(inputs[2, 0].sum(axis=0) > 0)[[0, -1]]  # the columns of the input that show the face
    left, _, width, _ = frames[2]
    np.testing.assert_allclose(left + (shown + np.arange(2)) * width / 48, [0, 31], atol=width / 48)


def test_deepface_on_faces(shared, ferplus_faces, monkeypatch) -> None:
    monkeypatch.setenv("DEEPFACE_HOME", str(shared / "data" / "deepface"))
    same_scores(load_model("deepface", backend="torch"), ferplus_faces)


def test_deepface_without_a_network(shared, monkeypatch) -> None:
    """Another back end or a detector gives one sentence."""
    monkeypatch.setenv("DEEPFACE_HOME", str(shared / "data" / "deepface"))
    with pytest.raises(ModelError, match="deepface on onnx has no gradients; load it with --option backend=torch"):
        load_model("deepface", backend="onnx").differentiable()
    model = load_model("deepface", backend="torch")
    model.options = {**model.options, "detector": "opencv"}
    with pytest.raises(ModelError, match=r"with the detector opencv has no gradients.*--option detector=skip"):
        model.differentiable()


def test_a_crop_that_deepface_cannot_resize(random_deepface) -> None:
    model = load_model("deepface", backend="torch")
    with pytest.raises(ModelError, match="image 0 of the batch has no input"):
        model.differentiable().inputs([np.zeros((0, 5, 3), np.uint8)])


@pytest.mark.parametrize("change", ["layer", "answer"])
def test_another_release_of_deepface(random_deepface, monkeypatch, change) -> None:
    """A network with other layers, or the same layers in another order, is not explained."""
    model = load_model("deepface", backend="torch")
    network = model._client.model
    if change == "layer":
        del network.fc_3
    else:
        monkeypatch.setattr(type(network), "forward", lambda self, x: torch.full((len(x), 7), 0.5))
    with pytest.raises(ModelError, match="this release of DeepFace has another emotion network"):
        model.differentiable()


# ---- torch:

SOURCE = """
import torch
from torch import nn

def layers():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 6 * 4, 3))

def ending():
    return nn.Sequential(*layers(), nn.Softmax(1))

def sigmoids():
    return nn.Sequential(*layers(), nn.Sigmoid())

class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = layers()

    def forward(self, x):
        return self.network(x.permute(0, 3, 1, 2))

class Hidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = layers()

    def forward(self, x):
        return self.network(x).softmax(1)

class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.conv(x).mean((2, 3))
"""

OPTIONS = {"labels": "happy,sad,angry", "size": "8x6", "color": "gray", "scaling": "-1..1"}


@pytest.fixture
def own(monkeypatch, tmp_path):
    """A module ``own_nets`` in the current folder."""
    (tmp_path / "own_nets.py").write_text(textwrap.dedent(SOURCE), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("own_nets", None)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("layers", {}),
        ("layers", {"crop": "center"}),
        ("layers", {"pad": "0", "task": "multi-label"}),
        ("ending", {"output": "probabilities"}),
        ("sigmoids", {"output": "probabilities", "task": "multi-label"}),
        ("Last", {"layout": "NHWC"}),
    ],
)
def test_own_networks(own, crops, name, options) -> None:
    """Logits as stated, a softmax or sigmoid at the end taken off, channels first or last."""
    same_scores(load_model(f"torch:own_nets:{name}", **{**OPTIONS, **options}), crops)


def test_limits_of_the_input(own) -> None:
    """They follow from the scaling, and are not known where channels differ."""
    assert load_model("torch:own_nets:layers", **OPTIONS).differentiable().limits == (-1, 1)
    color = {**OPTIONS, "color": "rgb", "scaling": "imagenet"}
    assert load_model("torch:own_nets:Pooled", **color).differentiable().limits is None


def test_images_of_any_size(own, crops) -> None:
    """A network that takes any size is explained for images of one size at a time."""
    model = load_model("torch:own_nets:Pooled", **{**OPTIONS, "size": "none", "color": "rgb"})
    same_scores(model, crops[:2])
    with pytest.raises(ModelError, match="those of one batch must have one; add --option size"):
        model.differentiable().inputs(crops)


def test_probabilities_without_logits(own) -> None:
    model = load_model("torch:own_nets:Hidden", **OPTIONS, output="probabilities")
    with pytest.raises(ModelError, match=r"returns probabilities, and gradients of logits are needed; .* nn.Softmax"):
        model.differentiable()


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of torch.export itself
def test_an_exported_program(own, crops) -> None:
    """A program of torch.export for any number of images is explained by integrated gradients."""
    from fairfer.explanations.methods import make_method

    sys.path.insert(0, str(own))
    network = importlib.import_module("own_nets").layers().eval()
    some = {0: torch.export.Dim.DYNAMIC}
    torch.export.save(torch.export.export(network, (torch.zeros(2, 1, 8, 6),), dynamic_shapes=(some,)), own / "free.pt2")
    model = load_model(f"torch:{own / 'free.pt2'}", **OPTIONS)
    same_scores(model, crops)
    if find_spec("captum") is None:
        return
    exported = make_method("integrated-gradients", model).maps(crops, [0, 1, 2, 0, 1])
    imported = make_method("integrated-gradients", load_model("torch:own_nets:layers", **OPTIONS)).maps(crops, [0, 1, 2, 0, 1])
    np.testing.assert_allclose(exported.values, imported.values, atol=1e-6)


def test_a_program_for_one_image(own) -> None:
    sys.path.insert(0, str(own))
    network = importlib.import_module("own_nets").layers().eval()
    torch.export.save(torch.export.export(network, (torch.zeros(2, 1, 8, 6),)), own / "fixed.pt2")
    model = load_model(f"torch:{own / 'fixed.pt2'}", **OPTIONS)
    with pytest.raises(ModelError, match="takes exactly 2 images at a time; export it with a dynamic batch"):
        model.differentiable()


def test_a_model_without_a_network_in_pytorch(own, tmp_path) -> None:
    """An ONNX graph says what to do instead."""
    from fairfer.models.adapters import onnx
    from fairfer.models.baseline import __file__ as home

    model = onnx.load(str(importlib.import_module("pathlib").Path(home).parent / "baseline.toml"))
    with pytest.raises(ModelError, match=r"baseline.toml has no network in PyTorch, .* use the method occlusion or rise"):
        model.differentiable()


# ---- frames


@pytest.mark.parametrize("shape", [(48, 48), (60, 31), (31, 60), (7, 50)])
@pytest.mark.parametrize("keep", ["stretch", "crop", "pad"])
def test_a_frame_is_what_the_network_sees(shape, keep) -> None:
    """An image with the column and row of each pixel is resized, and read at the centers of the frame."""
    options = {"stretch": {}, "crop": {"crop": "center"}, "pad": {"pad": 0}}[keep]
    how = Preprocessing(size=(40, 20), antialias=False, **options)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    image = np.stack([rows * 4, columns * 4, np.full(shape, 255)], axis=-1).clip(0, 255).astype(np.uint8)
    seen = resized(image, 40, 20, how)
    left, top, width, height = frame(image.shape, 40, 20, how)
    down, across = top + (np.arange(40) + 0.5) * height / 40, left + (np.arange(20) + 0.5) * width / 20
    # Half a pixel from an edge there is nothing to interpolate with.
    inner_rows = (down > max(0, top) + 0.5) & (down < min(shape[0], top + height) - 0.5)
    inner_columns = (across > max(0, left) + 0.5) & (across < min(shape[1], left + width) - 0.5)
    inner = (seen[..., 2] > 250) & inner_rows[:, None] & inner_columns
    assert inner.any()
    np.testing.assert_allclose((seen[..., 0] / 4 + 0.5)[inner], np.broadcast_to(down[:, None], inner.shape)[inner], atol=0.3)
    np.testing.assert_allclose((seen[..., 1] / 4 + 0.5)[inner], np.broadcast_to(across, inner.shape)[inner], atol=0.3)


def square(side):
    return {"do_center_crop": True, "crop_size": {"height": side, "width": side}}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"do_resize": True, "size": {"height": 10, "width": 10}}, (0, 0, 60, 40)),
        ({"do_resize": False}, (0, 0, 60, 40)),
        ({"do_resize": True, "size": {"shortest_edge": 20}, **square(16)}, (14, 4, 32, 32)),
        ({"do_resize": True, "size": {"height": 20, "width": 30}, **square(10)}, (20, 10, 20, 20)),
        (square(20), (20, 10, 20, 20)),
    ],
)
def test_the_area_that_an_image_processor_keeps(settings, expected) -> None:
    np.testing.assert_allclose(kept_area((40, 60, 3), settings, "model x"), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"do_pad": True},
        {"crop_pct": 0.9},
        {"do_resize": True, "size": {"shortest_edge": 20}},
        {"do_resize": True, "size": {"longest_edge": 20}},
        {"do_center_crop": True, "crop_size": {"shortest_edge": 3}},
    ],
)
def test_an_image_processor_that_is_not_known(settings) -> None:
    with pytest.raises(ModelError, match="where its image processor cuts or pads an image is not known"):
        kept_area((40, 60, 3), settings, "model x")


@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_an_image_classifier_of_transformers(tmp_path, crops) -> None:
    """Its logits; integrated gradients explain it, and methods for convolutions refuse it."""
    import json

    import transformers

    from fairfer.explanations.methods import make_method

    torch.manual_seed(2)
    configuration = transformers.ViTConfig(
        image_size=32, patch_size=16, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        id2label={0: "happy", 1: "sad"}, label2id={"happy": 0, "sad": 1},
    )  # fmt: skip
    transformers.ViTForImageClassification(configuration).save_pretrained(tmp_path / "vit")
    settings = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 32, "width": 32},
                "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3,
                "image_std": [0.5] * 3}  # fmt: skip
    (tmp_path / "vit" / "preprocessor_config.json").write_text(json.dumps(settings))
    model = load_model(f"hf:{tmp_path / 'vit'}", backend="pil")
    same_scores(model, crops)
    if find_spec("captum") is None or find_spec("zennit") is None:
        return
    maps = make_method("integrated-gradients", model, steps="64").maps(crops[:2], [0, 1])
    assert maps.values.shape == (2, 32, 32)
    np.testing.assert_allclose(maps.conserved, 1, atol=0.05)
    with pytest.raises(ModelError, match="has no rule for the layer"):
        make_method("lrp", model)
    with pytest.raises(ModelError, match="has no convolution with a map of the image"):
        make_method("grad-cam", model)
