"""Keras models in files: ``keras:model.keras`` or ``keras:model.h5``.

Keras computes on TensorFlow, PyTorch or JAX. The environment variable ``KERAS_BACKEND`` decides, or Keras' own configuration
file if its back end is installed; otherwise the first of these that is installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fairfer.errors import ModelError
from fairfer.models.foreign_code import foreign_code
from fairfer.models.network import Network, NetworkModel, first_line, fixed_batch
from fairfer.models.network_options import read_options
from fairfer.models.requirements import Readiness, install_command, packages_readiness, require

EXTRA = "keras"
BACKENDS = ("tensorflow", "torch", "jax")
CHANNELS = {1: "gray", 3: "rgb"}
IMAGE_AXES = 4
"""Axes of a batch of images."""

ACTIVATIONS = {"softmax": ("probabilities", "single-label"), "sigmoid": ("probabilities", ""), "linear": ("logits", "")}
"""Output and task that the activation of the last layer implies; an empty task has to be stated."""


def load(target: str, **options: str) -> NetworkModel:
    """A Keras model: keras:FILE (.keras, .h5 or .hdf5).

    Size, color and layout are those of the model's input, and the output that of the activation of its last layer, unless
    stated. Scaling has to be stated (``scaling=0..1``).

    Parameters
    ----------
    target
        The file.
    **options
        ``labels`` (required) and the others of `fairfer.models.network_options`.

    Raises
    ------
    ModelError
        If Keras is not installed, the file is not a Keras model, or an option is wrong.
    """
    path = Path(target)
    where = f"model keras:{target}"
    if not path.is_file():
        message = f"{path} does not exist; give a .keras, .h5 or .hdf5 file"
        raise ModelError(message)
    keras = _import_keras(where)
    with foreign_code(where), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = _read(keras, path)
    shape = _input_shape(where, network)
    defaults = {**_input_defaults(shape), **_output_defaults(where, network, options)}
    stated = read_options(options, where, name=path.stem, **defaults)
    batch = shape[0]
    answer = _answer(network)
    model = NetworkModel(
        **stated.arguments,
        version=f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}",
        network=answer if batch is None else fixed_batch(answer, int(batch)),
        options={"library": f"keras {keras.__version__}", "backend": keras.backend.backend()},
        files=[Path(__file__), path],
        where=where,
    )
    model.check()
    return model


def readiness() -> Readiness:
    """Whether Keras and one of its back ends are installed."""
    found = packages_readiness(EXTRA, "keras")
    if found.state != "ready":
        return found
    backends = [name for name in BACKENDS if find_spec(name) is not None]
    if not backends:
        return Readiness("needs an extra", f"{install_command('torch')}, or TensorFlow or JAX: Keras computes on one of them")
    return Readiness("ready", f"back ends: {', '.join(backends)}")


@contextlib.contextmanager
def _default_backend(where: str) -> Iterator[None]:
    """Let Keras choose an installed back end; it reads the environment variable when it is imported.

    A configuration file decides only if its back end is installed: Keras writes one that names TensorFlow when it is first
    imported.
    """
    if "KERAS_BACKEND" in os.environ or find_spec(_configured() or "no such package") is not None:
        yield
        return
    installed = [name for name in BACKENDS if find_spec(name) is not None]
    if not installed:
        message = f"{where}: Keras has no back end here; run: {install_command('torch')}"
        raise ModelError(message)
    os.environ["KERAS_BACKEND"] = installed[0]
    try:
        yield
    finally:
        os.environ.pop("KERAS_BACKEND", None)


def _configured() -> str:
    """The back end in the configuration file; empty without one."""
    path = Path(os.environ.get("KERAS_HOME", str(Path.home() / ".keras"))) / "keras.json"
    try:
        name = json.loads(path.read_text(encoding="utf-8")).get("backend", "")
    except (OSError, ValueError, AttributeError):
        return ""
    return name if name in BACKENDS else ""


def _import_keras(where: str) -> Any:
    if find_spec("keras") is None:
        require("keras", what=where, extra=EXTRA)
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
    before = {key: os.environ.get(key) for key in quiet}
    with _default_backend(where), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for key, value in quiet.items():
            os.environ.setdefault(key, value)
        try:
            return require("keras", what=where, extra=EXTRA)
        except ModelError as error:
            raise _explained(error, where) from error.__cause__
        finally:
            for key, old in before.items():
                if old is None:
                    os.environ.pop(key, None)


def _explained(error: ModelError, where: str) -> ModelError:
    """The error, or the choice of another back end when Keras is configured for one that is not installed."""
    cause = error.__cause__
    missing = ((cause.name or "") if isinstance(cause, ModuleNotFoundError) else "").partition(".")[0]
    installed = [name for name in BACKENDS if find_spec(name) is not None]
    if missing not in BACKENDS or not installed:
        return error
    return ModelError(
        f"{where}: Keras is configured for {missing}, which is not installed; install it, or set KERAS_BACKEND={installed[0]}"
    )


def _read(keras: Any, path: Path) -> Any:
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        text = str(error)
        if "No model config" in text or "does not contain" in text:
            message = f"{path} holds weights without a model; save the whole model with model.save('model.keras')"
        elif "Lambda" in text or "safe_mode" in text or "unsafe" in text:
            message = f"{path} holds Python code of a Lambda layer, which is not run; save the model without it"
        else:
            message = f"{path} is not a Keras model that can be loaded ({first_line(error)}); save it again with model.save"
        raise ModelError(message) from error


def _input_shape(where: str, network: Any) -> tuple[int | None, ...]:
    shape = getattr(network, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != IMAGE_AXES:
        message = f"{where}: its input has the shape {shape}, not that of images (images, height, width, channels)"
        raise ModelError(message)
    return shape


def _input_defaults(shape: tuple[int | None, ...]) -> dict[str, Any]:
    """Size, color and layout that an input shape implies; nothing where it leaves them open."""
    _, first, second, last = shape
    layout = "NHWC" if last in CHANNELS else "NCHW" if first in CHANNELS else None
    if layout is None:
        return {"layout": "NHWC", "size": None}
    channels, height, width = (last, first, second) if layout == "NHWC" else (first, second, last)
    size = None if height is None or width is None else (height, width)
    return {"layout": layout, "color": CHANNELS[int(channels or 0)], "size": size}


def _output_defaults(where: str, network: Any, options: dict[str, str]) -> dict[str, str]:
    """Output and task that the last layer implies."""
    activation = getattr(getattr(network.layers[-1], "activation", None), "__name__", "")
    if activation not in ACTIVATIONS:
        if type(network.layers[-1]).__name__ == "Softmax":
            return {"output": "probabilities"}
        if "output" not in options:
            message = (
                f"{where}: its last layer ({type(network.layers[-1]).__name__}) does not show whether it returns "
                "probabilities; add --option output=logits or output=probabilities"
            )
            raise ModelError(message)
        return {}
    output, task = ACTIVATIONS[activation]
    if activation == "sigmoid" and "task" not in options:
        message = (
            f"{where}: its last layer is a sigmoid, so each label has a score of its own; add --option task=multi-label, or "
            "task=single-label if one label is right for each face"
        )
        raise ModelError(message)
    return {"output": output, **({"task": task} if task else {})}


def _answer(network: Any) -> Network:
    def answer(batch: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(network.predict_on_batch(batch))

    return answer
