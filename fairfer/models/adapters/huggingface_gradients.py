"""The network of a Hugging Face image classifier for attribution methods, and which part of an image its processor keeps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import ModelError
from fairfer.models.differentiable import Differentiable, Frames
from fairfer.models.foreign_code import foreign_code

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.network import NetworkModel


def differentiable(model: NetworkModel, network: Any, processor: Any, where: str) -> Differentiable:
    """The network up to its logits, called with the tensors that the image processor makes.

    Parameters
    ----------
    model
        The model.
    network, processor
        Of transformers.
    where
        Start of error messages.
    """
    from fairfer.models.pytorch.layers import Logits
    from fairfer.models.pytorch.offered import scores_of

    settings = processor.to_dict()

    def inputs(images: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.float32], Frames]:
        frames = np.array([kept_area(image.shape, settings, where) for image in images])
        with foreign_code(where), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = processor(images=list(images), return_tensors="np", input_data_format="channels_last")
        return np.ascontiguousarray(made["pixel_values"], np.float32), frames

    return Differentiable(Logits(network), model.labels, inputs, scores_of(model), None, model.version)


def kept_area(shape: tuple[int, ...], settings: Mapping[str, Any], where: str) -> tuple[float, float, float, float]:
    """Left, top, width and height, in pixels of an image, of the part that an image processor keeps.

    Parameters
    ----------
    shape
        Of the image: height, width, ...
    settings
        Of the processor, as ``to_dict`` returns them.
    where
        Start of the error message.

    Raises
    ------
    ModelError
        When the processor pads images, or crops them in a way that is not known.
    """
    height, width = shape[:2]
    size, crop = settings.get("size") or {}, settings.get("crop_size") or {}
    known = not settings.get("do_pad") and settings.get("crop_pct") is None
    scale_h = scale_w = 1.0
    if known and settings.get("do_resize"):
        if {"height", "width"} <= size.keys():
            scale_h, scale_w = size["height"] / height, size["width"] / width
        elif set(size) == {"shortest_edge"} and settings.get("do_center_crop"):
            scale_h = scale_w = size["shortest_edge"] / min(height, width)
        else:
            known = False
    kept_h, kept_w = float(height), float(width)
    if known and settings.get("do_center_crop"):
        known = {"height", "width"} <= crop.keys()
        kept_h, kept_w = crop.get("height", 0) / scale_h, crop.get("width", 0) / scale_w
    if not known:
        message = f"{where}: where its image processor cuts or pads an image is not known; use the method occlusion or rise"
        raise ModelError(message)
    return (width - kept_w) / 2, (height - kept_h) / 2, kept_w, kept_h
