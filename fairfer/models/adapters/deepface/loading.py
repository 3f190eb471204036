"""Load DeepFace's emotion network."""

from __future__ import annotations

import hashlib
import importlib
import os
from importlib.util import find_spec
from pathlib import Path

from fairfer.errors import ModelError
from fairfer.models.adapters.deepface.engines import (
    BACKENDS,
    WEIGHTS,
    batch_network,
    build_client,
    build_detector,
    check_detector,
    check_network,
    choose_backend,
    weights_file,
)
from fairfer.models.adapters.deepface.isolation import first_line, isolated
from fairfer.models.adapters.deepface.model import DeepFaceModel
from fairfer.models.requirements import Readiness


def load(*, backend: str = "", detector: str = "skip", download: str = "no") -> DeepFaceModel:
    """DeepFace's emotion network, on ONNX, PyTorch or TensorFlow (--option backend=onnx).

    Parameters
    ----------
    backend
        ``onnx``, ``torch`` or ``tensorflow``. By default DeepFace's own choice: the environment variable
        ``DEEPFACE_BACKEND_ENGINE``, or the first installed of TensorFlow, PyTorch and onnxruntime.
    detector
        ``skip`` (default): the images are face crops. Otherwise one of DeepFace's detectors: ``opencv``, ``retinaface``, ...
    download
        ``yes`` lets DeepFace download missing weights; by default nothing is downloaded.

    Raises
    ------
    ModelError
        When the back end is not installed, the weights are missing or damaged, or an option is wrong.
    """
    if download not in ("yes", "no"):
        message = f"option download={download!r} is not a choice; use yes or no"
        raise ModelError(message)
    release = _import_deepface()
    name = choose_backend(backend)
    check_detector(detector)
    engine = BACKENDS[name]
    if find_spec(engine.package) is None:
        message = (
            f"DeepFace's back end {name} needs the package {engine.package}, which is not installed; run: {engine.install}"
        )
        raise ModelError(message)
    weights = weights_file(engine)
    missing = not weights.is_file()
    if missing and download != "yes":
        message = (
            f"DeepFace's weights are missing: put {weights.name} into {weights.parent} (under DEEPFACE_HOME), or let DeepFace "
            "download it with the model option download=yes"
        )
        raise ModelError(message)
    client = build_client(engine, weights, download=missing)
    network, device = batch_network(name, client)
    check_network(network, weights, downloaded=missing)
    if detector != "skip":
        build_detector(detector, download=download == "yes")
    try:
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        message = f"DeepFace's weights {weights} cannot be read ({error.strerror}); check the permissions of the file"
        raise ModelError(message) from error
    options = {"backend": name, "device": device, "detector": detector}
    version = f"{release} (weights sha256 {digest[:16]})"
    return DeepFaceModel(client, network, version=version, options=options, download=download == "yes")


def readiness() -> Readiness:
    """Which back ends are installed and have their weights, for ``fairfer models``; imports neither DeepFace nor a back end."""
    folder = Path(os.environ.get("DEEPFACE_HOME", str(Path.home()))) / ".deepface" / "weights"
    ready = [
        name
        for name, engine in BACKENDS.items()
        if find_spec(engine.package) is not None and (folder / f"{WEIGHTS}.{engine.suffix}").is_file()
    ]
    if ready:
        return Readiness("ready", f"back ends with weights: {', '.join(ready)}")
    return Readiness(
        "needs weights",
        f"put {WEIGHTS}.onnx (.pth for torch, .h5 for tensorflow) into {folder}, or add --option download=yes",
    )


def _import_deepface() -> str:
    """DeepFace's release, after a test import of the modules that are used."""
    try:
        with isolated(network=False):
            import deepface

            for module in ("detection", "modeling", "preprocessing"):
                importlib.import_module(f"deepface.modules.{module}")
    except ImportError as error:
        cause = f"the package {error.name!r}" if error.name else "a package that cannot be loaded"
        message = f"deepface needs {cause} ({first_line(error)}); run: pip install deepface werkzeug"
        raise ModelError(message) from error
    return str(deepface.__version__)
