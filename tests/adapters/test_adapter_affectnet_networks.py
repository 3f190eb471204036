"""EmotiEffLib and hsemotion: their real code on tiny random networks in a temporary home."""

from __future__ import annotations

import importlib
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import fairfer
from fairfer.errors import ModelError
from fairfer.models.adapters import affectnet_networks, emotiefflib, hsemotion
from fairfer.models.isolation import check_torchvision
from fairfer.testing import check_model

onnx = pytest.importorskip("onnx", reason="makes the tiny networks")

NAMES_8 = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
NAMES_7 = tuple(n for n in NAMES_8 if n != "contempt")
IMAGENET = (np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]))
HALF = (np.full(3, 0.5), np.full(3, 0.5))
RED = np.array([200, 50, 10], np.uint8)

LIBRARIES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(find_spec(package) is None, reason=f"pip install 'fairfer[{name}]'"),
    )
    for name, package in (("emotiefflib", "emotiefflib"), ("hsemotion", "hsemotion_onnx"))
]
by_library = pytest.mark.parametrize("library", LIBRARIES)


def weights_of(outputs: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(outputs)
    return rng.normal(size=(outputs, 3)).astype(np.float32), rng.normal(size=outputs).astype(np.float32)


def write_network(path, outputs: int) -> None:
    """Maximum of each channel, then one linear layer: the shapes and the last node that both libraries expect."""
    from onnx import TensorProto, helper, numpy_helper

    weight, bias = weights_of(outputs)
    nodes = [
        helper.make_node("GlobalMaxPool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "weight", "bias"], ["output"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, "height", "width"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def expected(color: np.ndarray, outputs: int, labels: int, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Scores of a plain image, computed without the libraries."""
    weight, bias = weights_of(outputs)
    logits = (weight @ ((color / 255 - mean) / std) + bias)[:labels]
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder of its own, and no network: connecting fails the test."""

    def refuse(*_: object) -> None:
        pytest.fail("something connected to the network")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path


@by_library
@pytest.mark.parametrize(
    ("network", "outputs", "labels", "size"),
    [
        ("enet_b0_8_best_vgaf", 8, NAMES_8, "224x224"),
        ("enet_b2_7", 7, NAMES_7, "260x260"),
        ("enet_b0_8_va_mtl", 10, NAMES_8, "224x224"),
    ],
)
def test_scores_are_those_of_the_network(library, network, outputs, labels, size, home) -> None:
    """Order of labels and colors, normalization, and without valence and arousal, against a computation by hand."""
    write_network(home / f".{library}" / f"{network}.onnx", outputs)
    model = fairfer.load_model(library, model_name=network)
    assert model.labels.labels == labels
    assert model.options["size"] == size
    [answer] = model.predict([np.broadcast_to(RED, (30, 20, 3)).copy()])
    assert answer.scores == pytest.approx(expected(RED, outputs, len(labels), *IMAGENET), abs=1e-5)
    check_model(model)


@by_library
def test_version_holds_release_and_digest(library, home) -> None:
    file = home / f".{library}" / "enet_b2_8.onnx"
    write_network(file, 8)
    model = fairfer.load_model(library, model_name="enet_b2_8")
    assert model.version.startswith(library)
    assert affectnet_networks.weights_digest([file]) in model.version
    assert model.name == f"{library}-enet_b2_8"


@by_library
def test_missing_weights_are_one_sentence(library, home) -> None:
    """Nothing is downloaded, and no folder is made."""
    with pytest.raises(ModelError, match=r"put enet_b2_8\.onnx into .*download=yes"):
        fairfer.load_model(library, model_name="enet_b2_8")
    assert not list(home.iterdir())
    module = {"emotiefflib": emotiefflib, "hsemotion": hsemotion}[library]
    assert module.readiness().state == "needs weights"
    write_network(home / f".{library}" / "enet_b2_8.onnx", 8)
    assert str(module.readiness()) == "ready: enet_b2_8.onnx"


@by_library
def test_local_file_of_weights(library, home) -> None:
    """The option weights replaces the library's file and leaves the library as it was."""
    write_network(home / "own.onnx", 8)
    model = fairfer.load_model(library, model_name="enet_b2_8", weights="~/own.onnx")
    [answer] = model.predict([np.broadcast_to(RED, (9, 9, 3)).copy()])
    assert answer.scores == pytest.approx(expected(RED, 8, 8, *IMAGENET), abs=1e-5)
    with pytest.raises(ModelError, match="put enet_b2_8"):
        fairfer.load_model(library, model_name="enet_b2_8")
    with pytest.raises(ModelError, match="there is no such file"):
        fairfer.load_model(library, weights="absent.onnx")


@by_library
def test_wrong_weights_are_one_sentence(library, home) -> None:
    """A file of another network, and one that is no network."""
    write_network(home / "seven.onnx", 7)
    with pytest.raises(ModelError, match=r"should have 8 outputs.*the file of this network"):
        fairfer.load_model(library, weights=str(home / "seven.onnx"))
    (home / "page.onnx").write_text("<html>")
    with pytest.raises(ModelError, match=r"cannot read .*page\.onnx"):
        fairfer.load_model(library, weights=str(home / "page.onnx"))


@by_library
def test_download_only_when_asked(library, home, monkeypatch) -> None:
    """The library's own download runs with download=yes; a broken one leaves no part of a file behind."""
    import urllib.request

    calls = []

    def retrieve(url: str, path: str) -> None:
        calls.append(url)
        write_network(home / "made.onnx", 8)
        (home / "made.onnx").rename(path)

    def broken(url: str, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(111, "connection reset")

    monkeypatch.setattr(urllib.request, "urlretrieve", broken)
    with pytest.raises(ModelError, match=r"could not download enet_b2_8\.onnx .*connection reset"):
        fairfer.load_model(library, model_name="enet_b2_8", download="yes")
    assert not (home / f".{library}" / "enet_b2_8.onnx").exists()
    monkeypatch.setattr(urllib.request, "urlretrieve", retrieve)
    fairfer.load_model(library, model_name="enet_b2_8", download="yes")
    fairfer.load_model(library, model_name="enet_b2_8")
    assert len(calls) == 1


@by_library
@pytest.mark.parametrize("option", ["model_name", "download"])
def test_wrong_options_are_named(library, option, home) -> None:
    with pytest.raises(ModelError, match=f"option {option}='enet_b2_9' is not a choice"):
        fairfer.load_model(library, **{option: "enet_b2_9"})


@by_library
def test_one_bad_image_costs_only_itself(library, home, capsys) -> None:
    """An image that OpenCV refuses has the status error; its neighbors are answered, and nothing reaches stdout."""
    write_network(home / f".{library}" / "enet_b2_8.onnx", 8)
    model = fairfer.load_model(library, model_name="enet_b2_8")
    good = np.broadcast_to(RED, (9, 9, 3)).copy()
    answers = model.predict([good, np.zeros((0, 9, 3), np.uint8), good])
    assert [a.status for a in answers] == ["ok", "error", "ok"]
    assert answers[1].detail.startswith(f"{library} failed (")
    assert capsys.readouterr().out == ""


@by_library
def test_audit_of_pictures(library, home, tmp_path, write_pictures) -> None:
    """From a folder of pictures to predictions with the library's labels."""
    write_network(home / f".{library}" / "enet_b2_8.onnx", 8)
    write_pictures(tmp_path / "faces", ["happy/a.png", "sad/b.png"])
    dataset = fairfer.load_dataset(tmp_path / "faces")
    predictions = fairfer.predict(dataset, fairfer.load_model(library, model_name="enet_b2_8"))
    assert list(predictions.frame["status"]) == ["ok", "ok"]


def test_readiness_without_the_packages(monkeypatch) -> None:
    from fairfer.models import requirements

    monkeypatch.setattr(requirements, "find_spec", lambda _: None)
    assert str(hsemotion.readiness()) == "needs an extra: pip install 'fairfer[hsemotion]'"
    assert str(emotiefflib.readiness()) == "needs an extra: pip install 'fairfer[emotiefflib]'"


@pytest.mark.skipif(find_spec("emotiefflib") is None, reason="pip install 'fairfer[emotiefflib]'")
class TestEmotiEffLib:
    def test_other_networks(self, home) -> None:
        """The preprocessing of a network is the library's: MobileFaceNet takes other sizes and levels."""
        write_network(home / ".emotiefflib" / "mbf_va_mtl.onnx", 10)
        model = fairfer.load_model("emotiefflib", model_name="mbf_va_mtl")
        assert (model.options["size"], model.options["mean"]) == ("112x112", "0.5,0.5,0.5")
        [answer] = model.predict([np.broadcast_to(RED, (9, 9, 3)).copy()])
        assert answer.scores == pytest.approx(expected(RED, 10, 8, *HALF), abs=1e-5)

    def test_onnx_imports_neither_tensorflow_nor_torchvision(self, home) -> None:
        """They take seconds, and can crash the process together."""
        import subprocess

        write_network(home / ".emotiefflib" / "enet_b2_8.onnx", 8)
        code = (
            "import sys, fairfer; fairfer.load_model('emotiefflib', model_name='enet_b2_8');"
            "sys.exit(any(n in sys.modules for n in ('tensorflow', 'torchvision', 'torch')))"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    @pytest.mark.parametrize(("options", "named"), [({"engine": "tvm"}, "engine"), ({"device": "cuda"}, "device")])
    def test_wrong_engine(self, options, named, home) -> None:
        with pytest.raises(ModelError, match=f"option {named}="):
            fairfer.load_model("emotiefflib", **options)

    def test_broken_torchvision_is_one_sentence(self, home, monkeypatch) -> None:
        monkeypatch.setitem(sys.modules, "torchvision", None)
        monkeypatch.setitem(sys.modules, "torchvision.transforms", None)
        pytest.importorskip("torch")
        with pytest.raises(ModelError, match=r"engine=torch needs the package 'torchvision'.*emotiefflib-torch"):
            fairfer.load_model("emotiefflib", engine="torch")


@pytest.fixture
def torch_engine(home, monkeypatch):
    """The library with PyTorch; torchvision's three transforms are stand-ins where torchvision does not load."""
    pytest.importorskip("emotiefflib", reason="pip install 'fairfer[emotiefflib-torch]'")
    torch = pytest.importorskip("torch")
    try:
        check_torchvision("the test")
        importlib.import_module("torchvision.transforms")
    except (ImportError, RuntimeError, ModelError):
        from types import ModuleType

        for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
            monkeypatch.delitem(sys.modules, name)
        package, transforms = ModuleType("torchvision"), ModuleType("torchvision.transforms")
        package.transforms = transforms

        def compose(steps):
            def run(image):
                for step in steps:
                    image = step(image)
                return image

            return run

        def to_tensor():
            return lambda image: torch.from_numpy(np.array(image, np.float32).transpose(2, 0, 1) / 255)

        def normalize(mean, std):
            return lambda t: (t - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]

        transforms.Compose, transforms.ToTensor, transforms.Normalize = compose, to_tensor, normalize
        transforms.Resize = lambda size: lambda image: image.resize(size[::-1], 2)
        monkeypatch.setitem(sys.modules, "torchvision", package)
        monkeypatch.setitem(sys.modules, "torchvision.transforms", transforms)
    yield torch
    sys.modules.pop("emotiefflib.facial_analysis", None)


def tiny_torch_network(torch, outputs: int):
    weight, bias = weights_of(outputs)
    network = torch.nn.Sequential()
    network.add_module("pool", torch.nn.AdaptiveMaxPool2d(1))
    network.add_module("flatten", torch.nn.Flatten())
    network.add_module("classifier", torch.nn.Linear(3, outputs))
    with torch.no_grad():
        network.classifier.weight.copy_(torch.from_numpy(weight))
        network.classifier.bias.copy_(torch.from_numpy(bias))
    return network


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torch_engine(torch_engine, home) -> None:
    """The PyTorch engine after the ONNX engine in the same process: the same scores from the same weights."""
    write_network(home / ".emotiefflib" / "enet_b0_8_va_mtl.onnx", 10)
    by_onnx = fairfer.load_model("emotiefflib", model_name="enet_b0_8_va_mtl")
    torch_engine.save(tiny_torch_network(torch_engine, 10), home / ".emotiefflib" / "enet_b0_8_va_mtl.pt")
    model = fairfer.load_model("emotiefflib", model_name="enet_b0_8_va_mtl", engine="torch")
    assert model.options["resample"].startswith("bilinear (Pillow")
    image = np.broadcast_to(RED, (9, 9, 3)).copy()
    for one in (model, by_onnx):
        assert one.predict([image])[0].scores == pytest.approx(expected(RED, 10, 8, *IMAGENET), abs=1e-5)
    check_model(model)


def test_torch_engine_names_timm(torch_engine, home) -> None:
    """A file that cannot be unpickled: the message names the version of timm."""
    (home / ".emotiefflib").mkdir()
    (home / ".emotiefflib" / "enet_b2_8.pt").write_bytes(b"not a pickle")
    with pytest.raises(ModelError, match=r"cannot read .*enet_b2_8\.pt .*timm 0\.9"):
        fairfer.load_model("emotiefflib", model_name="enet_b2_8", engine="torch")
    if not torch_engine.cuda.is_available():
        with pytest.raises(ModelError, match="PyTorch finds no GPU"):
            fairfer.load_model("emotiefflib", engine="torch", device="cuda")
