"""DeepFace's back ends: which are installed, where their weights are, and the network and detector that DeepFace builds."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from fairfer.errors import ModelError, did_you_mean
from fairfer.labels import DEEPFACE
from fairfer.models.adapters.deepface.isolation import first_line, isolated
from fairfer.models.adapters.deepface.resizing import SIDE

WEIGHTS = "facial_expression_model_weights"
"""Name of the weights file without its suffix."""

Network = Callable[[NDArray[np.float32]], NDArray[Any]]
"""(n, 48, 48, 1) gray 0..1 to (n, 7) probabilities."""


class Engine(NamedTuple):
    """One of DeepFace's back ends: DeepFace's name for it, the package, how to install it, and the suffix of its weights."""

    deepface: str
    package: str
    install: str
    suffix: str


BACKENDS: Mapping[str, Engine] = {
    "onnx": Engine("onnx", "onnxruntime", "pip install onnxruntime", "onnx"),
    "torch": Engine("pytorch", "torch", "pip install 'fairfer[torch]'", "pth"),
    "tensorflow": Engine("tensorflow", "tensorflow", "pip install 'fairfer[tensorflow]'", "h5"),
}
"""Back ends by the name that the option ``backend`` takes."""


class Client(Protocol):
    """The part of DeepFace's emotion model that is used; DeepFace has no types of its own."""

    model: Any
    """The network of TensorFlow or PyTorch, or onnxruntime's session."""

    device: Any
    """PyTorch's device; only on that back end."""

    def _preprocess_image(self, img: NDArray[Any]) -> NDArray[np.float32]: ...

    def _predict_internal(self, img: NDArray[Any]) -> NDArray[Any]: ...


def choose_backend(option: str) -> str:
    """The name in `BACKENDS` that an option stands for; DeepFace's own choice when the option is empty.

    Raises
    ------
    ModelError
        When there is no such back end, or DeepFace finds none.
    """
    from deepface.commons import backend_utils

    names = {engine.deepface: name for name, engine in BACKENDS.items()}
    if option:
        name = names.get(option.casefold(), option.casefold())
        if name not in BACKENDS:
            message = f"option backend={option!r} is not a choice; {did_you_mean(option, BACKENDS)}"
            raise ModelError(message)
        return name
    try:
        return names[backend_utils.get_backend_engine()]
    except ValueError as error:
        message = f"DeepFace finds no back end ({first_line(error)}); correct DEEPFACE_BACKEND_ENGINE, or give backend=onnx"
        raise ModelError(message) from error


def weights_file(engine: Engine) -> Path:
    """Where DeepFace looks for the weights."""
    from deepface.commons import folder_utils

    return Path(folder_utils.get_deepface_home()) / ".deepface" / "weights" / f"{WEIGHTS}.{engine.suffix}"


def build_client(engine: Engine, weights: Path, *, download: bool) -> Client:
    """DeepFace's emotion model on one back end.

    `modeling.build_model` would return what it built before in this process, even from other weights or for another back end;
    so the class that it would use is called here.

    Raises
    ------
    ModelError
        When the back end cannot be imported, or the weights cannot be downloaded or are damaged.
    """
    from deepface.commons import package_utils
    from deepface.modules import modeling

    if download:
        try:
            weights.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = (
                f"DeepFace's folder {weights.parent} cannot be made ({error.strerror}); set DEEPFACE_HOME to another folder"
            )
            raise ModelError(message) from error
    module, _, name = modeling.AVAILABLE_MODELS["facial_attribute"]["Emotion"][engine.deepface].rpartition(".")
    try:
        with isolated(network=download):
            if engine.package == "tensorflow":
                package_utils.validate_for_keras3()
                package_utils.configure_tensorflow_logging()
            client: Client = getattr(importlib.import_module(module), name)()
            return client
    except ImportError as error:
        message = f"DeepFace's back end {engine.package} cannot be imported ({first_line(error)}); run: {engine.install}"
        raise ModelError(message) from error
    except Exception as error:
        if download and not weights.is_file():
            message = f"DeepFace could not download {weights.name}; check the network, or put the file into {weights.parent}"
            raise ModelError(message) from error
        if "tf-keras" in str(error):
            message = (
                f"DeepFace's back end tensorflow needs the package tf-keras, which is not installed; run: {engine.install}"
            )
            raise ModelError(message) from error
        _raise_damaged(weights, downloaded=download, cause=error)


def batch_network(backend: str, client: Client) -> tuple[Network, str]:
    """The function that answers a batch, and the name of its device."""
    if backend == "tensorflow":
        import tensorflow as tf

        # Keras called layer by layer spends most of its time in Python; a graph with a free batch size is built once.
        signature = [tf.TensorSpec((None, SIDE, SIDE, 1), tf.float32)]
        graph = tf.function(functools.partial(client.model, training=False), input_signature=signature)
        return lambda batch: np.asarray(graph(batch).numpy()), "gpu" if tf.config.list_physical_devices("GPU") else "cpu"

    def answer(batch: NDArray[np.float32]) -> NDArray[Any]:
        return np.reshape(client._predict_internal(batch), (len(batch), -1))

    if backend == "torch":
        return answer, str(client.device.type)
    provider = str(client.model.get_providers()[0])
    return answer, provider.removesuffix("ExecutionProvider").casefold()


def check_network(network: Network, weights: Path, *, downloaded: bool) -> None:
    """Make one trial run: a file can be a valid network and yet not DeepFace's.

    Raises
    ------
    ModelError
        When it is not DeepFace's emotion network.
    """
    try:
        scores = network(np.full((2, SIDE, SIDE, 1), 0.5, np.float32))
    except Exception as error:
        _raise_damaged(weights, downloaded=downloaded, cause=error)
    if scores.shape != (2, len(DEEPFACE)) or not np.isfinite(scores).all():
        _raise_damaged(weights, downloaded=downloaded, cause=None)


def _raise_damaged(weights: Path, *, downloaded: bool, cause: Exception | None) -> NoReturn:
    advice = "download it again"
    if downloaded:  # a damaged file from this very call would block the next attempt
        weights.unlink(missing_ok=True)
        advice = "it was removed; try again later, or download it by hand"
    message = f"{weights} is not DeepFace's emotion network (a damaged download, or a web page saved in its place?); {advice}"
    raise ModelError(message) from cause


def check_detector(detector: str) -> None:
    """Check that DeepFace has a detector.

    Raises
    ------
    ModelError
        When it has not.
    """
    from deepface.modules import modeling

    names = ["skip", *modeling.AVAILABLE_MODELS["face_detector"]]
    if detector not in names:
        message = f"option detector={detector!r}: DeepFace has no such detector; {did_you_mean(detector, names)}"
        raise ModelError(message)


def build_detector(detector: str, *, download: bool) -> None:
    """Build a detector before the first image, so that a missing file or package is reported at load.

    Raises
    ------
    ModelError
        When it cannot be built.
    """
    from deepface.modules import modeling

    try:
        with isolated(network=download) as refused:
            modeling.build_model(task="face_detector", model_name=detector)
    except Exception as error:
        message = f"DeepFace's detector {detector} cannot be built ({first_line(error)}); install what it needs"
        if refused:
            message = f"DeepFace's detector {detector} lacks a file; the model option download=yes lets DeepFace download it"
        raise ModelError(message) from error
