"""The ONNX networks of the package ``hsemotion-onnx``."""

from __future__ import annotations

from pathlib import Path

from fairfer.models.adapters.affectnet_networks import Library, assemble, obtain_weights, recognizer, weights_readiness
from fairfer.models.isolation import isolated
from fairfer.models.library import LibraryModel, check_choice
from fairfer.models.requirements import Readiness, require

EXTRA = "hsemotion"

NETWORKS = ("enet_b0_8_best_vgaf", "enet_b0_8_best_afew", "enet_b2_8", "enet_b0_8_va_mtl", "enet_b2_7")
"""Networks that hsemotion-onnx names; the preprocessing follows from the name."""

CACHE = ".hsemotion"
MODULE = "hsemotion_onnx.facial_emotions"


def load(*, model_name: str = NETWORKS[0], weights: str = "", download: str = "no") -> LibraryModel:
    """The emotion networks of hsemotion on ONNX (--option model_name=enet_b2_8).

    Parameters
    ----------
    model_name
        One of `NETWORKS`.
    weights
        A local ONNX file of this network. By default ``~/.hsemotion/MODEL_NAME.onnx``.
    download
        ``yes`` lets the library download missing weights; by default nothing is downloaded.

    Raises
    ------
    ModelError
        If the package is not installed, the weights are missing or damaged, or an option is wrong.
    """
    check_choice("model_name", model_name, NETWORKS)
    with isolated("hsemotion"):
        module = require(MODULE, what="model 'hsemotion'", extra=EXTRA)
        release = require("hsemotion_onnx", what="model 'hsemotion'", extra=EXTRA).__version__
    library = Library("hsemotion", module, "get_model_path", CACHE, ".onnx")
    path = obtain_weights(library, model_name, local=weights, download=download)
    network = recognizer(library, lambda: module.HSEmotionRecognizer(model_name=model_name), path)
    return assemble(
        library,
        model_name,
        lambda images: network.predict_multi_emotions(images, logits=True),
        network.idx_to_class,
        weights=path,
        release=f"hsemotion-onnx {release}",
        options={
            "engine": "onnx",
            "size": f"{network.img_size}x{network.img_size}",
            "color": "rgb",
            "scaling": "imagenet",
            "resample": "bilinear (OpenCV, without antialiasing)",
        },
        files=[Path(__file__)],
    )


def readiness() -> Readiness:
    """Whether hsemotion-onnx is installed and which weights are in its folder; imports nothing."""
    return weights_readiness("hsemotion", ("hsemotion_onnx",), CACHE, (".onnx",))
