"""`wrap`: make a model of any function that takes images and returns scores."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import ModelError
from fairfer.labels import SPACES, LabelSpace
from fairfer.models.identity import source_files
from fairfer.models.model import BATCH_SIZE
from fairfer.models.network import NetworkModel
from fairfer.models.preprocessing import Preprocessing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.outputs import Output
    from fairfer.vocabulary import Task


def wrap(
    function: Callable[[Any], Any],
    *,
    labels: LabelSpace | Sequence[str] | str,
    preprocess: Preprocessing | Mapping[str, Any] | None = None,
    output: Output = "probabilities",
    task: Task = "single-label",
    name: str | None = None,
    version: str | None = None,
    options: Mapping[str, str] | None = None,
    batch_size: int = BATCH_SIZE,
) -> NetworkModel:
    """Make a model of a function.

    Parameters
    ----------
    function
        Takes a batch and returns one row of numbers per image: an array, nested lists, or a tensor of PyTorch or TensorFlow. If
        it raises an exception, it is called again for each image, and the images for which it fails have the status ``error``.
    labels
        Output classes in the order of the columns: their names, a `fairfer.LabelSpace`, or the name of one (``ferplus``,
        ``fer2013``, ``deepface``, ``affectnet``).
    preprocess
        Preprocessing of an image: a `fairfer.Preprocessing`, or its attributes or options, such as
        ``{"size": "64", "color": "gray", "scaling": "0..1"}``. The function then takes one array, float32, of shape
        (images, channels, height, width), or (images, height, width, channels) with ``"layout": "NHWC"``. ``None``: the
        function takes a list of (height, width, 3) RGB uint8 images of any size; state in `options` what it does with them.
    output
        Whether the function returns probabilities or logits.
    task
        ``single-label``, or ``multi-label`` with an independent score per label.
    name
        Name in reports; that of the function by default.
    version
        A string that changes whenever the predictions may change. By default a digest of the function's source file and of your
        own modules that it imports. It does not cover weights: name them here.
    options
        Any other settings that may change a prediction.
    batch_size
        Images per call.

    Returns
    -------
    NetworkModel
        A `fairfer.Model`.

    Raises
    ------
    ModelError
        If the function fails on a plain gray image, returns another shape, or contradicts `output`.
    LabelError
        If a label occurs twice.

    Examples
    --------
    >>> import fairfer, numpy as np
    >>> def brightness(batch):
    ...     happy = batch.mean(axis=(1, 2, 3))
    ...     return np.stack([happy, 1 - happy], axis=1)
    >>> model = fairfer.wrap(brightness, labels=["happy", "sad"], preprocess={"size": "8", "scaling": "0..1"})
    >>> model.labels.labels, model.options["scale"] == repr(1 / 255)
    (('happiness', 'sadness'), True)
    """
    given: object = function
    if not callable(given):
        message = f"wrap takes a function, not a {type(given).__name__}"
        raise ModelError(message)
    inner: Any = function.func if isinstance(function, functools.partial) else function
    own_name = str(name or getattr(inner, "__name__", type(inner).__name__))
    model = NetworkModel(
        name=own_name,
        version=version or _digest(inner),
        labels=_labels(labels, own_name),
        task=task,
        network=lambda batch: _as_array(function(batch)),
        preprocessing=_preprocessing(preprocess),
        output=output,
        options=options,
        files=_files(inner),
        batch_size=batch_size,
        where=f"model {own_name}",
    )
    model.check()
    return model


def _labels(labels: LabelSpace | Sequence[str] | str, name: str) -> LabelSpace:
    if isinstance(labels, LabelSpace):
        return labels
    if not isinstance(labels, str):
        return LabelSpace.of(name, labels)
    if labels.casefold() not in SPACES:
        message = f"labels={labels!r} is not a label space; use one of {', '.join(SPACES)}, or a list of labels"
        raise ModelError(message)
    return SPACES[labels.casefold()]


def _preprocessing(stated: Preprocessing | Mapping[str, Any] | None) -> Preprocessing | None:
    if stated is None or isinstance(stated, Preprocessing):
        return stated
    given: Any = stated
    if not isinstance(given, Mapping):
        message = f"preprocess must be a fairfer.Preprocessing, a mapping or None, not a {type(given).__name__}"
        raise ModelError(message)
    options = {key: value for key, value in given.items() if isinstance(value, str)}
    defaults = {key: value for key, value in given.items() if not isinstance(value, str)}
    for key in ("mean", "std"):
        if isinstance(defaults.get(key), int | float):
            defaults[key] = (float(defaults[key]),)
        elif key in defaults:
            defaults[key] = tuple(defaults[key])
    if isinstance(defaults.get("size"), int):
        defaults["size"] = (defaults["size"], defaults["size"])
    unknown = set(defaults) - set(Preprocessing.__dataclass_fields__)
    if unknown:
        message = f"preprocess has no {min(unknown)!r}; it has {', '.join(Preprocessing.__dataclass_fields__)}"
        raise ModelError(message)
    return Preprocessing.from_options(options, **defaults)


def _as_array(outputs: Any) -> NDArray[Any]:
    """An array from what a function returns; tensors may require gradients or be on another device."""
    for step in ("detach", "cpu", "numpy"):
        if hasattr(outputs, step):
            outputs = getattr(outputs, step)()
    return np.asarray(outputs)


def _files(function: Any) -> list[Path]:
    module = getattr(function, "__module__", None) or type(function).__module__
    return source_files([module])


def _digest(function: Any) -> str:
    """Digest of the source of a function, or of the files of its module where the source is not known."""
    try:
        source = inspect.getsource(function if inspect.isroutine(function) else type(function))
    except (OSError, TypeError):  # made in an interactive session or by another language
        source = repr(getattr(function, "__qualname__", type(function).__qualname__))
    return f"source sha256 {hashlib.sha256(source.encode()).hexdigest()[:16]}"
