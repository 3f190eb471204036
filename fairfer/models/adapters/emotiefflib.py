"""EmotiEffLib: emotion networks on ONNX or PyTorch.

Its module imports TensorFlow (for a model of engagement), PyTorch and torchvision if they are installed. For ONNX none of them
is needed, and TensorFlow and torchvision in one process can crash it; so they are hidden from the import.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from fairfer.errors import ModelError
from fairfer.models.adapters.affectnet_networks import Library, assemble, obtain_weights, recognizer, weights_readiness
from fairfer.models.isolation import check_torchvision, hidden, isolated
from fairfer.models.library import LibraryModel, check_choice
from fairfer.models.requirements import Readiness, require

EXTRA = "emotiefflib"

ENGINES = ("onnx", "torch")
CACHE = ".emotiefflib"
MODULE = "emotiefflib.facial_analysis"
WHAT = "model 'emotiefflib'"

TORCH_HINT = (
    "PyTorch files of EmotiEffLib hold whole timm objects and load only with the timm version they were saved with (0.9); "
    "install timm 0.9, or use engine=onnx"
)


def load(
    *,
    model_name: str = "enet_b0_8_best_vgaf",
    engine: str = "onnx",
    device: str = "cpu",
    weights: str = "",
    download: str = "no",
) -> LibraryModel:
    """EmotiEffLib's emotion networks, on ONNX or PyTorch (--option model_name=enet_b2_8).

    Parameters
    ----------
    model_name
        A name that ``emotiefflib.facial_analysis.get_model_list()`` returns.
    engine
        ``onnx`` (default) or ``torch``. Loading a PyTorch file runs code that is stored in it.
    device
        ``cpu`` or ``cuda``; only for the engine torch.
    weights
        A local file of this network. By default ``~/.emotiefflib/MODEL_NAME.onnx`` or ``.pt``.
    download
        ``yes`` lets the library download missing weights; by default nothing is downloaded.

    Raises
    ------
    ModelError
        If the package is not installed, the weights are missing or damaged, or an option is wrong.
    """
    check_choice("engine", engine, ENGINES)
    check_choice("device", device, ("cpu", "cuda") if engine == "torch" else ("cpu",))
    module = _import(engine)
    check_choice("model_name", model_name, module.get_model_list())
    if device == "cuda" and not module.torch.cuda.is_available():
        message = "option device='cuda': PyTorch finds no GPU; use device=cpu"
        raise ModelError(message)
    library = Library("emotiefflib", module, f"get_model_path_{engine}", CACHE, ".onnx")
    if engine == "torch":
        library = library._replace(suffix=".pt", hint=TORCH_HINT)
    path = obtain_weights(library, model_name, local=weights, download=download)
    network = recognizer(
        library,
        lambda: module.EmotiEffLibRecognizer(engine=engine, model_name=model_name, device=device),
        path,
    )
    release = require("emotiefflib", what=WHAT, extra=EXTRA).__version__
    resample = {"onnx": "bilinear (OpenCV, without antialiasing)", "torch": "bilinear (Pillow, with antialiasing)"}
    return assemble(
        library,
        model_name,
        lambda images: network.predict_emotions(images, logits=True),
        network.idx_to_emotion_class,
        weights=path,
        release=f"emotiefflib {release}",
        options={
            "engine": engine,
            "device": device,
            "size": f"{network.img_size}x{network.img_size}",
            "color": "rgb",
            "mean": ",".join(map(str, network.mean)),
            "std": ",".join(map(str, network.std)),
            "resample": resample[engine],
        },
        files=[Path(__file__)],
    )


def readiness() -> Readiness:
    """Whether EmotiEffLib is installed and which weights are in its folder; imports nothing."""
    return weights_readiness("emotiefflib", ("emotiefflib", "onnx", "onnxruntime"), CACHE, (".onnx", ".pt"))


def _import(engine: str) -> ModuleType:
    """The library's module, with what the engine needs."""
    unneeded = ("tensorflow",) if engine == "torch" else ("tensorflow", "torch", "torchvision")
    with isolated("emotiefflib"):
        if engine == "torch":
            check_torchvision(f"{WHAT} with engine=torch")
            for package in ("torch", "torchvision.transforms"):
                require(package, what=f"{WHAT} with engine=torch", extra="emotiefflib-torch")
        with hidden(*unneeded):
            module = require(MODULE, what=WHAT, extra=EXTRA)
            if engine == "torch" and not hasattr(module, "transforms"):  # it was imported for ONNX before
                module = importlib.reload(module)
    return module
